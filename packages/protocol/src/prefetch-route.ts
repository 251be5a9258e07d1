import { z } from "zod";
import { PREFETCH_ID } from "./prefetch-id.ts";
import type { Route } from "./route-shape.ts";

/** In one call; longer lists come in several, under one id. */
export const MOST_PREFETCH_IMAGES = 10_000;
const MAX_IMAGE_CHARACTERS = 512;
const MOST_COPIES = 100;

const nothing = z.object({});
const PrefetchId = z.string().regex(PREFETCH_ID, "must be 1 to 64 of a-z, 0-9 and -");
const PrefetchPath = z.object({ prefetch_id: PrefetchId });
/** A list of images, as the calls here take it. */
export const Images = z
  .array(z.string().trim().min(1).max(MAX_IMAGE_CHARACTERS))
  .min(1)
  .max(MOST_PREFETCH_IMAGES);
const Wanted = z.object({
  images: Images,
  /** On so many engines each, as far as there are so many. */
  copies: z.number().int().min(1).max(MOST_COPIES).default(1),
});
const count = z.number().int();

/** Of the images that have failed so many are named. */
export const MOST_PREFETCH_FAILURES = 1_000;

/** How far one replica is. Each image that it was given counts for one of `held` to `cancelled`. */
export const PrefetchProgress = z.object({
  /** Its engine had them. */
  held: count,
  pulled: count,
  running: count,
  waiting: count,
  failed: count,
  /** Taken back before their turn. */
  cancelled: count,
  /** Of the images that were pulled, as the engine holds them. */
  pulled_bytes: z.number(),
  /** What is being pulled now; `bytes` have come over the wire. */
  pulls: z.array(z.object({ image: z.string(), progress: z.string(), bytes: z.number() })),
  /** The first thousand of them. */
  failures: z.array(z.object({ image: z.string(), error: z.string() })),
});
export type PrefetchProgress = z.infer<typeof PrefetchProgress>;

/** The part of a prefetch that one replica has. */
export const PrefetchShare = PrefetchProgress.extend({
  replica_id: z.string(),
  /**
   * `working`: what follows is its own word. `unknown`: it knows nothing of this prefetch, maybe since it was started anew.
   * `silent`: it does not answer, or has refused; `error` says why. All counts are 0 but with `working`, and with `silent` in
   * answer to a list: `failed` are then the images that it did not take.
   */
  state: z.enum(["working", "unknown", "silent"]),
  error: z.string(),
});
export type PrefetchShare = z.infer<typeof PrefetchShare>;

export const PrefetchObject = z.object({
  prefetch_id: z.string(),
  replicas: z.array(PrefetchShare),
});
export type PrefetchObject = z.infer<typeof PrefetchObject>;

/** Images whose size a registry did not tell, in words for people. */
const UnknownSizes = z.object({ reason: z.string(), images: count });
export type UnknownSizes = z.infer<typeof UnknownSizes>;

/** What is known of the sizes of a list in its registries. Each image counts for one of `known`, `asking` and `unknown`. */
export const ImageSizes = z.object({
  known: count,
  /** Of the known ones together, compressed; layers that several share count once. */
  bytes: z.number(),
  asking: count,
  unknown: z.array(UnknownSizes),
});
export type ImageSizes = z.infer<typeof ImageSizes>;

/** What a prefetch would bring to one replica. */
export const PrefetchPlan = z.object({
  replica_id: z.string(),
  engine_id: z.string(),
  /** Images that belong there. */
  images: count,
  /** Of these its engine has so many. */
  held: count,
  /** Of the missing ones that another replica holds: unpacked, as its engine says. */
  missing_bytes: z.number(),
  /** Of the missing ones that only registries have: as these send them. Layers that several of them share count once. */
  compressed_bytes: z.number(),
  /** Missing ones whose size is not known. */
  unknown_sizes: count,
  /** So many of these are being asked for: the same call again, at once, knows more. */
  asking: count,
  /** Why the others are not known: at most twenty reasons. */
  unknown_reasons: z.array(UnknownSizes),
  /** What the disk of its engine takes before images have to go, below DISK_HIGH_PERCENT; null where it does not say. */
  room_bytes: z.number().nullable(),
  /**
   * Whether all that its engine lacks finds room, by what is known; `likely` where some of it is known compressed only. Layers
   * that held images share count for each of them.
   */
  fits: z.enum(["yes", "likely", "no", "unknown"]),
});
export type PrefetchPlan = z.infer<typeof PrefetchPlan>;

/** Prefetches, as operators ask a gateway for them. */
export const prefetchRoutes = {
  prefetch: {
    summary:
      "Bring images to the replicas where they belong, or go on with that; answers before it is done",
    method: "POST",
    path: "/prefetch",
    status: 202,
    auth: true,
    params: nothing,
    query: nothing,
    body: Wanted.extend({
      /** Default: one that the same list has each time. */
      prefetch_id: PrefetchId.optional(),
      /** Whether images that are over, well or not, are looked at again. */
      anew: z.boolean().default(true),
    }),
    /** Only of replicas that got a part. */
    output: PrefetchObject,
  },
  planPrefetch: {
    summary:
      "What a prefetch would bring to each replica, and whether it fits; asks registries for sizes that no engine knows, and answers within seconds with those it has by then",
    method: "POST",
    path: "/prefetch/plan",
    status: 200,
    auth: true,
    params: nothing,
    query: nothing,
    body: Wanted,
    output: z.object({ replicas: z.array(PrefetchPlan) }),
  },
  prefetchProgress: {
    summary: "How far a prefetch is on each replica",
    method: "GET",
    path: "/prefetch/:prefetch_id",
    status: 200,
    auth: true,
    params: PrefetchPath,
    query: nothing,
    body: nothing,
    /** Of all replicas that are there. */
    output: PrefetchObject,
  },
  cancelPrefetch: {
    summary: "Take back what a prefetch has not begun",
    method: "POST",
    path: "/prefetch/:prefetch_id/cancel",
    status: 200,
    auth: true,
    params: PrefetchPath,
    query: nothing,
    body: nothing,
    output: PrefetchObject,
  },
} as const satisfies Record<string, Route>;

/** The same between a gateway and a replica. */
export const replicaPrefetchRoutes = {
  giveImages: {
    method: "POST",
    path: "/images/prefetch",
    status: 202,
    auth: true,
    params: nothing,
    query: nothing,
    body: z.object({ prefetch_id: PrefetchId, images: Images, anew: z.boolean() }),
    output: PrefetchProgress,
  },
  givenImages: {
    method: "GET",
    path: "/images/prefetch/:prefetch_id",
    status: 200,
    auth: true,
    params: PrefetchPath,
    query: nothing,
    body: nothing,
    output: PrefetchProgress,
  },
  cancelImages: {
    method: "POST",
    path: "/images/prefetch/:prefetch_id/cancel",
    status: 200,
    auth: true,
    params: PrefetchPath,
    query: nothing,
    body: nothing,
    output: PrefetchProgress,
  },
  imageSizes: {
    method: "POST",
    path: "/images/sizes",
    status: 200,
    auth: true,
    params: nothing,
    query: nothing,
    body: z.object({ images: Images }),
    output: ImageSizes,
  },
} as const satisfies Record<string, Route>;

export type ReplicaPrefetchRoutes = typeof replicaPrefetchRoutes;
