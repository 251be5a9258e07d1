import { planFits, type PrefetchPlan } from "@remote-runtime/protocol";
import type { PrefetchHomes } from "./prefetch-homes.ts";
import type { Snapshot } from "./snapshot.ts";

/** What of each replica's part is there, what the rest weighs as far as anybody knows, and whether its disk takes it. */
export function prefetchPlan(homes: PrefetchHomes, snapshot: Snapshot): PrefetchPlan[] {
  const { fleet, replicas, images } = snapshot;

  /** Of any replica that holds it. */
  function sizeOf(image: string): number | undefined {
    for (const id of fleet.holders(image) ?? replicas.keys()) {
      const size = images(id).get(image)?.sizeBytes;
      if (size !== undefined) return size;
    }
    return undefined;
  }

  function partOf(replicaId: string, given: readonly string[]): Omit<PrefetchPlan, "fits">[] {
    const info = replicas.get(replicaId);
    if (!info) return [];
    const missing = given.filter((image) => fleet.holding(replicaId, image) !== "image");
    const sizes = missing.map(sizeOf);
    const known = sizes.filter((size) => size !== undefined);
    return [
      {
        replica_id: replicaId,
        engine_id: info.engineId,
        images: given.length,
        held: given.length - missing.length,
        missing_bytes: known.reduce((sum, size) => sum + size, 0),
        unknown_sizes: sizes.length - known.length,
        room_bytes: info.roomBytes ?? null,
      },
    ];
  }

  const parts = [...homes].flatMap(([id, given]) => partOf(id, given));
  return parts
    .map((part) => ({ ...part, fits: planFits(part, parts) }))
    .toSorted((one, other) => (one.replica_id < other.replica_id ? -1 : 1));
}
