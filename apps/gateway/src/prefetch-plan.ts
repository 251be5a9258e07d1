import type { PrefetchPlan } from "@remote-runtime/protocol";
import type { PrefetchHomes } from "./prefetch-homes.ts";
import type { Snapshot } from "./snapshot.ts";

type Missing = { count: number; bytes: number; unknown: number };

/** What of each replica's part is there, what the rest weighs as far as anybody knows, and whether its disk takes it. */
export function prefetchPlan(
  homes: PrefetchHomes,
  { fleet, replicas, images }: Snapshot,
): PrefetchPlan[] {
  /** Of any replica that holds it. */
  function sizeOf(image: string): number | undefined {
    for (const id of fleet.holders(image) ?? replicas.keys()) {
      const size = images(id).get(image)?.sizeBytes;
      if (size !== undefined) return size;
    }
    return undefined;
  }

  function missingOf(replicaId: string): Missing {
    const missing = { count: 0, bytes: 0, unknown: 0 };
    for (const image of homes.get(replicaId) ?? []) {
      if (fleet.holding(replicaId, image) === "image") continue;
      const size = sizeOf(image);
      missing.count += 1;
      missing.bytes += size ?? 0;
      if (size === undefined) missing.unknown += 1;
    }
    return missing;
  }

  const parts = [...homes].flatMap(([id, given]) => {
    const info = replicas.get(id);
    return info ? [{ info, given, missing: missingOf(id) }] : [];
  });
  return parts
    .map(({ info, given, missing }) => {
      const { id, engineId, freeBytes = null } = info;
      // Replicas of one engine fill one disk.
      const onDisk = parts.filter((part) => part.info.engineId === engineId);
      const bytes = onDisk.reduce((sum, part) => sum + part.missing.bytes, 0);
      const isSure = onDisk.every((part) => part.missing.unknown === 0);
      return {
        replica_id: id,
        engine_id: engineId,
        images: given.length,
        held: given.length - missing.count,
        missing_bytes: missing.bytes,
        unknown_sizes: missing.unknown,
        free_bytes: freeBytes,
        fits: fits({ bytes, isSure, freeBytes }),
      };
    })
    .toSorted((one, other) => (one.replica_id < other.replica_id ? -1 : 1));
}

function fits({
  bytes,
  isSure,
  freeBytes,
}: {
  bytes: number;
  isSure: boolean;
  freeBytes: number | null;
}): PrefetchPlan["fits"] {
  if (isSure && bytes === 0) return "yes";
  if (freeBytes === null) return "unknown";
  if (bytes > freeBytes) return "no";
  return isSure ? "yes" : "unknown";
}
