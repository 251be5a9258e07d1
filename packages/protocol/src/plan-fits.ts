import type { PrefetchPlan } from "./prefetch-route.ts";

type Part = Pick<PrefetchPlan, "engine_id" | "missing_bytes" | "unknown_sizes" | "room_bytes">;

/** Whether what a replica's engine lacks finds room there; all replicas of one engine fill one disk. */
export function planFits(plan: Part, all: readonly Part[]): PrefetchPlan["fits"] {
  const onDisk = all.filter(({ engine_id: id }) => id === plan.engine_id);
  const bytes = onDisk.reduce((sum, { missing_bytes: missing }) => sum + missing, 0);
  const isSure = onDisk.every(({ unknown_sizes: unknown }) => unknown === 0);
  if (isSure && bytes === 0) return "yes";
  if (plan.room_bytes === null) return "unknown";
  if (bytes > plan.room_bytes) return "no";
  return isSure ? "yes" : "unknown";
}
