import type { Change, Registry } from "@remote-runtime/registry";

/** The operator's wishes to drain. The one for this replica outlives a registry that loses everything. */
export interface DrainWish {
  /** The replicas of which draining is wished; this one is named again first if that was lost. Throws as the registry does. */
  read(): Promise<ReadonlySet<string>>;
  /** Believes what was read, after a later call would have noticed that all was lost before it. */
  believe(drains: ReadonlySet<string>): void;
  /** Takes over what the registry tells of. */
  hear(change: Change): void;
}

export function createDrainWish({
  registry,
  replicaId,
}: {
  registry: Pick<Registry, "setDraining" | "drains">;
  replicaId: string;
}): DrainWish {
  let isWished = false;
  /** Not in the registry any more: written again before anything is read. */
  let isLost = false;

  return {
    async read() {
      if (isLost) await registry.setDraining(replicaId, true);
      isLost = false;
      return registry.drains();
    },
    believe(drains) {
      if (!isLost) isWished = drains.has(replicaId);
    },
    hear(change) {
      if (change.kind === "lost") isLost ||= isWished;
      if (change.kind !== "drain" || change.replicaId !== replicaId) return;
      isWished = change.draining;
      // Whatever was wished before the loss, the operator has said anew what counts.
      isLost = false;
    },
  };
}
