import { beforeAll, expect, test } from "vitest";
import { ensureRealImage, type RealImage } from "../real-image/real-image.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { until } from "../support/until.ts";
import { runRealClient, type RealClientOptions } from "./real-client.ts";

type Scenario = {
  client: RealImage;
  server: RealImage;
  driver: RealClientOptions["driver"];
  /** What it must have done, beside all the rest. */
  steps: string[];
};

const SCENARIOS: Record<string, Scenario> = {
  "the SDK's APIRemoteWorkspace": {
    client: "v1-client",
    server: "agent-server",
    driver: "v1_workspace.py",
    steps: [
      "command",
      "upload and download",
      "conversation",
      "pause",
      "resume",
      "conversation after resume",
      "cleanup",
    ],
  },
  "V0's RemoteRuntime": {
    client: "v0-client",
    server: "v0-runtime",
    driver: "v0_remote_runtime.py",
    steps: ["command", "write and read", "attach", "pause", "resume", "stop"],
  },
  "the app server's RemoteSandboxService": {
    client: "v0-client",
    server: "agent-server",
    driver: "app_server.py",
    steps: ["start", "running", "websocket", "pause", "resume", "delete"],
  },
};
const BUILD_MS = 40 * 60_000;
const SCENARIO_MS = 8 * 60_000;

let server: TestServer;

beforeAll(async () => {
  const options = { log: console.error };
  for (const { client, server: image } of Object.values(SCENARIOS)) {
    await ensureRealImage(client, options);
    await ensureRealImage(image, options);
  }
  server = await startServer();
  return () => server[Symbol.asyncDispose]();
}, BUILD_MS);

// One after the other: what boots is heavier than all of the rest.
test.each(Object.entries(SCENARIOS))(
  "%s, unmodified, lives through a whole session and leaves nothing",
  async (_, scenario) => {
    const done = await runRealClient({
      image: await ensureRealImage(scenario.client),
      driver: scenario.driver,
      apiUrl: server.url,
      apiKey: server.key,
      env: { SERVER_IMAGE: await ensureRealImage(scenario.server) },
      timeoutMs: SCENARIO_MS,
    }).catch((error: unknown) => {
      throw new Error(`the server's log:\n${server.log().slice(-20_000)}`, { cause: error });
    });
    expect(done.map(({ step }) => step)).toEqual(expect.arrayContaining(scenario.steps));
    // Removal of a container takes its time after the answer.
    const left = () => server.containers();
    expect(await until(left, (names) => names.length === 0, { what: "no container" })).toEqual([]);
  },
  SCENARIO_MS + 60_000,
);
