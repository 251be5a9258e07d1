import { createRing } from "@remote-runtime/ring";
import { describe, expect, test } from "vitest";
import { createDisk } from "./disk.ts";
import { createRandom } from "./random.ts";
import { scenarioOf } from "./scenario-of.ts";
import { workloadOf } from "./workload.ts";

const SEED = 7;
/** As many groups leave their home as the benchmarks find at most. */
const OFF_HOME = 0.05;
const REPLICAS = ["replica-1", "replica-2", "replica-3", "replica-4"].map((id) => ({
  id,
  weight: 1,
}));

const scenario = scenarioOf({
  images: Array.from({ length: 1_200 }, (_, at) => `docker.io/library/image-${at}:1`),
  imagesPerStep: 64,
  groupSize: 2,
  steps: 120,
  replicas: REPLICAS,
  seed: SEED,
});
const total = scenario.imageBytes.reduce((sum, bytes) => sum + bytes, 0);
/** All disks together hold a third of the images. */
const diskBytes = total / 3 / REPLICAS.length;
const homes = homesOf();

function homesOf(): string[] {
  const ring = createRing(REPLICAS);
  return scenario.images.map((image) => ring.order(image)[0] ?? "");
}

/** The images that come to each replica, step by step: those at home there, and a few that others had no room for. */
function sequences(): Map<string, number[]> {
  const random = createRandom(SEED, 1);
  const found = new Map(REPLICAS.map(({ id }) => [id, [] as number[]]));
  for (const rollouts of workloadOf(scenario)) {
    for (const image of new Set(rollouts.map((rollout) => rollout.image))) {
      const stray = REPLICAS[Math.floor(random.next() * REPLICAS.length)]?.id ?? "";
      const id = random.next() < OFF_HOME ? stray : (homes[image] ?? "");
      found.get(id)?.push(image);
    }
  }
  return found;
}

/** Pulls of what this disk had before and gave up since. */
function refetches(images: readonly number[], isHomed: (image: number) => boolean): number {
  const disk = createDisk({ diskBytes, imageBytes: scenario.imageBytes, isHomed });
  const seen = new Set<number>();
  let count = 0;
  for (const image of images) {
    disk.use(image);
    if (!disk.has(image)) {
      if (seen.has(image)) count += 1;
      disk.add(image);
    }
    seen.add(image);
    disk.release(image);
  }
  return count;
}

describe("createDisk() with three times more images than all disks hold", () => {
  // Measured against plain LRU: the same disk and the same sequence of images, and no regard for homes.
  test.each([...sequences()])(
    "on %s fetches again at most 1.1 × what plain LRU does",
    (id, images) => {
      const plain = refetches(images, () => true);
      expect(plain).toBeGreaterThan(500);
      expect(refetches(images, (image) => homes[image] === id)).toBeLessThanOrEqual(1.1 * plain);
    },
  );

  test("gives up first what came here though it is at home elsewhere", () => {
    const disk = createDisk({
      diskBytes: 2,
      imageBytes: [1, 1, 1, 1],
      isHomed: (image) => image !== 1,
    });
    disk.add(0);
    disk.add(1);
    disk.add(2);
    expect([0, 1, 2].filter(disk.has)).toEqual([0, 2]);
    disk.use(0);
    disk.add(3);
    expect([0, 1, 2, 3].filter(disk.has)).toEqual([0, 3]);
  });

  test("gives up what has moved before what was used longer ago", () => {
    const moved = (image: number): boolean => image === 1;
    const imageBytes = [1, 1, 1];
    const disk = createDisk({ diskBytes: 2, imageBytes, isHomed: () => true, hasMoved: moved });
    for (const image of [0, 1, 2]) disk.add(image);
    expect([0, 1, 2].filter(disk.has)).toEqual([0, 2]);
  });
});
