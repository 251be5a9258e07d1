import { createRandom } from "./random.ts";
import { plural } from "./quantity.ts";
import type { Scenario, ScenarioOptions } from "./scenario.ts";

/** Streams of random numbers: see `createRandom`. */
const SIZES = 1;

/** What all disks together hold of all images: fleets seldom have room for everything. */
const HELD = 0.5;
/** Slots for what comes evenly spread, and more. */
const SPARE = 1.25;

/** Fills in the defaults. Throws RangeError for what makes no training run. */
export function scenarioOf(options: ScenarioOptions): Scenario {
  const { images, groupSize = 16, steps = 200, churn = [], seed = 1 } = options;
  const imagesPerStep = options.imagesPerStep ?? Math.min(64, images.length);
  const replicas = replicasOf(options.replicas ?? 8);
  const shape = options.imageSize ?? { medianBytes: 3e9, sigma: 0.4 };
  const sizes = createRandom(seed, SIZES);
  const imageBytes = images.map(() =>
    Math.round(sizes.logNormal({ median: shape.medianBytes, sigma: shape.sigma })),
  );
  const allBytes = imageBytes.reduce((sum, bytes) => sum + bytes, 0);
  const weight = replicas.reduce((sum, replica) => sum + replica.weight, 0);
  const scenario: Scenario = {
    images,
    imageBytes,
    groupSize,
    imagesPerStep,
    steps,
    replicas,
    churn,
    meanWeight: weight / replicas.length,
    pullBytesPerSecond: options.pullBytesPerSecond ?? 100e6,
    diskBytes: options.diskBytes ?? Math.ceil((HELD * allBytes) / replicas.length),
    slots: options.slots ?? Math.ceil((SPARE * imagesPerStep * groupSize) / weight),
    concurrency: options.concurrency ?? imagesPerStep * groupSize,
    arrival: options.arrival ?? "all-at-once",
    startsPerSecond: options.startsPerSecond ?? 500,
    gateways: options.gateways ?? 1,
    delaySeconds: options.delaySeconds ?? 0.002,
    durationSeconds: options.durationSeconds ?? { median: 120, sigma: 0.4 },
    seed,
  };
  check(scenario);
  return scenario;
}

function replicasOf(replicas: NonNullable<ScenarioOptions["replicas"]>): Scenario["replicas"] {
  if (typeof replicas !== "number") return replicas;
  check({ replicas });
  return Array.from({ length: replicas }, (_, index) => ({
    id: `replica-${index + 1}`,
    weight: 1,
  }));
}

const WHOLE = [
  "groupSize",
  "imagesPerStep",
  "steps",
  "concurrency",
  "replicas",
  "gateways",
] as const;
const POSITIVE = ["pullBytesPerSecond", "diskBytes", "slots", "startsPerSecond"] as const;

function check(scenario: Partial<Scenario> | { replicas: number }): void {
  const values = new Map<string, unknown>(Object.entries(scenario));
  for (const name of [...WHOLE, ...POSITIVE]) {
    const value = values.get(name);
    if (typeof value !== "number") continue;
    const isWhole = WHOLE.some((each) => each === name);
    if (value > 0 && Number.isFinite(value) && (!isWhole || Number.isInteger(value))) continue;
    throw new RangeError(
      `${name} is ${value}: it must be ${isWhole ? "whole and " : ""}more than 0`,
    );
  }
  if ("images" in scenario) checkMembers(scenario as Scenario);
}

function checkMembers({ images, imagesPerStep, replicas, churn, steps }: Scenario): void {
  if (new Set(images).size < images.length) throw new RangeError("an image is listed twice");
  if (imagesPerStep > images.length) {
    const [asked, most] = [plural(imagesPerStep, "image"), images.length];
    throw new RangeError(
      `a step cannot have ${asked}: ${most} is the most here, as there are no more`,
    );
  }
  const present = new Set(replicas.map(({ id }) => id));
  if (present.size === 0) throw new RangeError("there is no replica");
  if (present.size < replicas.length) throw new RangeError("a replica is listed twice");
  const bad = replicas.find(({ weight }) => !(weight > 0 && Number.isFinite(weight)));
  if (bad) throw new RangeError(`${bad.id} has weight ${bad.weight}: it must be more than 0`);
  for (const { step, kind, replicaId } of churn.toSorted((a, b) => a.step - b.step)) {
    if (!Number.isInteger(step) || step < 0 || step >= steps) {
      throw new RangeError(`${replicaId} cannot ${kind} at step ${step} of ${steps}`);
    }
    if (present.has(replicaId) === (kind === "join")) {
      const state = kind === "join" ? "is there already" : "is not there";
      throw new RangeError(`${replicaId} cannot ${kind} at step ${step}: it ${state}`);
    }
    if (kind === "join") present.add(replicaId);
    else present.delete(replicaId);
    if (present.size === 0) throw new RangeError(`no replica is left at step ${step}`);
  }
}
