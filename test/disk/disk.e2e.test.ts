import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { runCli } from "../cli/cli.ts";
import { type Api, apiOf } from "../support/api.ts";
import { call } from "../support/call.ts";
import { docker } from "../support/docker.ts";
import { type OwnEngine, startOwnEngine } from "../support/own-engine.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { stubStart } from "../support/stub-start.ts";
import { type ImageSource, startImageSource } from "./image-source.ts";
import { type DiskWatch, watchDisk } from "./watch-disk.ts";

const BASE = "debian:trixie-slim";
const DISK_MIB = 340;
const IMAGE_MIB = 18;
/** Three times as many as there is room for beside the base image, below the high mark. */
const IMAGES = Array.from({ length: 20 }, (_, at) => `image-${at}`);
const AT_ONCE = 2;
/** Answers 200 to everything on the agent's port. */
const AGENT = `use IO::Socket::INET;
my $server = IO::Socket::INET->new(LocalPort => 60000, Listen => 16, ReuseAddr => 1) or die;
while (my $client = $server->accept) {
  while (my $line = <$client>) { last if $line =~ /^\\r?$/ }
  print $client "HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\nConnection: close\\r\\n\\r\\nok";
  close $client;
}`;

const resources = new AsyncDisposableStack();
let engine: OwnEngine;
let source: ImageSource;
let server: TestServer;
let api: Api;
let disk: DiskWatch;

beforeAll(async () => {
  const format = "{{range .IPAM.Config}}{{.Gateway}}{{end}}";
  const gateway = await docker("network", "inspect", "--format", format, "bridge");
  source = resources.use(await startImageSource(BASE, gateway));
  const trust = ["--insecure-registry", "0.0.0.0/0"];
  engine = resources.use(await startOwnEngine({ diskMib: DISK_MIB, arguments: trust }));
  disk = resources.use(watchDisk(engine.dataRoot));
  const env = {
    DOCKER_HOST: engine.url,
    EVICT_IMAGES: "brought",
    SANDBOX_REACH: "published",
    PAUSE_GRACE_SECONDS: "0",
    // Room for what two pulls write while images are removed for them, as there is on a disk of a usual size.
    DISK_HIGH_PERCENT: "70",
    DISK_LOW_PERCENT: "60",
  };
  server = resources.use(await startServer({ env }));
  api = apiOf(server);
});

afterAll(() => resources.disposeAsync());

const startOf = (image: string) => stubStart(image, { command: ["perl", "-e", AGENT] });

async function use(name: string): Promise<void> {
  const runtime = await api.startReady(startOf(source.reference(name, IMAGE_MIB)));
  await api.stop(runtime.runtime_id);
}

async function useAll(names: readonly string[]): Promise<void> {
  const left = [...names];
  const worker = async (): Promise<void> => {
    for (let name = left.shift(); name !== undefined; name = left.shift()) await use(name);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}

async function held(): Promise<string[]> {
  return (await engine.docker("images", "--format", "{{.Repository}}:{{.Tag}}")).split("\n");
}

async function metric(name: string): Promise<number> {
  const { text } = await call(`${server.url}/metrics`);
  return Number(new RegExp(`^${name} (\\S+)$`, "m").exec(text)?.[1]);
}

test("a replica runs three times more images than its engine's disk holds, and takes none that is used", async () => {
  const foreign = source.reference("somebody-elses", IMAGE_MIB);
  await engine.docker("pull", "--quiet", foreign);
  const running = await api.startReady(startOf(source.reference("running", IMAGE_MIB)));
  const paused = await api.startReady(startOf(source.reference("paused", IMAGE_MIB)));
  await api.pause(paused.runtime_id);
  await api.untilStatus(paused, "paused");

  await useAll(IMAGES.slice(0, 10));
  // Which images are its own to remove is not forgotten with the process.
  await server.kill();
  await server.restart();
  await useAll(IMAGES.slice(10));

  expect(disk.leastFreeMib()).toBeGreaterThan(DISK_MIB / 30);
  const names = await held();
  for (const kept of [running.image, paused.image, foreign]) expect(names).toContain(kept);
  expect((await api.runtime(running.runtime_id)).status).toBe("running");
  await api.untilReady(await api.resume(paused.runtime_id));
  // What was used first went first.
  expect(names).not.toContain(source.reference("image-0", IMAGE_MIB));
  expect(names).toContain(source.reference("image-19", IMAGE_MIB));

  await use("image-0");
  expect(source.sent.get("image-0")).toBeGreaterThan(1);
  expect(await metric("images_evicted_total")).toBeGreaterThan(5);
  expect(await metric("images_held_bytes")).toBeGreaterThan(0);
  for (const { runtime_id: id } of [running, paused]) await api.stop(id);
});

test("a port of its own is at the engine's host, where the server has its engine on another machine", async () => {
  const command = `perl -e '${AGENT}' openhands-agent-server`;
  const sdk = { command, image_pull_policy: "IfNotPresent" };
  const runtime = await api.startReady(stubStart(source.reference("image-0", IMAGE_MIB), sdk));
  expect(new URL(runtime.url).hostname).toBe(engine.address);
  expect((await call(`${runtime.url}/alive`)).status).toBe(200);
  await api.stop(runtime.runtime_id);
});

test("a start whose image can never fit fails as disk_full before the disk is", async () => {
  const runtime = await api.start(startOf(source.reference("huge", DISK_MIB)));
  const failed = await api.untilStatus(runtime, "error");
  expect(failed).toMatchObject({
    verdict: "disk_full",
    status_detail: expect.stringMatching(/the engine's disk is full: .* GB are free/),
  });
  expect(disk.leastFreeMib()).toBeGreaterThan(0);
  await api.stop(runtime.runtime_id);
  // And there is room again for what does fit.
  await use("image-5");
});

test("a prefetch that is larger than the disk keeps what it has brought, says what did not fit, and gives way to a start", async () => {
  const folder = await mkdtemp(join(tmpdir(), "disk-"));
  resources.defer(() => rm(folder, { recursive: true }));
  const file = join(folder, "list");
  const list = Array.from({ length: 20 }, (_, at) => source.reference(`list-${at}`, IMAGE_MIB));
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
  const names = await held();
  expect(list.filter((name) => names.includes(name))).toHaveLength(told.pulled);
  expect(disk.leastFreeMib()).toBeGreaterThan(DISK_MIB / 30);
  await use("image-7");
});
