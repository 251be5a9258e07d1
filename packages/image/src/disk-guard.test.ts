import { describe, expect, onTestFinished, test, vi } from "vitest";
import { createDiskGuard } from "./disk-guard.ts";
import type { DiskPolicy } from "./disk-policy.ts";
import type { DiskUse } from "./disk-use.ts";
import { createEvictor } from "./evictor.ts";
import { createFakeDisk } from "./fake-disk.ts";
import { createImageUsage } from "./image-usage.ts";

const policy: DiskPolicy = { highShare: 0.85, lowShare: 0.75, reserveBytes: 10, scope: "brought" };
const quiet = { info: () => undefined, warn: () => undefined };

/** A disk of 1000 bytes, of which 10 stay free, on a clock that runs as fast as it is waited for. */
function bench() {
  let now = 0;
  const ending = new AbortController();
  onTestFinished(() => ending.abort());
  const disk = createFakeDisk(1_000);
  const pinned = new Set<string>();
  const prefetched = new Set<string>();
  const evictor = createEvictor({
    engine: disk,
    usage: createImageUsage({ engine: disk, now: () => now }),
    keeping: {
      scope: "brought",
      isPinned: (name) => pinned.has(name),
      isHomed: () => true,
      hasMoved: () => false,
    },
    isPrefetched: (name) => prefetched.has(name),
    wanted: () => new Set(),
    onEvicted: () => undefined,
    log: quiet,
  });
  const guard = createDiskGuard({
    engine: disk,
    evictor,
    policy,
    now: () => now,
    async sleep(ms, signal) {
      await new Promise((resolve) => setImmediate(resolve));
      now += ms;
      signal.throwIfAborted();
      ending.signal.throwIfAborted();
    },
    log: quiet,
  });

  /** A pull that takes `bytes` at its beginning and ends when it is told to, or is given up and leaves nothing. */
  function pull(
    what: string,
    bytes: number,
    {
      onGivenUp = () => undefined,
      ...options
    }: Partial<Omit<DiskUse, "what" | "onWait" | "signal">> & {
      onGivenUp?: () => void;
    } = {},
  ) {
    const waits: string[] = [];
    const end = Promise.withResolvers<void>();
    const giving = new AbortController();
    let runs = 0;
    const use = { what, ...options, onWait: (text: string) => waits.push(text) };
    const done = guard.within({ ...use, signal: giving.signal }, async (signal) => {
      runs += 1;
      disk.otherBytes += bytes;
      const aborted = new Promise((resolve) =>
        signal.addEventListener("abort", resolve, { once: true }),
      );
      await Promise.race([end.promise, aborted]);
      if (!signal.aborted) return what;
      disk.otherBytes -= bytes;
      onGivenUp();
      throw new Error("given up");
    });
    // Looked at later.
    done.catch(() => undefined);
    return {
      done,
      waits,
      runs: () => runs,
      end: () => end.resolve(),
      giveUp: () => giving.abort(),
    };
  }

  return { disk, pinned, prefetched, pull };
}

