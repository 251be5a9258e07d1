import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { runCli } from "../cli/cli.ts";
import { AGENT_COMMAND } from "../registry/own-engines.ts";
import { type Api, apiOf } from "../support/api.ts";
import { call } from "../support/call.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { stubStart } from "../support/stub-start.ts";
import { agentStart, DISK_MIB, startSmallDisk, useImages, type SmallDisk } from "./small-disk.ts";

/** Three times as many as there is room for. */
const IMAGES = Array.from({ length: 20 }, (_, at) => `image-${at}`);

const resources = new AsyncDisposableStack();
let disk: SmallDisk;
let server: TestServer;
let api: Api;

beforeAll(async () => {
  disk = resources.use(await startSmallDisk());
  const env = { ...disk.env, PAUSE_GRACE_SECONDS: "0" };
  server = resources.use(await startServer({ env }));
  api = apiOf(server);
});

afterAll(() => resources.disposeAsync());

const use = (...names: string[]) => useImages(api, names.map(disk.reference));

async function metric(name: string): Promise<number> {
  const { text } = await call(`${server.url}/metrics`);
  return Number(new RegExp(`^${name} (\\S+)$`, "m").exec(text)?.[1]);
}

test("a replica runs three times more images than its engine's disk holds, and takes none that is used", async () => {
  const foreign = disk.reference("somebody-elses");
  await disk.engine.docker("pull", "--quiet", foreign);
  const running = await api.startReady(agentStart(disk.reference("running")));
  const paused = await api.startReady(agentStart(disk.reference("paused")));
  await api.pause(paused.runtime_id);
  await api.untilStatus(paused, "paused");

  await use(...IMAGES.slice(0, 10));
  // Which images are its own to remove is not forgotten with the process.
  await server.kill();
  await server.restart();
  await use(...IMAGES.slice(10));

  expect(disk.watch.leastFreeMib()).toBeGreaterThan(DISK_MIB / 30);
  const names = await disk.held();
  for (const kept of [running.image, paused.image, foreign]) expect(names).toContain(kept);
  expect((await api.runtime(running.runtime_id)).status).toBe("running");
  await api.untilReady(await api.resume(paused.runtime_id));
  // What was used first went first.
  expect(names).not.toContain(disk.reference("image-0"));
  expect(names).toContain(disk.reference("image-19"));

  await use("image-0");
  expect(disk.source.sent.get("image-0")).toBeGreaterThan(1);
  expect(await metric("images_evicted_total")).toBeGreaterThan(5);
  expect(await metric("images_held_bytes")).toBeGreaterThan(0);
  for (const { runtime_id: id } of [running, paused]) await api.stop(id);
});

test("a port of its own is at the engine's host, where the server has its engine on another machine", async () => {
  const command = [...AGENT_COMMAND, "openhands-agent-server"].map((word) => `'${word}'`).join(" ");
  const sdk = { command, image_pull_policy: "IfNotPresent" };
  const runtime = await api.startReady(stubStart(disk.reference("image-0"), sdk));
  expect(new URL(runtime.url).hostname).toBe(disk.engine.address);
  expect((await call(`${runtime.url}/alive`)).status).toBe(200);
  await api.stop(runtime.runtime_id);
});

test("a start whose image can never fit fails as disk_full before the disk is", async () => {
  const runtime = await api.start(agentStart(disk.source.reference("huge", DISK_MIB)));
  const failed = await api.untilStatus(runtime, "error");
  expect(failed).toMatchObject({
    verdict: "disk_full",
    status_detail: expect.stringMatching(/the engine's disk is full: .* GB are free/),
  });
  expect(disk.watch.leastFreeMib()).toBeGreaterThan(0);
  await api.stop(runtime.runtime_id);
  // And there is room again for what does fit.
  await use("image-5");
});

test("a prefetch that is larger than the disk keeps what it has brought, says what did not fit, and gives way to a start", async () => {
  const folder = await mkdtemp(join(tmpdir(), "disk-"));
  resources.defer(() => rm(folder, { recursive: true }));
  const file = join(folder, "list");
  const list = Array.from({ length: 20 }, (_, at) => disk.reference(`list-${at}`));
  await writeFile(file, list.join("\n"));
  const env = { REMOTE_RUNTIME_URL: server.url, SANDBOX_API_KEY: server.key };
  const { code, stdout } = await runCli(["prefetch", file, "--json"], env);
  const told = JSON.parse(stdout) as { pulled: number; failed: number; failures: object[] };
  expect(code).toBe(1);
  // How many fit beside what the engine writes while it unpacks, is the engine's matter.
  expect(told.pulled).toBeGreaterThan(0);
  expect(told.pulled + told.failed).toBe(20);
  const error = expect.stringMatching(/^disk_full: .* GB are free.*; unpin images/) as string;
  for (const failure of told.failures) expect(failure).toMatchObject({ error });
  const names = await disk.held();
  expect(list.filter((name) => names.includes(name))).toHaveLength(told.pulled);
  expect(disk.watch.leastFreeMib()).toBeGreaterThan(DISK_MIB / 30);
  await use("image-7");
});
