import type { ReplicaInfo } from "@remote-runtime/registry";
import { createSuccession, type Clock, type Estate, type Log } from "@remote-runtime/runtime";

/** What falls to this replica is looked for again that often while the same ones are gone. */
const AGAIN_MS = 30_000;

/** Which of the replicas of an engine this one is, in the order of their ids, from 0; and how many there are, at least 1. */
export type EngineShare = { index: number; count: number };

export interface Peers {
  /** While the registry is away, what it said last. */
  share(): EngineShare;
  /** Called at each heartbeat that finds the registry, with all that are announced, this one among them. */
  see(announced: readonly ReplicaInfo[], ofEngine: readonly string[]): void;
  /** The registry was away, or has lost what it knew. */
  reset(): void;
}

export type PeersOptions = {
  replicaId: string;
  engineId: string;
  inherit: (estate: Estate) => Promise<void>;
  /** Told of each look, with all that are announced. */
  onSeen: (announced: readonly ReplicaInfo[]) => void;
  /** The number of replicas has changed. */
  onCount: () => void;
  clock: Pick<Clock, "now">;
  log: Log;
};

/** The other replicas of this engine: they share its capacity, and what those leave that are gone. */
export function createPeers(options: PeersOptions): Peers {
  const { replicaId, engineId, clock, log } = options;
  const succession = createSuccession({ engineId, now: clock.now });
  let share: EngineShare = { index: 0, count: 1 };
  let inheriting = false;
  /** The last estate that was dealt with in full, and when. */
  let settled = { estate: "", at: 0 };

  function divide(announced: readonly ReplicaInfo[]): void {
    const ids = announced.flatMap((other) => (other.engineId === engineId ? other.id : []));
    const { count } = share;
    share = {
      index: Math.max(0, ids.toSorted().indexOf(replicaId)),
      count: Math.max(1, ids.length),
    };
    if (share.count !== count) options.onCount();
  }

  async function inherit(estate: Estate): Promise<void> {
    const text = JSON.stringify(estate);
    const isSettled = settled.estate === text && clock.now() - settled.at < AGAIN_MS;
    if (inheriting || isSettled) return;
    inheriting = true;
    try {
      await options.inherit(estate);
      settled = { estate: text, at: clock.now() };
    } catch (error) {
      log.warn({ err: error }, "runtimes of replicas that are gone wait for the next heartbeat");
    } finally {
      inheriting = false;
    }
  }

  return {
    share: () => share,
    see(announced, ofEngine) {
      options.onSeen(announced);
      divide(announced);
      const estate = succession.look({ announced, ofEngine });
      if (estate.gone.length > 0 && estate.heirs.includes(replicaId)) void inherit(estate);
    },
    reset: succession.reset,
  };
}
