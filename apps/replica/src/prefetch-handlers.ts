import { canonicalReference, type Prefetches, type PrefetchView } from "@remote-runtime/image";
import {
  ServiceError,
  type Handlers,
  type PrefetchProgress,
  type ReplicaPrefetchRoutes,
} from "@remote-runtime/protocol";

/** What gateways give one replica to pull ahead of the starts, and ask of it. */
export function createPrefetchHandlers(prefetches: Prefetches): Handlers<ReplicaPrefetchRoutes> {
  return {
    giveImages: async ({ body: { prefetch_id: id, images, anew } }) =>
      progressOf(prefetches.give(id, images.map(canonicalReference), { anew })),
    givenImages: async ({ params: { prefetch_id: id } }) =>
      progressOf(prefetches.view(id) ?? unknown(id)),
    cancelImages: async ({ params: { prefetch_id: id } }) =>
      progressOf(prefetches.cancel(id) ?? unknown(id)),
  };
}

function unknown(id: string): never {
  throw new ServiceError("not_found", `no prefetch ${id} here`);
}

function progressOf({ pulledBytes, ...counts }: PrefetchView): PrefetchProgress {
  return { ...counts, pulled_bytes: pulledBytes };
}
