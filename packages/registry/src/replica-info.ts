import { z } from "zod";

/** What a replica says of itself at each heartbeat. Unknown fields of other versions are ignored. */
export const ReplicaInfo = z.object({
  id: z.string(),
  /** One life of the process that has this id; empty where an older version wrote it. */
  instance: z.string().default(""),
  /** Four of [a-z]: the first letters of every runtime id that it makes. */
  tag: z.string().regex(/^[a-z]{4}$/),
  /** Where gateways reach it, e.g. `http://10.0.0.7:8000`. */
  internalUrl: z.string(),
  /** Where clients reach it, where that is configured; else they take `publicPort` on the host they know already. */
  publicUrl: z.string().nullable(),
  publicPort: z.number().int(),
  /** The engine's own id: replicas that share an engine share its images. */
  engineId: z.string(),
  /** Capacity, relative to the others. */
  weight: z.number().positive(),
  version: z.string(),
  /** Runtimes that hold compute (starting or running) or wait for it. */
  load: z.number().int(),
  /** Runtimes that it has, paused ones included. */
  runtimes: z.number().int().default(0),
  /** Grows within one instance with each change of the others here: of two announcements the larger one is later. */
  loadVersion: z.number().int().default(0),
  /** Canonical references of the images that are being pulled now. */
  pulling: z.array(z.string()).default([]),
  draining: z.boolean(),
  /** What its engine's disk takes before images have to go. Absent: it does not say. */
  roomBytes: z.number().optional(),
});
export type ReplicaInfo = z.infer<typeof ReplicaInfo>;
