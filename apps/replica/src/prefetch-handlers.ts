import {
  canonicalReference,
  type Prefetches,
  type PrefetchView,
  type PublishedSizes,
} from "@remote-runtime/image";
import {
  ServiceError,
  type Handlers,
  type PrefetchProgress,
  type ReplicaPrefetchRoutes,
} from "@remote-runtime/protocol";

/** What gateways give one replica to pull ahead of the starts, and ask of it. */
export function createPrefetchHandlers({
  prefetches,
  sizes,
}: {
  prefetches: Prefetches;
  sizes: PublishedSizes;
}): Handlers<ReplicaPrefetchRoutes> {
  return {
    giveImages: async ({ body: { prefetch_id: id, images, anew } }) =>
      progressOf(prefetches.give(id, images.map(canonicalReference), { anew })),
    givenImages: async ({ params: { prefetch_id: id } }) =>
      progressOf(prefetches.view(id) ?? unknown(id)),
    cancelImages: async ({ params: { prefetch_id: id } }) =>
      progressOf(prefetches.cancel(id) ?? unknown(id)),
    async imageSizes({ body: { images } }) {
      const { unknown: problems, ...sum } = await sizes.sum(images);
      return {
        ...sum,
        unknown: Array.from(problems, ([reason, count]) => ({ reason, images: count })),
      };
    },
  };
}

function unknown(id: string): never {
  throw new ServiceError("not_found", `no prefetch ${id} here`);
}

function progressOf({ pulledBytes, ...counts }: PrefetchView): PrefetchProgress {
  return { ...counts, pulled_bytes: pulledBytes };
}
