import type { Registry } from "@remote-runtime/registry";

/** The replicas that an operator has told to take no more, as the registry has it. */
export interface Drains {
  has(replicaId: string): boolean;
  /** The registry has been told so, by this gateway or another. */
  told(replicaId: string, draining: boolean): void;
  /** Asks the registry for all. Whatever is told meanwhile is newer than the answer. */
  read(): Promise<void>;
}

export function createDrains(registry: Pick<Registry, "drains">): Drains {
  let ids = new Set<string>();
  let meanwhile = new Map<string, boolean>();

  function set(replicaId: string, draining: boolean): void {
    if (draining) ids.add(replicaId);
    else ids.delete(replicaId);
  }

  return {
    has: (replicaId) => ids.has(replicaId),
    told(replicaId, draining) {
      meanwhile.set(replicaId, draining);
      set(replicaId, draining);
    },
    async read() {
      meanwhile = new Map();
      ids = new Set(await registry.drains());
      for (const [replicaId, draining] of meanwhile) set(replicaId, draining);
    },
  };
}
