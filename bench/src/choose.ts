import {
  choose,
  createFleet,
  createGroups,
  explain,
  homeHas,
  shareEngines,
  type FleetReplica,
} from "@remote-runtime/placement";
import { createRing } from "@remote-runtime/ring";
import { conditions, report, type Row } from "./report.ts";
import { percentile, rounded } from "./statistics.ts";

const REPLICAS = 100;
const IMAGES_PER_REPLICA = 5_000;
/** Images that are started again and again within a training step, and in all steps. */
const STEP_IMAGES = 64;
const ALL_IMAGES = 2_000;
/** Longer than a group lasts. */
const STEP_MS = 100_000;
const ROUNDS = 300;
const P50 = "p50, µs";
/** Of the middle decision. */
const GOAL_MICROSECONDS = 20;

/** How long one decision takes in a large fleet, with everything that the gateway does for it each time. */
async function main(): Promise<void> {
  const began = conditions();
  const all = Array.from({ length: REPLICAS * IMAGES_PER_REPLICA }, (_, index) => imageName(index));
  const replicas = Array.from({ length: REPLICAS }, (_, index) => {
    return {
      id: `replica-${index}`,
      engineId: `engine-${index}`,
      weight: 1,
      load: 0,
      draining: false,
    };
  });
  // Each image is on one replica; each replica has them in a map of its own, as the gateway keeps them.
  const held = new Map(
    replicas.map(({ id }, at) => {
      const images = all.slice(at * IMAGES_PER_REPLICA, (at + 1) * IMAGES_PER_REPLICA);
      return [id, new Map(images.map((image) => [image, { createdAt: 0, sizeBytes: 1 }]))];
    }),
  );
  const holders = new Map(
    [...held].flatMap(([id, images]) => [...images.keys()].map((i) => [i, [id]])),
  );
  const ring = createRing(shareEngines(replicas));
  const build = () =>
    createFleet({
      replicas,
      ring,
      holding: (id, image) => (held.get(id)?.has(image) ? "image" : "nothing"),
      holders: (image) => holders.get(image) ?? [],
    });
  const fleet = build();
  const groups = createGroups();

  const start = (image: string, now = 0): void => {
    const moment = { now, totalLoad: fleet.totalLoad() };
    const hint = groups.hint(image, moment);
    const choice = choose({ image, fleet, group: hint });
    if (!choice) throw new Error("no replica was chosen");
    if (hint.replicaId === undefined) groups.began(homeHas(fleet, image));
    groups.started(image, choice.replicaId, moment);
    fleet.setLoad(choice.replicaId, ((fleet.member(choice.replicaId)?.load ?? 0) + 1) % 100);
  };
  const seek = createSeek(replicas);
  const spread = (index: number): string => all[(index * 7_919) % all.length] ?? "";
  // Read as text again, as they come over the network: no string that a map has met before.
  const again = (image: string): string => Buffer.from(image).toString();

  const decisions: Record<string, Row> = {
    "choose, images of a step": rowOf((turn) => start(again(spread(turn % STEP_IMAGES)))),
    "choose, image that nobody has": rowOf((turn) =>
      start(`docker.io/none/${turn % STEP_IMAGES}:1`),
    ),
    "choose, a group's first start": rowOf((turn) =>
      start(again(spread(turn % ALL_IMAGES)), turn * STEP_MS),
    ),
    "choose, while homes keep room": rowOf((turn) => seek(`docker.io/none/room:${turn}`)),
    "choose, image met for the first time": rowOf((turn) =>
      start(again(spread(turn + ALL_IMAGES)), (ROUNDS * STEP_IMAGES + turn) * STEP_MS),
    ),
  };
  const rows: Record<string, Row> = {
    ...decisions,
    explain: rowOf((turn) => void explain({ image: spread(turn % STEP_IMAGES), fleet })),
    "createFleet, ring unchanged": rowOf(() => void build()),
  };
  await report("choose", { rows, conditions: { ...began, REPLICAS, IMAGES_PER_REPLICA } });
  const slowest = Math.max(...Object.values(decisions).map((row) => Number(row[P50])));
  const word = slowest <= GOAL_MICROSECONDS ? "met" : "missed";
  process.stdout.write(
    `goal: p50 of each kind of choose() ≤ ${GOAL_MICROSECONDS} µs: ${word}, the slowest takes ${slowest} µs\n`,
  );
}

/** First starts in the middle of a step of 10,000, where three images of ten are found at home: homes keep room for those. */
function createSeek(idle: readonly FleetReplica[]): (image: string) => void {
  const replicas = idle.map((replica, at) => ({ ...replica, load: 20 + (at % 80) }));
  const ring = createRing(shareEngines(replicas));
  const fleet = createFleet({ replicas, ring, holding: () => "nothing", holders: () => [] });
  const groups = createGroups();
  for (let group = 0; group < ROUNDS; group += 1) groups.began(group % 3 === 0);
  groups.started("docker.io/none/last:1", "replica-0", { now: 0, totalLoad: 10_000 });
  return function seek(image) {
    const group = groups.hint(image, { now: 1, totalLoad: fleet.totalLoad() });
    if (!choose({ image, fleet, group })) throw new Error("no replica was chosen");
    groups.began(homeHas(fleet, image) || Number(image.slice(-1)) % 4 === 0);
  };
}

/** Each round is timed as a whole: one decision is too short for the clock. */
function rowOf(once: (turn: number) => void): Row {
  const took: number[] = [];
  const size = STEP_IMAGES;
  for (let round = 0; round < ROUNDS; round += 1) {
    const began = performance.now();
    for (let turn = 0; turn < size; turn += 1) once(round * size + turn);
    took.push((1000 * (performance.now() - began)) / size);
  }
  const warm = took.slice(ROUNDS / 10);
  return {
    [P50]: rounded(percentile(warm, 0.5)),
    "p95, µs": rounded(percentile(warm, 0.95)),
    "cold, µs": rounded(took[0] ?? 0),
  };
}

const imageName = (index: number): string =>
  `docker.io/swebench/sweb.eval.x86_64.project-${index % 97}_1776_project-${index}:latest`;

await main();
