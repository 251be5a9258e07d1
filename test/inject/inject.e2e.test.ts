import { ensureStubImage, startTinyRegistry } from "@remote-runtime/testing";
import { beforeAll, expect, test } from "vitest";
import { apiOf, type Api } from "../support/api.ts";
import { docker } from "../support/docker.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { stubStart } from "../support/stub-start.ts";
import { until } from "../support/until.ts";
import type { WireRuntime } from "../support/wire-runtime.ts";
import { buildInjectImage, volumesOf, type InjectImage } from "./inject-image.ts";

/** The stub agent runs on Node, as Python would be needed for another. */
const STOCK = "node:24-bookworm-slim";
const COMMAND = "/agent-server/.venv/bin/python -m openhands.agent_server --port 60000";
let agent: InjectImage;

beforeAll(async () => {
  const stub = await ensureStubImage({ log: console.error });
  const link = "/agent-server/.venv/bin/python";
  agent = await buildInjectImage(
    `FROM ${stub}\nRUN cp --remove-destination $(readlink ${link}) ${link}`,
  );
  return () => agent[Symbol.asyncDispose]();
});

test("eight starts at once of a stock image run the agent from one volume, which they cannot write", async () => {
  await using server = await startServer({ env: { INJECT: `/agent-server=${agent.tag}` } });
  const api = apiOf(server);
  const asked = Array.from({ length: 8 }, () => stubStart(STOCK, { command: COMMAND }));
  const runtimes = await Promise.all(asked.map((body) => api.startReady(body)));
  const [volume, ...others] = await volumesOf(agent.id, networkOf(server));
  expect(others).toEqual([]);
  for (const runtime of runtimes) {
    expect(eventsOf(runtime)).toContain(`Injected: /agent-server of ${agent.tag} (${agent.id})`);
    expect(await mountsOf(runtime)).toEqual([`${volume} /agent-server false`]);
  }
  // Nothing but the mount's own directory is the container's.
  const changes = await docker("diff", runtimes[0]?.runtime_id ?? "");
  expect(changes.split("\n").filter((line) => line.includes("/agent-server"))).toEqual([
    "A /agent-server",
  ]);
  await stopAll(api, runtimes);
});

test("an image that has the path is left alone, and so is one whose caller wants nothing injected", async () => {
  await using server = await startServer({ env: { INJECT: `/agent-server=${agent.tag}` } });
  const api = apiOf(server);
  const own = await api.startReady(stubStart(agent.tag, { command: COMMAND }));
  expect(await mountsOf(own)).toEqual([]);
  const asked = await api.startReady(stubStart(agent.tag, { inject: ["/agent-server"] }));
  expect(await mountsOf(asked)).toHaveLength(1);
  const without = await api.start(stubStart(STOCK, { command: COMMAND, inject: [] }));
  const ended = await api.untilStatus(without, "error");
  expect(ended).toMatchObject({ verdict: "exited" });
  const { status, text } = await api.post("/start", stubStart(STOCK, { inject: ["/other"] }));
  expect([status, text]).toEqual([400, expect.stringContaining("INJECT maps /agent-server")]);
  await stopAll(api, [own, asked, without]);
});

test("an injected image that nobody has fails the start with its name", async () => {
  await using registry = await startTinyRegistry();
  const image = `${registry.host}/absent/agent-server:1`;
  await using server = await startServer({ env: { INJECT: `/agent-server=${image}` } });
  const api = apiOf(server);
  const started = await api.start(stubStart(STOCK, { command: COMMAND }));
  const ended = await api.untilStatus(started, "error", 120_000);
  expect(ended.verdict).toBe("image_unavailable");
  expect(ended.status_detail).toContain(`INJECT /agent-server=${image}`);
});

test("the volume outlives the server, and goes once its mapping is gone and no sandbox has it", async () => {
  const INJECT = `/agent-server=${agent.tag}`;
  await using server = await startServer({ env: { INJECT } });
  const network = networkOf(server);
  const api = apiOf(server);
  const first = await api.startReady(stubStart(STOCK, { command: COMMAND }));
  const made = await madeAt(network);
  await server.restart();
  const second = await api.startReady(stubStart(STOCK, { command: COMMAND }));
  expect(await madeAt(network)).toBe(made);

  // Another replica of the same deployment that knows no mapping: it must leave what is in use.
  await using other = await startServer({ env: { SANDBOX_NETWORK: network } });
  expect(await volumesOf(agent.id, network)).toHaveLength(1);
  await stopAll(api, [first, second]);
  await until(server.containers, (names) => names.length === 0, { what: "no container" });
  await other.restart();
  await until(
    () => volumesOf(agent.id, network),
    (names) => names.length === 0,
    { what: "no volume" },
  );
});

async function stopAll(api: Api, runtimes: WireRuntime[]): Promise<void> {
  await Promise.all(runtimes.map(({ runtime_id: id }) => api.stop(id)));
}

function eventsOf({ events }: WireRuntime): string[] {
  return events.map(({ reason, message }) => `${reason}: ${message}`);
}

/** `volume path writable`, one for each. */
async function mountsOf({ runtime_id: id }: WireRuntime): Promise<string[]> {
  const format = "{{range .Mounts}}{{println .Name .Destination .RW}}{{end}}";
  const printed = await docker("inspect", "--format", format, id);
  return printed.split("\n").filter((line) => line !== "");
}

async function madeAt(network: string): Promise<string> {
  const [volume = ""] = await volumesOf(agent.id, network);
  return docker("volume", "inspect", "--format", "{{.CreatedAt}}", volume);
}

function networkOf({ replicaId }: TestServer): string {
  return `openhands-${replicaId}`;
}