async function settle(): Promise<void> {
  for (let turn = 0; turn < 50; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

describe("within()", () => {
  test("begins at once where there is room, and gives what the work gives", async () => {
    const { pull } = bench();
    const one = pull("one", 100, { sizeBytes: 900 });
    one.end();
    expect([await one.done, one.waits]).toEqual(["one", []]);
  });

  test("removes images before it begins, when it is known that the new one would not fit", async () => {
    const { disk, pull } = bench();
    disk.add("a:1", 400);
    disk.add("b:1", 400);
    const one = pull("one", 0, { sizeBytes: 300 });
    one.end();
    await one.done;
    expect([disk.removed, one.waits]).toEqual([["a:1"], ["making room on the engine's disk"]]);
  });

  test("takes build cache where there is nothing else, and nothing for what can never fit", async () => {
    const { disk, pull } = bench();
    disk.builtBytes = 300;
    disk.otherBytes = 500;
    const one = pull("one", 0, { sizeBytes: 400 });
    one.end();
    expect([await one.done, disk.builtBytes]).toEqual(["one", 90]);
    await expect(pull("two", 0, { sizeBytes: 600 }).done).rejects.toMatchObject({
      code: "disk_full",
    });
    expect(disk.builtBytes).toBe(90);
  });

  test("counts what others have been promised", async () => {
    const { disk, pull } = bench();
    disk.add("a:1", 400);
    const [one, two] = [pull("one", 0, { sizeBytes: 500 }), pull("two", 0, { sizeBytes: 400 })];
    await settle();
    expect([one.runs(), two.runs(), disk.removed]).toEqual([1, 1, ["a:1"]]);
    const three = pull("three", 0, { sizeBytes: 200 });
    await settle();
    expect(three.runs()).toBe(0);
    one.end();
    await settle();
    expect(three.runs()).toBe(1);
  });

  test("waits for an image that a container has, and says what for", async () => {
    const { disk, pull } = bench();
    disk.add("a:1", 900);
    disk.containers.add("a:1");
    const one = pull("one", 0, { sizeBytes: 500 });
    await settle();
    expect([one.runs(), one.waits.at(-1)]).toEqual([
      0,
      expect.stringMatching(/^waiting for room: the engine's disk is full: .* are needed, .* free/),
    ]);
    disk.containers.clear();
    one.end();
    expect(await one.done).toBe("one");
  });

  test("gives up waiting after ten minutes, and when its caller does", async () => {
    const { disk, pull } = bench();
    disk.add("a:1", 900);
    disk.containers.add("a:1");
    const two = pull("two", 0, { sizeBytes: 500 });
    two.giveUp();
    await expect(two.done).rejects.toMatchObject({ code: "unavailable", message: "two: given up" });
    const one = pull("one", 0, { sizeBytes: 500 });
    await expect(one.done).rejects.toMatchObject({ code: "disk_full" });
  });

  test("waits no longer than its caller has patience, though room may come", async () => {
    const { disk, pull } = bench();
    const other = pull("other", 800);
    await settle();
    const one = pull("one", 0, { sizeBytes: 500, patienceMs: 0 });
    await expect(one.done).rejects.toMatchObject({ code: "disk_full" });
    expect([one.runs(), disk.removed]).toEqual([0, []]);
    other.end();
    await other.done;
  });

  test("removes nothing for a caller that has no patience", async () => {
    const { disk, pull } = bench();
    disk.add("a:1", 700);
    const one = pull("one", 0, { sizeBytes: 500, patienceMs: 0 });
    await expect(one.done).rejects.toMatchObject({ code: "disk_full" });
    expect(disk.removed).toEqual([]);
    const two = pull("two", 0, { sizeBytes: 500, patienceMs: 1 });
    two.end();
    expect([await two.done, disk.removed]).toEqual(["two", ["a:1"]]);
  });

  test("is disk_full soon where nothing can ever make enough room", async () => {
    const { disk, pinned, pull } = bench();
    disk.add("a:1", 500);
    pinned.add("docker.io/library/a:1");
    disk.add("b:1", 200, { isBrought: false });
    const one = pull("pull of one", 0, { sizeBytes: 500 });
    await expect(one.done).rejects.toMatchObject({
      code: "disk_full",
      message: expect.stringMatching(/^pull of one: the engine's disk is full: .* are needed/),
    });
    expect([one.runs(), disk.removed]).toEqual([0, []]);
  });

  test("removes images while something of an unknown size comes, as soon as the high mark is met", async () => {
    const { disk, pull } = bench();
    disk.add("a:1", 500);
    const one = pull("one", 400);
    await settle();
    expect(disk.removed).toEqual(["a:1"]);
    one.end();
    await one.done;
  });

  test("gives up what is about to fill the disk", async () => {
    const { disk, pull } = bench();
    disk.otherBytes = 500;
    const one = pull("one", 495);
    await expect(one.done).rejects.toMatchObject({
      code: "disk_full",
      message: expect.stringContaining("given up before it was whole"),
    });
    expect([one.runs(), disk.otherBytes]).toEqual([1, 500]);
  });

  test("begins again what was given up where more can go by now than could then", async () => {
    const { disk, pull } = bench();
    disk.add("a:1", 400);
    disk.containers.add("a:1");
    const one = pull("one", 595, { onGivenUp: () => disk.containers.clear() });
    await vi.waitUntil(() => one.runs() === 2);
    one.end();
    expect([await one.done, disk.removed]).toEqual(["one", ["a:1"]]);
  });

  test("gives up what began last, and begins it again after the others", async () => {
    const { pull } = bench();
    const one = pull("one", 600);
    await settle();
    const two = pull("two", 395);
    await settle();
    expect([one.runs(), two.runs()]).toEqual([1, 1]);
    expect(two.waits.at(-1)).toContain("waiting for other pulls and builds to end");
    one.end();
    // Which leaves no room for the other one, however often it is tried.
    await expect(two.done).rejects.toMatchObject({ code: "disk_full" });
    expect([await one.done, two.runs()]).toEqual(["one", 2]);
  });

  test("gives up what can be ended rather than what cannot, whichever began last", async () => {
    const { pull } = bench();
    const one = pull("one", 395);
    await settle();
    const two = pull("two", 600, { isEndless: true });
    await settle();
    expect([one.runs(), two.runs()]).toEqual([1, 1]);
    expect(one.waits.at(-1)).toContain("waiting for other pulls and builds to end");
    two.end();
    expect(await two.done).toBe("two");
    await expect(one.done).rejects.toMatchObject({ code: "disk_full" });
  });

  test("refuses what was given up and has no patience, whatever else still runs", async () => {
    const { pull } = bench();
    const one = pull("pull of one", 600);
    await settle();
    const two = pull("copy of two", 395, { patienceMs: 0 });
    await expect(two.done).rejects.toMatchObject({
      code: "disk_full",
      message: expect.stringMatching(/^copy of two: given up before it was whole/),
    });
    expect([two.runs(), two.waits]).toEqual([1, []]);
    one.end();
    expect(await one.done).toBe("pull of one");
  });

  test("lets a prefetch go up to the high mark, at the cost of others than prefetches have brought", async () => {
    const { disk, prefetched, pull } = bench();
    disk.add("a:1", 400);
    disk.add("b:1", 300);
    prefetched.add("docker.io/library/a:1");
    const isExtra = (): boolean => true;
    const one = pull("one", 0, { sizeBytes: 400, isExtra });
    one.end();
    expect([await one.done, disk.removed]).toEqual(["one", ["b:1"]]);
    // A start would have room for as much.
    await expect(pull("two", 0, { sizeBytes: 450, isExtra }).done).rejects.toMatchObject({
      code: "disk_full",
      message: expect.stringMatching(/hold 0\.00 GB, other images 0\.00 GB/) as string,
    });
    expect(disk.removed).toEqual(["b:1"]);
  });

  test("gives up a prefetch before anything that a start brings", async () => {
    const { disk, pull } = bench();
    disk.otherBytes = 300;
    const isExtra = (): boolean => true;
    const one = pull("one", 300, { isExtra });
    await settle();
    const two = pull("two", 300);
    await settle();
    two.end();
    await two.done;
    expect([one.runs(), two.runs()]).toEqual([1, 1]);
    await expect(one.done).rejects.toMatchObject({ code: "disk_full" });
  });

  test("waits out of turn, and looks again when it has its turn back", async () => {
    const { disk, pull } = bench();
    disk.add("a:1", 900);
    disk.containers.add("a:1");
    let isIn = true;
    const back = Promise.withResolvers<void>();
    const one = pull("one", 0, {
      sizeBytes: 500,
      async outOfTurn(wait) {
        isIn = false;
        await wait();
        await back.promise;
        isIn = true;
      },
    });
    await settle();
    expect(isIn).toBe(false);
    disk.containers.clear();
    await settle();
    expect([disk.removed, one.runs()]).toEqual([["a:1"], 0]);
    back.resolve();
    one.end();
    expect([await one.done, isIn]).toEqual(["one", true]);
  });

  test("asks for nothing where the space cannot be known", async () => {
    const { disk, pull } = bench();
    disk.space = async () => undefined;
    const one = pull("one", 0, { sizeBytes: 5_000 });
    one.end();
    expect(await one.done).toBe("one");
  });
});
