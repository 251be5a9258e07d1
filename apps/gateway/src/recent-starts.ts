import type { Clock } from "@remote-runtime/runtime";

/** Starts that a gateway has sent a moment ago: the load that replicas announce does not tell of them yet. */
export interface RecentStarts {
  add(replicaId: string): void;
  /** The replica has announced what it has: only those that are on their way to it count still. */
  announced(replicaId: string): void;
  of(replicaId: string): number;
}

/** A replica announces a change of its load after 200 ms; the rest is for the way of the start and of the word. */
const UNCOUNTED_MS = 500;
const ON_THE_WAY_MS = 50;

export function createRecentStarts(clock: Pick<Clock, "now">): RecentStarts {
  /** When each of them was sent, the oldest first. */
  const sent = new Map<string, number[]>();

  function recent(replicaId: string, ms = UNCOUNTED_MS): number[] {
    const oldest = clock.now() - ms;
    const times = sent.get(replicaId) ?? [];
    const first = times.findIndex((time) => time > oldest);
    if (first === 0) return times;
    if (first === -1) sent.delete(replicaId);
    else sent.set(replicaId, times.slice(first));
    return sent.get(replicaId) ?? [];
  }

  return {
    add(replicaId) {
      sent.set(replicaId, [...recent(replicaId), clock.now()]);
    },
    announced: (replicaId) => void recent(replicaId, ON_THE_WAY_MS),
    of: (replicaId) => recent(replicaId).length,
  };
}
