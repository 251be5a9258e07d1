import { describe, expect, onTestFinished, test } from "vitest";
import { createDiskKeeper } from "./disk-keeper.ts";
import type { EvictionScope } from "./disk-policy.ts";
import { createFakeDisk } from "./fake-disk.ts";

const canonical = (name: string): string => `docker.io/library/${name}`;

/** A keeper of a disk of 1000 bytes, on a clock that the test moves in steps of five seconds. */
function bench({
  leads = true,
  scope = "brought",
}: { leads?: boolean; scope?: EvictionScope } = {}) {
  let now = 0;
  let tick = Promise.withResolvers<void>();
  const disk = createFakeDisk(1_000, () => now);
  const used = new Set<string>();
  const pinned = new Set<string>();
  const prefetched = new Set<string>();
  const warnings: string[] = [];
  const keeper = createDiskKeeper({
    engine: disk,
    policy: { highShare: 0.85, lowShare: 0.75, reserveBytes: 10, scope },
    used: () => used,
    kept: () => [],
    idOf: () => undefined,
    isHomed: () => true,
    hasMoved: () => false,
    isPinned: (name) => pinned.has(name),
    isPrefetched: (name) => prefetched.has(name),
    leads: () => leads,
    now: () => now,
    sleep: () => tick.promise,
    log: { info: () => undefined, warn: (_, message) => warnings.push(message) },
  });
  const settle = async (): Promise<void> => {
    for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  };

  async function pass(seconds: number): Promise<void> {
    for (let left = seconds; left > 0; left -= 5) {
      now += 5_000;
      tick.resolve();
      tick = Promise.withResolvers();
      await settle();
    }
  }

  /** As a pull does it. */
  async function bring(name: string, sizeBytes: number): Promise<void> {
    const use = { what: name, onWait: () => undefined, signal: new AbortController().signal };
    await keeper.within({ ...use, name: canonical(name) }, async () =>
      disk.add(name, sizeBytes, { isBrought: false }),
    );
    await keeper.brought(name, { id: name, sizeBytes });
  }

  const ending = new AbortController();
  onTestFinished(() => {
    ending.abort();
    tick.resolve();
  });
  void keeper.run(ending.signal);
  return { disk, keeper, used, pinned, prefetched, warnings, pass, bring };
}

