import { beforeAll, expect, test } from "vitest";
import { ensureRealImage, type RealImage } from "../real-image/real-image.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { until } from "../support/until.ts";
import { runRealClient } from "./real-client.ts";

/** The releases, and the image with an action execution server of the same or of a near release for each. */
const SERVERS: Record<string, RealImage> = {
  "0.10.0": "old-clients",
  "0.14.3": "old-clients",
  "0.24.0": "old-clients",
  "0.25.0": "old-clients",
  "0.29.1": "old-clients",
  "0.62.0": "v0-runtime",
};
/** Each boots a server, so a usual run has three; OLD_RELEASES names others, with blanks between them. */
const releases = (process.env["OLD_RELEASES"] ?? "0.10.0 0.24.0 0.62.0").split(" ");
const BUILD_MS = 40 * 60_000;
const SCENARIO_MS = 4 * 60_000;

let server: TestServer;

beforeAll(async () => {
  for (const image of ["old-clients", "v0-runtime"] as const)
    await ensureRealImage(image, { log: console.error });
  server = await startServer();
  return () => server[Symbol.asyncDispose]();
}, BUILD_MS);

test.each(releases)(
  "RemoteRuntime of openhands-ai %s, unmodified, lives through a whole session and leaves nothing",
  async (release) => {
    const image = SERVERS[release];
    if (image === undefined) throw new Error(`OLD_RELEASES: ${release} is not in the image`);
    const done = await runRealClient({
      image: await ensureRealImage("old-clients"),
      python: `/old/${release}/bin/python`,
      driver: "v0_remote_runtime.py",
      apiUrl: server.url,
      apiKey: server.key,
      env: { SERVER_IMAGE: await ensureRealImage(image), OLD_RELEASE: release },
      timeoutMs: SCENARIO_MS,
    }).catch((error: unknown) => {
      throw new Error(`the server's log:\n${server.log().slice(-20_000)}`, { cause: error });
    });
    const steps = ["command", "copy in, list, copy out", "attach", "stop"];
    const pausing = ["0.29.1", "0.62.0"].includes(release) ? ["pause", "resume"] : [];
    expect(done.map(({ step }) => step)).toEqual(expect.arrayContaining([...steps, ...pausing]));
    const id = String(done.find(({ step }) => step === "start")?.["runtime_id"]);
    const left = async () => (await server.containers()).filter((name) => name.includes(id));
    expect(await until(left, (names) => names.length === 0, { what: "no container" })).toEqual([]);
  },
  SCENARIO_MS + 60_000,
);
