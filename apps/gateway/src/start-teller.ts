import { GROUP_MS, TELL_MS } from "@remote-runtime/placement";
import type { PlacedStarts, Registry } from "@remote-runtime/registry";
import type { Clock } from "@remote-runtime/runtime";

/** Tells the other gateways what this one has placed, so that all count the same groups. */
export interface StartTeller {
  /** A start was placed: it is told with all others of the next moment. */
  add(image: string, replicaId: string): void;
}

export function createStartTeller({
  registry,
  gatewayId,
  clock,
}: {
  registry: Pick<Registry, "tellStarts">;
  gatewayId: string;
  clock: Pick<Clock, "sleep">;
}): StartTeller {
  const untold = new Map<string, PlacedStarts>();

  async function tell(): Promise<void> {
    // Nobody ends it: it is over before anybody could wait for it.
    await clock.sleep(TELL_MS, new AbortController().signal);
    const starts = [...untold.values()];
    untold.clear();
    // What is not heard is expected for the rest of the group's time, and no more.
    await registry.tellStarts(gatewayId, starts, GROUP_MS).catch(() => undefined);
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
