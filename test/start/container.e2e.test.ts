import { randomBytes } from "node:crypto";
import { ensureStubImage } from "@remote-runtime/testing";
import { expect, test } from "vitest";
import { apiOf } from "../support/api.ts";
import { call } from "../support/call.ts";
import { containersWith, docker } from "../support/docker.ts";
import { stubStart } from "../support/stub-start.ts";
import { until } from "../support/until.ts";

const ROOT = new URL("../..", import.meta.url).pathname.replace(/\/$/, "");
const IMAGE = "node:24-bookworm-slim";
const SOCKET = "/var/run/docker.sock";
const START_DEADLINE_MS = 120_000;
const SDK = {
  command: "/usr/local/bin/openhands-agent-server --port 60000",
  image_pull_policy: "IfNotPresent",
};

/** What `npm start` runs, in a container whose port is another one outside. Disposing removes it and what it made. */
async function startInContainer(): Promise<
  AsyncDisposable & { url: string; key: string; log: () => Promise<string> }
> {
  const name = `start-test-${randomBytes(6).toString("hex")}`;
  const resources = new AsyncDisposableStack();
  try {
    const key = randomBytes(18).toString("base64url");
    const settings = { API_KEYS: `alice=${key}`, REPLICA_ID: name, SANDBOX_NETWORK: name };
    const env = Object.entries({ ...settings, DATA_DIR: "/tmp/data", EVICT_IMAGES: "none" });
    resources.defer(async () => {
      const made = await containersWith(`openhands.runtime.replica=${name}`);
      await docker("rm", "--force", "--volumes", name, ...made);
      await docker("network", "rm", name).catch(() => undefined);
    });
    const mounts = ["--volume", `${ROOT}:${ROOT}:ro`, "--volume", `${SOCKET}:${SOCKET}`];
    const variables = env.flatMap(([variable, value]) => ["--env", `${variable}=${value}`]);
    const how = ["--name", name, "--publish", "8000", "--workdir", ROOT, ...mounts, ...variables];
    const program = ["node", "apps/standalone/src/main.ts", "--host", "0.0.0.0", "--port", "8000"];
    await docker("run", "--detach", ...how, IMAGE, ...program);
    const log = (): Promise<string> => docker("logs", name);
    await until(log, (printed) => /answers at http/.test(printed), {
      deadlineMs: START_DEADLINE_MS,
      what: "the server's URL",
    });
    const [published = ""] = (await docker("port", name, "8000/tcp")).split("\n");
    const url = `http://127.0.0.1:${published.split(":").at(-1)}`;
    return { url, key, log, [Symbol.asyncDispose]: () => resources.disposeAsync() };
  } catch (error) {
    await resources.disposeAsync();
    throw error;
  }
}

test("the standalone server in a container finds itself and its sandboxes at the ports of the engine's host, and names that host", async () => {
  const image = await ensureStubImage({ log: console.error });
  await using server = await startInContainer();
  const api = apiOf(server);
  const byPath = await api.startReady(stubStart(image));
  expect(byPath.url).toBe(`${server.url}/${byPath.runtime_id}/runtime`);
  const byPort = await api.startReady(stubStart(image, SDK));
  const { hostname, port } = new URL(byPort.url);
  expect(hostname).toBe("127.0.0.1");
  expect(Number(port)).toBeLessThan(30_000);
  for (const { url } of [byPath, byPort]) expect((await call(`${url}/alive`)).status).toBe(200);
  const printed = await server.log();
  for (const line of ["cannot be dialled from here", "but not at its published port"])
    expect(printed).not.toContain(line);
});
