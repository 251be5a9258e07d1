import type { Change, Registry } from "@remote-runtime/registry";

/**
 * The operator's wishes to drain. They outlive a registry that loses everything, as each replica knows all of them: the one
 * that is drained may be away by then.
 */
export interface DrainWishes {
  /** The replicas of which draining is wished; those that were lost are named again first. Throws as the registry does. */
  read(): Promise<ReadonlySet<string>>;
  /** Believes what was read, after a later call would have noticed that all was lost before it. */
  believe(drains: ReadonlySet<string>): void;
  /** Takes over what the registry tells of. */
  hear(change: Change): void;
}

export function createDrainWishes({
  registry,
}: {
  registry: Pick<Registry, "setDraining" | "drains">;
}): DrainWishes {
  let wished: ReadonlySet<string> = new Set();
  /** Not in the registry any more: written again before anything is read. */
  const lost = new Set<string>();

  return {
    async read() {
      for (const id of lost) {
        await registry.setDraining(id, true);
        lost.delete(id);
      }
      return registry.drains();
    },
    believe(drains) {
      if (lost.size === 0) wished = drains;
    },
    hear(change) {
      if (change.kind === "lost") for (const id of wished) lost.add(id);
      if (change.kind !== "drain") return;
      const { replicaId, draining } = change;
      const others = [...wished].filter((id) => id !== replicaId);
      wished = new Set(draining ? [...others, replicaId] : others);
      // Whatever was wished before the loss, the operator has said anew what counts.
      lost.delete(replicaId);
    },
  };
}