describe("createDiskKeeper()", () => {
  test("removes from the high mark down to the low one, and no more", async () => {
    const { disk, keeper, pass, bring } = bench();
    for (const name of ["a:1", "b:1", "c:1", "d:1"]) {
      await bring(name, 200);
      await pass(5);
    }
    await pass(10);
    expect(disk.removed).toEqual([]);
    await bring("e:1", 60);
    await pass(10);
    expect(disk.removed).toEqual(["a:1"]);
    expect(keeper.figures()).toMatchObject({
      space: { totalBytes: 1_000, freeBytes: 340 },
      evicted: { count: 1, bytes: 200 },
      refetched: { count: 0, bytes: 0 },
      refused: 0,
    });
    // The high mark of the disk leaves 150 bytes free.
    expect(keeper.roomBytes()).toBeCloseTo(190);
  });

  test("leaves what is kept, and so long after as was said", async () => {
    const { disk, keeper, pass, bring } = bench();
    const release = keeper.keep([canonical("a:1")]);
    await bring("a:1", 300);
    disk.otherBytes = 600;
    await pass(30);
    release(60_000);
    await pass(50);
    expect(disk.removed).toEqual([]);
    await pass(20);
    expect(disk.removed).toEqual(["a:1"]);
  });

  test("remembers the size of what it removed, and counts it when it comes again", async () => {
    const { disk, keeper, pass, bring } = bench();
    for (const name of ["a:1", "b:1", "c:1"]) {
      await bring(name, 300);
      await pass(5);
    }
    await pass(5);
    expect(disk.removed).toEqual(["a:1"]);
    disk.otherBytes = 300;
    // Without knowing its size it would begin at once.
    await bring("a:1", 300);
    expect(disk.removed).toEqual(["a:1", "b:1"]);
    expect(keeper.figures().refetched).toEqual({ count: 1, bytes: 300 });
  });

  test("takes what runtimes have had last for used last, and tells the engine now and then", async () => {
    const { disk, used, pass, bring } = bench();
    for (const name of ["a:1", "b:1", "c:1"]) {
      await bring(name, 250);
      await pass(5);
    }
    used.add(canonical("a:1"));
    await pass(15 * 60);
    used.clear();
    expect(disk.marks.get("a:1")).toBeGreaterThan(9 * 60_000);
    expect(disk.marks.get("b:1")).toBeLessThan(60_000);
    disk.otherBytes = 200;
    await pass(5);
    expect(disk.removed).toEqual(["b:1"]);
  });

  test("says once that nothing may be removed, and again after it was better", async () => {
    const { disk, pinned, warnings, pass, bring } = bench();
    pinned.add(canonical("a:1"));
    await bring("a:1", 500);
    disk.otherBytes = 400;
    await pass(30);
    expect(warnings).toEqual([expect.stringContaining("above its high mark")]);
    disk.otherBytes = 0;
    await pass(5);
    disk.otherBytes = 400;
    await pass(30);
    expect([warnings.length, disk.removed]).toEqual([2, []]);
  });

  test("spares what a prefetch wants while that alone waits for room, but not at the cost of the reserve", async () => {
    const { disk, keeper, prefetched, pass } = bench();
    disk.add("a:1", 200);
    disk.add("b:1", 200);
    // Which may end some time, and is waited for.
    disk.containers.add("b:1");
    disk.otherBytes = 500;
    prefetched.add(canonical("a:1"));
    const ending = new AbortController();
    onTestFinished(() => ending.abort());
    const { signal } = ending;
    const waiting = keeper.within(
      { what: "c", onWait: () => undefined, isExtra: () => true, signal },
      async () => "has come",
    );
    // Looked at later.
    waiting.catch(() => undefined);
    await pass(15);
    expect(disk.removed).toEqual([]);
    disk.otherBytes = 595;
    await pass(5);
    expect(disk.removed).toEqual(["a:1"]);
    await pass(5);
    expect(await waiting).toBe("has come");
  });

  test("leaves what is pinned by a digest or a content id, whatever it is called here", async () => {
    const { disk, keeper, pinned, pass } = bench();
    const digests = ["sha256:pinned"];
    const image = { sizeBytes: 300, isBrought: true };
    disk.images.set("a", { ...image, id: "a", names: ["a:1"], digests });
    disk.images.set("b", { ...image, id: "b", names: [], digests });
    disk.images.set("c", { ...image, id: "c", names: ["c:1"] });
    disk.images.set("d", { ...image, id: "d", names: ["d:1"], sizeBytes: 50 });
    for (const name of [...digests, "c"]) pinned.add(name);
    keeper.changed();
    await pass(30);
    expect(disk.removed).toEqual(["d"]);
  });

  test("removes what has no name left but its mark", async () => {
    const { disk, keeper, pass } = bench();
    disk.images.set("old", { id: "old", names: [], sizeBytes: 5, isBrought: true });
    keeper.changed();
    await pass(5);
    expect(disk.removed).toEqual(["old"]);
  });

  test("leaves it to the first of several on one engine", async () => {
    const { disk, pass, bring } = bench({ leads: false });
    await bring("a:1", 900);
    await pass(30);
    expect(disk.removed).toEqual([]);
  });

  test("marks and removes nothing where it is not to", async () => {
    const { disk, pass, bring } = bench({ scope: "none" });
    await bring("a:1", 900);
    await pass(30);
    expect([disk.removed, disk.images.get("a:1")?.isBrought]).toEqual([[], false]);
  });
});
