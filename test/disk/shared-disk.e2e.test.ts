import { afterAll, beforeAll, expect, test } from "vitest";
import { startCluster } from "../cluster/cluster.ts";
import type { Api } from "../support/api.ts";
import { agentStart, DISK_MIB, startSmallDisk, useImages, type SmallDisk } from "./small-disk.ts";

/** Three times as many as there is room for. */
const IMAGES = Array.from({ length: 18 }, (_, at) => `image-${at}`);

const resources = new AsyncDisposableStack();
let disk: SmallDisk;
let api: Api;

beforeAll(async () => {
  disk = resources.use(await startSmallDisk());
  const { env } = disk;
  const cluster = resources.use(
    await startCluster({ env: (app): Record<string, string> => (app === "replica" ? env : {}) }),
  );
  ({ api } = cluster.gateway);
});

afterAll(() => resources.disposeAsync());

const use = (...names: string[]) => useImages(api, names.map(disk.reference));

test("two replicas of one small disk run three times more images than it holds: it is never full, what runs and what is pinned stays", async () => {
  const pinned = { images: [disk.reference("pinned")] };
  expect((await api.post("/pins", pinned)).json()).toEqual({ pinned: 1 });
  await use("pinned");
  const running = await api.startReady(agentStart(disk.reference("running")));

  const replicas = await use(...IMAGES);

  expect(replicas.size).toBe(2);
  expect(disk.watch.leastFreeMib()).toBeGreaterThan(DISK_MIB / 30);
  const names = await disk.held();
  expect(names).toContain(disk.reference("pinned"));
  expect(names).toContain(running.image);
  expect(names).not.toContain(disk.reference("image-0"));
  expect((await api.runtime(running.runtime_id)).status).toBe("running");
  await use("pinned");
  expect(disk.source.sent.get("pinned")).toBe(1);

  expect((await api.post("/pins/remove", pinned)).json()).toEqual({ unpinned: 1 });
  await use(...IMAGES.slice(0, 9));
  expect(await disk.held()).not.toContain(disk.reference("pinned"));
  expect(disk.watch.leastFreeMib()).toBeGreaterThan(DISK_MIB / 30);
  await api.stop(running.runtime_id);
});
