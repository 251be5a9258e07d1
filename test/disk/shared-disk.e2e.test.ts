import { afterAll, beforeAll, expect, test } from "vitest";
import { startCluster, type Cluster } from "../cluster/cluster.ts";
import { AGENT_COMMAND, BASE_IMAGE } from "../registry/own-engines.ts";
import { type Api } from "../support/api.ts";
import { docker } from "../support/docker.ts";
import { type OwnEngine, startOwnEngine } from "../support/own-engine.ts";
import { stubStart } from "../support/stub-start.ts";
import { type ImageSource, startImageSource } from "./image-source.ts";
import { type DiskWatch, watchDisk } from "./watch-disk.ts";

const DISK_MIB = 340;
const IMAGE_MIB = 18;
/** Three times as many as there is room for beside the others, below the high mark. */
const IMAGES = Array.from({ length: 18 }, (_, at) => `image-${at}`);
const AT_ONCE = 2;

const resources = new AsyncDisposableStack();
let engine: OwnEngine;
let source: ImageSource;
let cluster: Cluster;
let disk: DiskWatch;
let api: Api;

beforeAll(async () => {
  const format = "{{range .IPAM.Config}}{{.Gateway}}{{end}}";
  const gateway = await docker("network", "inspect", "--format", format, "bridge");
  source = resources.use(await startImageSource(BASE_IMAGE, gateway));
  const trust = ["--insecure-registry", "0.0.0.0/0"];
  engine = resources.use(await startOwnEngine({ diskMib: DISK_MIB, arguments: trust }));
  disk = resources.use(watchDisk(engine.dataRoot));
  const env = {
    DOCKER_HOST: engine.url,
    EVICT_IMAGES: "brought",
    SANDBOX_REACH: "published",
    DISK_HIGH_PERCENT: "70",
    DISK_LOW_PERCENT: "60",
  };
  cluster = resources.use(
    await startCluster({ env: (app): Record<string, string> => (app === "replica" ? env : {}) }),
  );
  ({ api } = cluster.gateway);
});

afterAll(() => resources.disposeAsync());

const referenceOf = (name: string): string => source.reference(name, IMAGE_MIB);
const startOf = (name: string) => stubStart(referenceOf(name), { command: AGENT_COMMAND });

async function use(name: string): Promise<string> {
  const { runtime_id: id, url } = await api.startReady(startOf(name));
  await api.stop(id);
  return new URL(url).origin;
}

/** The replicas that started them. */
async function useAll(names: readonly string[]): Promise<Set<string>> {
  const left = [...names];
  const origins = new Set<string>();
  const worker = async (): Promise<void> => {
    for (let name = left.shift(); name !== undefined; name = left.shift())
      origins.add(await use(name));
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return origins;
}

async function held(): Promise<string[]> {
  return (await engine.docker("images", "--format", "{{.Repository}}:{{.Tag}}")).split("\n");
}

test("two replicas of one small disk run three times more images than it holds: it is never full, what runs and what is pinned stays", async () => {
  const pinned = { images: [referenceOf("pinned")] };
  expect((await api.post("/pins", pinned)).json()).toEqual({ pinned: 1 });
  await use("pinned");
  const running = await api.startReady(startOf("running"));

  const replicas = await useAll(IMAGES);

  expect(replicas.size).toBe(2);
  expect(disk.leastFreeMib()).toBeGreaterThan(DISK_MIB / 30);
  const names = await held();
  expect(names).toContain(referenceOf("pinned"));
  expect(names).toContain(running.image);
  expect(names).not.toContain(referenceOf("image-0"));
  expect((await api.runtime(running.runtime_id)).status).toBe("running");
  await use("pinned");
  expect(source.sent.get("pinned")).toBe(1);

  expect((await api.post("/pins/remove", pinned)).json()).toEqual({ unpinned: 1 });
  await useAll(IMAGES.slice(0, 9));
  expect(await held()).not.toContain(referenceOf("pinned"));
  expect(disk.leastFreeMib()).toBeGreaterThan(DISK_MIB / 30);
  await api.stop(running.runtime_id);
});
