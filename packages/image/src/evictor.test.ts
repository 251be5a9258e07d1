import { describe, expect, test } from "vitest";
import type { DiskSpace, StoredImage } from "./disk-engine.ts";
import { createEvictor } from "./evictor.ts";
import { createFakeDisk } from "./fake-disk.ts";
import { createImageUsage } from "./image-usage.ts";

const quiet = { info: () => undefined, warn: () => undefined };

/** A disk of 100 bytes with four images of 20, used in the order of their names. */
function bench({
  homed = ["a:1", "b:1", "c:1", "d:1"],
  wanted = [] as string[],
  prefetched = [] as string[],
} = {}) {
  let now = 0;
  const disk = createFakeDisk(100, () => now);
  const usage = createImageUsage({ engine: disk, now: () => now });
  for (const name of ["a:1", "b:1", "c:1", "d:1"]) {
    now += 1;
    disk.add(name, 20);
    usage.used(name);
  }
  const names = (some: string[]) => new Set(some.map((name) => `docker.io/library/${name}`));
  const evicted: StoredImage[] = [];
  const evictor = createEvictor({
    engine: disk,
    usage,
    keeping: {
      scope: "brought",
      isPinned: () => false,
      isHomed: (name) => names(homed).has(name),
      hasMoved: () => false,
    },
    isPrefetched: (name) => names(prefetched).has(name),
    wanted: () => names(wanted),
    onEvicted: (image) => evicted.push(image),
    log: quiet,
  });
  const missing =
    (bytes: number) =>
    ({ freeBytes }: DiskSpace): number =>
      Math.max(0, bytes - freeBytes);
  const pass = (ms: number): void => void (now += ms);
  return { disk, usage, evictor, evicted, missing, pass };
}

describe("free()", () => {
  test("removes nothing where nothing is missing", async () => {
    const { disk, evictor, missing } = bench();
    disk.builtBytes = 5;
    expect(await evictor.free(missing(15))).toMatchObject({ freeBytes: 15 });
    expect([disk.removed, disk.builtBytes]).toEqual([[], 5]);
  });

  test("takes build cache as far as it needs, then images until it is enough", async () => {
    const { disk, evictor, evicted, missing } = bench();
    disk.builtBytes = 10;
    expect(await evictor.free(missing(15))).toMatchObject({ freeBytes: 15 });
    expect([disk.removed, disk.builtBytes]).toEqual([[], 5]);
    expect(await evictor.free(missing(50))).toMatchObject({ freeBytes: 60 });
    expect(disk.removed).toEqual(["a:1", "b:1"]);
    expect(evicted.map(({ id }) => id)).toEqual(disk.removed);
  });

  test("takes what dangles first, whoever made it, but not what may be about to get its name", async () => {
    const { disk, evictor, missing, pass } = bench();
    disk.images.set("old", { id: "old", names: [], sizeBytes: 10, isBrought: false });
    await evictor.free(missing(11));
    expect(disk.removed).toEqual(["a:1"]);
    pass(5 * 60_000);
    disk.images.set("new", { id: "new", names: [], sizeBytes: 10, isBrought: false });
    await evictor.free(missing(25));
    expect(disk.removed).toEqual(["a:1", "old"]);
  });

  test("takes strangers first, and leaves what is wanted, used by containers or another's", async () => {
    const { disk, evictor, missing } = bench({ homed: ["a:1", "b:1", "d:1"], wanted: ["b:1"] });
    disk.containers.add("a:1");
    disk.otherBytes = -20;
    disk.add("z:1", 20, { isBrought: false });
    expect(await evictor.free(missing(100))).toMatchObject({ freeBytes: 60 });
    expect(disk.removed).toEqual(["c:1", "d:1"]);
  });

  test("takes copies of a prefetch, whose home is elsewhere, no sooner than others, and none when it spares them", async () => {
    const { disk, evictor, missing } = bench({ homed: ["b:1"], prefetched: ["c:1", "d:1"] });
    await evictor.free(missing(100), { sparing: true });
    expect(disk.removed).toEqual(["a:1", "b:1"]);
    expect(await evictor.holdings({ sparing: true })).toEqual({
      reclaimableBytes: 0,
      otherBytes: 40,
    });
    disk.add("z:1", 20);
    await evictor.free(missing(80));
    expect(disk.removed.slice(2)).toEqual(["z:1", "c:1"]);
  });

  test("goes on with the next when a container gets one meanwhile", async () => {
    const { disk, evictor, missing } = bench();
    const remove = disk.remove;
    disk.remove = async (image) => {
      disk.containers.add("a:1");
      return remove(image);
    };
    await evictor.free(missing(40));
    expect(disk.removed).toEqual(["b:1"]);
  });

  test("sees at the last moment that another server has used an image", async () => {
    const { disk, evictor, missing } = bench();
    await evictor.free(missing(40));
    disk.marks.set("b:1", 1_000);
    await evictor.free(missing(60));
    expect(disk.removed).toEqual(["a:1", "c:1"]);
  });

  test("frees for one after the other, and no more than both need", async () => {
    const { disk, evictor, missing } = bench();
    await Promise.all([evictor.free(missing(40)), evictor.free(missing(40))]);
    expect(disk.removed).toEqual(["a:1"]);
  });
});

test("holdings() parts what may go some time from the rest", async () => {
  const { disk, evictor } = bench();
  disk.builtBytes = 3;
  disk.containers.add("a:1");
  disk.add("z:1", 7, { isBrought: false });
  expect(await evictor.holdings()).toEqual({ reclaimableBytes: 83, otherBytes: 7 });
});
