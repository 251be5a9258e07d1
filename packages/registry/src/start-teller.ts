import type { PlacedStarts } from "./change.ts";
import type { Registry } from "./registry.ts";

/** Tells the gateways of starts that they have not placed themselves, so that all count the same groups. */
export interface StartTeller {
  /** A start went to the replica: it is told with all others of the next moment. */
  add(image: string, replicaId: string): void;
}

export type StartTellerOptions = {
  registry: Pick<Registry, "tellStarts">;
  /** Whose words these are. */
  by: string;
  /** They are told so long after the first of them. */
  everyMs: number;
  /** For so long after its last start a group may go on. */
  groupMs: number;
  sleep: (ms: number, signal: AbortSignal) => Promise<void>;
};

export function createStartTeller(options: StartTellerOptions): StartTeller {
  const untold = new Map<string, PlacedStarts>();

  async function tell(): Promise<void> {
    // Nobody ends it: it is over before anybody could wait for it.
    await options.sleep(options.everyMs, new AbortController().signal);
    const starts = [...untold.values()];
    untold.clear();
    // What is not heard is expected for the rest of the group's time, and no more.
    await options.registry.tellStarts(options.by, starts, options.groupMs).catch(() => undefined);
  }

  return {
    add(image, replicaId) {
      const key = `${image} ${replicaId}`;
      const count = (untold.get(key)?.count ?? 0) + 1;
      if (untold.size === 0) void tell();
      untold.set(key, { image, replicaId, count });
    },
  };
}
