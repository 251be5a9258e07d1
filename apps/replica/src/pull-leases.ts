import type { PullLeases } from "@remote-runtime/image";
import type { Registry } from "@remote-runtime/registry";

/** What an engine that died while it pulled can cost the others. */
const LEASE_MS = 15_000;

/** Which engine pulls an image, as the registry has it: replicas of one engine are one. */
export function createPullLeases({
  engineId,
  registry,
}: {
  engineId: string;
  registry: Pick<Registry, "leasePull" | "releasePull" | "replicas">;
}): PullLeases {
  return {
    async take(name) {
      const holder = await registry.leasePull(name, engineId, LEASE_MS);
      if (holder === engineId) return undefined;
      const replicas = await registry.replicas();
      return replicas.find((replica) => replica.engineId === holder)?.id ?? `on engine ${holder}`;
    },
    release: (name) => registry.releasePull(name, engineId),
  };
}
