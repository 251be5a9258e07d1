import { setTimeout as delay } from "node:timers/promises";
import type { Cluster } from "./cluster.ts";
import { containerSessions } from "./container-sessions.ts";
import type { Promises } from "./promises.ts";

/**
 * Counts each session's running containers. Two of one session are a failure at once, but for one time of grace.
 *
 * A session is claimed in the registry before its container is made, and a container has the name of its runtime: neither a
 * server that dies nor one that stands still makes a second one. But while the registry is away, or has come back empty,
 * nobody can claim anything, and a start that is tried again at another gateway may be taken by a second replica. Everything
 * is on record within 5 s of the registry's return, where one of the two ends as `Replaced`, and has some seconds for it.
 */
export interface PairWatch {
  registryGoes(): void;
  /** A pair has 15 s from now on to end. */
  registryIsBack(): void;
  /** Looks twice a second until `signal` aborts. */
  run(signal: AbortSignal): Promise<void>;
}

const GRACE_MS = 15_000;
const EVERY_MS = 500;

export function createPairWatch(cluster: Cluster, promises: Promises): PairWatch {
  let graceUntil = Number.NEGATIVE_INFINITY;

  async function look(): Promise<void> {
    const began = performance.now();
    const running = await containerSessions(cluster, "running");
    promises.good.looks += 1;
    if (began <= graceUntil) return;
    for (const [session, pairs] of Map.groupBy(running, ([name]) => name)) {
      const ids = pairs.map(([, id]) => id).join(" and ");
      if (pairs.length > 1) promises.fail(`containers of ${session}: ${ids}`);
    }
  }

  return {
    registryGoes: () => void (graceUntil = Number.POSITIVE_INFINITY),
    registryIsBack: () => void (graceUntil = performance.now() + GRACE_MS),
    async run(signal) {
      while (!signal.aborted) {
        await look();
        await delay(EVERY_MS);
      }
    },
  };
}
