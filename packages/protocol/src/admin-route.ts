import { z } from "zod";
import { pinRoutes } from "./pin-route.ts";
import { prefetchRoutes } from "./prefetch-route.ts";
import { single } from "./query.ts";
import type { Route } from "./route-shape.ts";

const nothing = z.object({});
const ReplicaPath = z.object({ replica_id: z.string() });

/** One replica as its operator sees it. */
export const ReplicaObject = z.object({
  id: z.string(),
  /** `drained`: it drains, and nothing is left on it. `gone`: it does not announce itself any more. */
  state: z.enum(["ready", "draining", "drained", "gone"]),
  /** Where clients reach it. */
  url: z.string(),
  /** Where gateways reach it. */
  internal_url: z.string(),
  /** Replicas with the same engine share its images and its capacity. */
  engine_id: z.string(),
  /** Capacity, relative to the others. */
  weight: z.number(),
  /** Runtimes that hold compute there or wait for it. */
  load: z.number().int(),
  /** Runtimes that it has, paused ones included. */
  runtimes: z.number().int(),
  /** Names of images that its engine holds; tags and digests count one each. */
  images: z.number().int(),
  version: z.string(),
  /** Seconds since it was last known to be there: 0 but for a replica that is gone. */
  gone_seconds: z.number(),
});
export type ReplicaObject = z.infer<typeof ReplicaObject>;

/** Where a start of an image would go, and why. */
export const PlacementObject = z.object({
  /** The canonical reference, which is what the ring hashes. */
  image: z.string(),
  /** `held` is for a session that has a runtime, which is not asked for here. */
  kind: z.enum(["held", "cached", "pulling", "home", "spill"]),
  replica_id: z.string(),
  /** One sentence for people. */
  reason: z.string(),
  /** Set while the starts of this image go together. */
  group: z.object({ replica_id: z.string(), expires_in_seconds: z.number() }).nullable(),
  /** The ring's order of preference, home first. */
  candidates: z.array(
    z.object({
      replica_id: z.string(),
      state: ReplicaObject.shape.state,
      /** Whether its engine holds the image, or is pulling it. */
      holds: z.enum(["image", "pull", "nothing"]),
      load: z.number(),
      /** Its share of all load times the bound: from there on a new image goes elsewhere. */
      soft_limit: z.number(),
      /** From there on a group that goes together goes elsewhere too. */
      hard_limit: z.number(),
    }),
  ),
});
export type PlacementObject = z.infer<typeof PlacementObject>;

/** What operators ask of a gateway, beside the control plane of the clients. */
export const adminRoutes = {
  replicas: {
    summary: "All replicas, with those that have been gone for less than a day",
    method: "GET",
    path: "/replicas",
    status: 200,
    auth: true,
    params: nothing,
    query: nothing,
    body: nothing,
    output: z.object({ replicas: z.array(ReplicaObject) }),
  },
  drain: {
    summary:
      "Place no new starts on a replica; what runs there stays. While all replicas drain this has no effect",
    method: "POST",
    path: "/replicas/:replica_id/drain",
    status: 200,
    auth: true,
    params: ReplicaPath,
    query: nothing,
    body: nothing,
    output: ReplicaObject,
  },
  undrain: {
    summary: "Take back a drain",
    method: "POST",
    path: "/replicas/:replica_id/undrain",
    status: 200,
    auth: true,
    params: ReplicaPath,
    query: nothing,
    body: nothing,
    output: ReplicaObject,
  },
  placement: {
    summary: "Where a start of this image would go now, and why",
    method: "GET",
    path: "/placement",
    status: 200,
    auth: true,
    params: nothing,
    query: z.object({ image: single.pipe(z.string().trim().min(1).max(512)) }),
    body: nothing,
    output: PlacementObject,
  },
  ...prefetchRoutes,
  ...pinRoutes,
} as const satisfies Record<string, Route>;

export type AdminRoutes = typeof adminRoutes;
