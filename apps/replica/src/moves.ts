import type { Registry } from "@remote-runtime/registry";

/** The latest groups; of others it is not known that they went elsewhere. */
const MOST_REMEMBERED = 10_000;

/** Which images' latest starts went to another engine, as gateways tell when a group of starts begins. */
export interface Moves {
  /** By canonical reference. `false` also where nothing was heard, or what was heard may be out of date. */
  hasMoved(image: string): boolean;
  /** Listens until `signal` aborts. */
  run(signal: AbortSignal): Promise<void>;
}

export function createMoves({
  registry,
  isHere,
}: {
  registry: Pick<Registry, "onChange">;
  /** Whether the replica is on this engine. */
  isHere: (replicaId: string) => boolean;
}): Moves {
  /** By image, the replica of the group that began last; the oldest first. */
  const latest = new Map<string, string>();

  function remember(image: string, replicaId: string): void {
    latest.delete(image);
    latest.set(image, replicaId);
    for (const oldest of latest.keys()) {
      if (latest.size <= MOST_REMEMBERED) return;
      latest.delete(oldest);
    }
  }

  return {
    hasMoved(image) {
      const replicaId = latest.get(image);
      return replicaId !== undefined && !isHere(replicaId);
    },
    async run(signal) {
      const ended = Promise.withResolvers<void>();
      const unsubscribe = registry.onChange((change) => {
        if (change.kind === "group") remember(change.image, change.replicaId);
        // Groups may have come back meanwhile.
        if (change.kind === "unknown" || change.kind === "lost") latest.clear();
      });
      signal.addEventListener("abort", () => ended.resolve(), { once: true });
      if (signal.aborted) ended.resolve();
      await ended.promise;
      unsubscribe();
    },
  };
}
