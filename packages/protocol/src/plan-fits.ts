import type { PrefetchPlan } from "./prefetch-route.ts";

type Part = Pick<
  PrefetchPlan,
  "engine_id" | "missing_bytes" | "compressed_bytes" | "unknown_sizes" | "room_bytes"
>;

/** What a compressed byte takes of a disk at most, unless an image is unlike others (decisions/0018). */
const UNPACKED = 5;

/** Whether what a replica's engine lacks finds room there; all replicas of one engine fill one disk. */
export function planFits(plan: Part, all: readonly Part[]): PrefetchPlan["fits"] {
  const onDisk = all.filter(({ engine_id: id }) => id === plan.engine_id);
  const sum = (of: (part: Part) => number): number =>
    onDisk.reduce((bytes, part) => bytes + of(part), 0);
  const unpacked = sum((part) => part.missing_bytes);
  const compressed = sum((part) => part.compressed_bytes);
  const isSure = sum((part) => part.unknown_sizes) === 0;
  if (isSure && unpacked + compressed === 0) return "yes";
  if (plan.room_bytes === null) return "unknown";
  if (unpacked + compressed > plan.room_bytes) return "no";
  if (!isSure || unpacked + UNPACKED * compressed > plan.room_bytes) return "unknown";
  return compressed === 0 ? "yes" : "likely";
}
