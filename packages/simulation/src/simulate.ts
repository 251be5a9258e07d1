import { createAgenda } from "./agenda.ts";
import { createDisk } from "./disk.ts";
import { createReplica, type Job, type Replica } from "./replica.ts";
import type { PolicyResult } from "./result.ts";
import { createRouter } from "./create-router.ts";
import type { Churn, Policy, Scenario } from "./scenario.ts";
import { createTally } from "./tally.ts";
import { type Rollout, workloadOf } from "./workload.ts";

type RunParts = {
  /** The rollouts of each step. Default: each image once an epoch. */
  workload?: Iterable<readonly Rollout[]>;
  /** Default: disks that give up only what is needed for the next image. */
  diskOf?: typeof createDisk;
};

/** Runs a scenario under one policy, on a clock of its own. `onStep` is told of each step that has ended, from 1. */
export function simulate(
  scenario: Scenario,
  policy: Policy,
  onStep: (step: number) => void = () => undefined,
  { workload = workloadOf(scenario), diskOf = createDisk }: RunParts = {},
): PolicyResult {
  const run = createRun(scenario, policy, diskOf);
  let step = 0;
  for (const rollouts of workload) {
    run.step(
      rollouts,
      scenario.churn.filter((event) => event.step === step),
    );
    step += 1;
    onStep(step);
  }
  return run.result();
}

function createRun(scenario: Scenario, policy: Policy, diskOf: typeof createDisk) {
  const { images, imageBytes, pullBytesPerSecond, concurrency, startsPerSecond } = scenario;
  const indexes = new Map(images.map((image, index) => [image, index]));
  const nameOf = (image: number): string => images[image] ?? "";
  const replicas = new Map<string, Replica>();
  const agenda = createAgenda();
  const tally = createTally();
  const router = createRouter(policy, {
    seed: scenario.seed,
    load: (id) => replicas.get(id)?.load() ?? 0,
    holding: (id, image) => replicas.get(id)?.holding(indexes.get(image) ?? -1) ?? "nothing",
    agenda,
    gateways: scenario.gateways,
    delaySeconds: scenario.delaySeconds,
  });
  let homes = new Map<number, string | undefined>();
  /** Where each image's latest start went. */
  const latest = new Map<number, string>();

  for (const { id, weight } of scenario.replicas) join(id, weight);
  membersChanged();

  function join(id: string, weight: number): void {
    // A machine that runs twice as much has twice the disk and the network, too.
    const size = weight / scenario.meanWeight;
    const diskBytes = size * scenario.diskBytes;
    const isHomed = (image: number): boolean => homeOf(image) === id;
    const hasMoved = (image: number): boolean => latest.has(image) && latest.get(image) !== id;
    const disk = diskOf({ diskBytes, imageBytes, isHomed, hasMoved, now: agenda.now });
    const slots = Math.max(1, Math.floor(scenario.slots * weight));
    const speed = size * pullBytesPerSecond;
    const pullSeconds = (image: number): number => (imageBytes[image] ?? 0) / speed;
    const onLoad = (load: number): void => router.setLoad(id, load);
    replicas.set(id, createReplica({ id, weight, slots, disk, agenda, pullSeconds, onLoad }));
  }

  function membersChanged(): void {
    homes = new Map();
    router.setMembers([...replicas.values()].map(({ id, weight }) => ({ id, weight })));
  }

  function homeOf(image: number): string | undefined {
    const known = homes.get(image);
    if (known !== undefined) return known;
    const home = router.home(nameOf(image));
    homes.set(image, home);
    return home;
  }

  /** Starts a runtime somewhere; answers where. */
  function start(job: Job): string {
    const id = router.route(nameOf(job.image));
    const replica = replicas.get(id);
    if (!replica) throw new Error(`a start was given to ${id}, which is not there`);
    latest.set(job.image, id);
    const had = replica.start(job);
    tally.started();
    if (had === "image") tally.hit();
    if (had === "nothing") {
      const home = homeOf(job.image);
      const isHome = home === undefined ? undefined : home === id;
      tally.pulled(job.image, imageBytes[job.image] ?? 0, isHome);
    }
    return id;
  }

  function change({ kind, replicaId }: Churn): void {
    const lost = replicas.get(replicaId)?.die() ?? [];
    if (kind === "join") join(replicaId, scenario.meanWeight);
    else replicas.delete(replicaId);
    membersChanged();
    for (const job of lost) start(job);
  }

  return {
    step(rollouts: readonly Rollout[], churn: readonly Churn[]): void {
      for (const event of churn) if (event.kind !== "die") change(event);
      const members = [...replicas.values()];
      const deaths = churn.filter(({ kind }) => kind === "die");
      let next = 0;
      let ended = 0;

      const startNext = (): void => {
        const rollout = rollouts[next++];
        if (!rollout) return;
        const home = homeOf(rollout.image);
        const id = start({ ...rollout, ended: onEnd });
        tally.placed(rollout.image, id, home === undefined ? undefined : home === id);
      };
      const onEnd = (): void => {
        ended += 1;
        startNext();
        if (ended !== Math.ceil(rollouts.length / 2)) return;
        for (const death of deaths) change(death);
      };

      const began = agenda.now();
      for (let at = 0; at < Math.min(concurrency, rollouts.length); at += 1) {
        agenda.put(began + at / startsPerSecond, startNext);
      }
      agenda.run();
      tally.stepEnded(members);
    },
    result: () => tally.result(policy, agenda.now()),
  };
}
