import { randomBytes } from "node:crypto";
import { expect, test } from "vitest";
import { apiOf } from "../support/api.ts";
import { docker } from "../support/docker.ts";
import { startOwnRegistry } from "../support/own-registry.ts";
import { startServer } from "../support/server.ts";
import { until } from "../support/until.ts";
import { AGENT_COMMAND } from "./own-engines.ts";
import { pushLayered } from "./push-layered.ts";

const STARTS = 16;
const PULLING_MS = 60_000;
const READY_MS = 180_000;

async function pullEvents(image: string, since: Date): Promise<string[]> {
  const [from, to] = [since.getTime(), Date.now() + 1_000].map((at) => String(at / 1000));
  const filters = ["--filter=type=image", "--filter=event=pull", "--format={{.Actor.ID}}"];
  const printed = await docker("events", ...filters, `--since=${from}`, `--until=${to}`);
  return printed.split("\n").filter((name) => name === image);
}

test("16 starts of one image at once, which the engine lacks, are one pull, and all of them get ready", async () => {
  await using resources = new AsyncDisposableStack();
  const registry = resources.use(await startOwnRegistry());
  const image = `${registry.local}/cold-starts-${randomBytes(4).toString("hex")}:1`;
  resources.defer(() => docker("rmi", "--force", image).then(() => undefined));
  const env = { SANDBOX_RESERVED_MEMORY_MIB: "64" };
  const api = apiOf(resources.use(await startServer({ env })));
  await pushLayered(image);
  const since = new Date();

  // None of them comes when the image is there already.
  await registry.pause();
  const started = await Promise.all(
    Array.from({ length: STARTS }, (_, index) =>
      api.start({ image, command: AGENT_COMMAND, session_id: `cold-${index}` }),
    ),
  );
  await until(
    () => api.list(),
    (list) =>
      list.filter(({ events }) => JSON.stringify(events).includes("Pulling")).length === STARTS,
    { deadlineMs: PULLING_MS, what: "all of them pulling" },
  );
  await registry.unpause();

  await Promise.all(started.map((runtime) => api.untilStatus(runtime, "running", READY_MS)));
  expect(await pullEvents(image, since)).toEqual([image]);
  const requests = await registry.requests();
  const blobs = requests.filter((request) => /^GET \S+\/blobs\/sha256:/.test(request));
  // At least its configuration and the new layer.
  expect(blobs.length).toBeGreaterThanOrEqual(2);
  expect(new Set(blobs).size).toBe(blobs.length);
});
