import { setImmediate as turn } from "node:timers/promises";
import { expect, onTestFinished, test, vi } from "vitest";
import { createDiskKeeper } from "./disk-keeper.ts";
import { createFakeDisk } from "./fake-disk.ts";
import type { EngineImage } from "./image-engine.ts";
import { createImageStore } from "./image-store.ts";
import { createPrefetches } from "./prefetches.ts";

const ANEW = { anew: true };
const SIZE = 200;
const named = (count: number, prefix = "image"): string[] =>
  Array.from({ length: count }, (_, i) => `docker.io/library/${prefix}-${i}:latest`);

/** All that a replica has of images, on a disk of 1000 bytes with its high mark at 850, and images of 200 bytes each. */
function start() {
  let now = 0;
  const disk = createFakeDisk(1_000, () => now);
  const ending = new AbortController();
  onTestFinished(() => ending.abort());
  const { signal } = ending;
  const pulls: string[] = [];
  const keeper = createDiskKeeper({
    engine: disk,
    policy: { highShare: 0.85, lowShare: 0.75, reserveBytes: 10, scope: "brought" },
    used: () => new Set(),
    kept: () => images.pulling(),
    idOf: () => undefined,
    isHomed: () => true,
    hasMoved: () => false,
    isPrefetched: (name) => prefetches.wants(name),
    onEvicted: (names) => prefetches.evicted(names),
    leads: () => true,
    now: () => now,
    async sleep(ms, inner) {
      await turn();
      now += ms;
      inner.throwIfAborted();
      signal.throwIfAborted();
    },
    log: { info: () => undefined, warn: () => undefined },
  });
  const imageOf = (name: string): EngineImage | undefined =>
    disk.images.has(name)
      ? {
          id: name,
          references: [name],
          sizeBytes: SIZE,
          createdAt: 1,
          entrypoint: [],
          command: [],
        }
      : undefined;
  const images = createImageStore({
    engine: {
      image: async (name) => imageOf(name),
      images: async () => [...disk.images.keys()].flatMap((name) => imageOf(name) ?? []),
      async pull(name, _onProgress, aborting) {
        pulls.push(name);
        disk.otherBytes += SIZE;
        for (let turns = 0; turns < 20 && !aborting.aborted; turns += 1) await turn();
        disk.otherBytes -= SIZE;
        aborting.throwIfAborted();
        disk.add(name, SIZE, { isBrought: false });
      },
    },
    disk: keeper,
  });
  const prefetches = createPrefetches({ images, maxPulls: () => 1 });
  void keeper.run(signal);

  /** Ends when nothing of the prefetch is left to be done. */
  const over = (id: string) =>
    vi.waitFor(() => {
      const view = prefetches.view(id);
      expect(view).toMatchObject({ running: 0, waiting: 0 });
      return view;
    });
  const fetch = (name: string) => images.fetch(name, "IfNotPresent", () => undefined, signal);
  return { disk, images, prefetches, pulls, over, fetch };
}

test("a prefetch that is larger than the disk keeps what it has brought, and says of the rest that the disk is full", async () => {
  const { disk, prefetches, pulls, over } = start();
  disk.add("docker.io/library/old:1", SIZE);
  const list = named(8);
  prefetches.give("p", list, ANEW);
  const view = await over("p");
  // The old one goes for it, and then no more.
  expect([disk.removed, [...disk.images.keys()]]).toEqual([
    ["docker.io/library/old:1"],
    list.slice(0, 4),
  ]);
  expect(view).toMatchObject({ pulled: 4, failed: 4 });
  expect(new Set(pulls)).toEqual(new Set(list.slice(0, 5)));
  expect(view?.failures.map(({ image }) => image)).toEqual(list.slice(4));
  const [first, second] = view?.failures ?? [];
  expect(first?.error).toMatch(
    /^disk_full: pull of \S+-4:latest: .*0\.00 of 0\.00 GB are free.*; unpin images or prefetch fewer/,
  );
  expect(second?.error).toMatch(/^disk_full: not begun, as there was no room before it: pull of/);
});

test("the same list again finds what is there, and tells the same of the rest", async () => {
  const { disk, images, prefetches, over } = start();
  const list = named(8);
  prefetches.give("p", list.slice(4, 8), ANEW);
  await over("p");
  await images.refresh();
  prefetches.give("q", list, ANEW);
  expect(await over("q")).toMatchObject({ held: 4, pulled: 0, failed: 4 });
  expect([...disk.images.keys()]).toEqual(list.slice(4, 8));
});

test("a start takes what a prefetch has brought, which then is told of it", async () => {
  const { disk, prefetches, over, fetch } = start();
  const list = named(8);
  prefetches.give("p", list, ANEW);
  await over("p");
  const before = prefetches.view("p")?.failed;
  await fetch("docker.io/library/started:latest");
  expect(disk.removed.length).toBeGreaterThan(0);
  expect(disk.images.has("docker.io/library/started:latest")).toBe(true);
  const view = prefetches.view("p");
  expect(view?.failed).toBe((before ?? 0) + disk.removed.length);
  const gone = view?.failures.find(({ image }) => image === disk.removed[0]);
  expect(gone?.error).toMatch(/^disk_full: removed again to make room/);
});

test("a start that wants what a prefetch is at is not held to the prefetch's bounds", async () => {
  const { disk, prefetches, over, fetch } = start();
  disk.otherBytes = 700;
  const [image = ""] = named(1);
  prefetches.give("p", [image], ANEW);
  await fetch(image);
  expect(await over("p")).toMatchObject({ pulled: 1, failed: 0 });
  expect(disk.images.has(image)).toBe(true);
});
