import { createMemoryLeases } from "./memory-leases.ts";
import type { Registry } from "./registry.ts";

/** The leases of pulls where one process has the registry: they last for seconds, so no file has to outlive it with them. */
export function memoryPullLeases(deps: {
  open: <T>(work: () => T) => Promise<T>;
  now: () => number;
}): Pick<Registry, "leasePull" | "releasePull"> {
  const { open, now } = deps;
  const leases = createMemoryLeases(now);
  return {
    leasePull: (image, engineId, ttlMs) =>
      open(() => leases.take({ name: image, wanted: engineId, ttlMs }).holder),
    releasePull: (image, engineId) => open(() => leases.release(image, engineId)),
  };
}
