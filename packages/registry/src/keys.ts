import type { SessionKey } from "./registry.ts";

/**
 * Every key of the project in Redis, and its one pub/sub channel. Values are JSON but for those that are one id.
 * `inventory:{id}` was a text of an earlier version and is not used again.
 */
export interface Keys {
  /** ReplicaInfo; expires unless it is announced again. */
  replica: (replicaId: string) => string;
  /** Hash: HeldImage by canonical reference, and `version`; expires with the replica's announcement. */
  images: (replicaId: string) => string;
  /** The id of the runtime that holds the session, as plain text. */
  session: (key: SessionKey) => string;
  /** RuntimeRecord; expires only where the runtime has ended. */
  record: (runtimeId: string) => string;
  /** The id of the replica that the starts of the image go to, as plain text; expires. */
  group: (image: string) => string;
  /** The id of the engine that pulls the image for all, as plain text; expires. */
  pull: (image: string) => string;
  /** Sorted set: replica ids by the time (ms) when their entry expires. */
  readonly replicaIndex: string;
  /** Sorted set: runtime ids by the time (ms) when their record expires; infinite where they are live. */
  recordIndex: (replicaId: string) => string;
  /** Sorted set: ids of the replicas that announced that engine, by the time (ms) of the last announcement. */
  engineIndex: (engineId: string) => string;
  /** A random text that was written when there was none: where it differs, all else was lost. It never expires. */
  readonly epoch: string;
  /** Set: ids of the replicas that get no new starts, as the operator wishes. */
  readonly drains: string;
  /** Hash: `Pin` by canonical reference. It never expires. */
  readonly pins: string;
  /** Sorted set: the images that were unpinned last, by the time (ms) of that. It never expires. */
  readonly unpinned: string;
  /** A `Change` as JSON; what else is said there means that anything may have changed. */
  readonly changeChannel: string;
}

export function createKeys(options: { prefix: string; db: number }): Keys {
  const { prefix, db } = options;
  return {
    replica: (replicaId) => `${prefix}replica:${replicaId}`,
    images: (replicaId) => `${prefix}images:${replicaId}`,
    // As JSON, so that no owner's name with a colon in it meets the session of another owner.
    session: ({ owner, sessionId }) => `${prefix}session:${JSON.stringify([owner, sessionId])}`,
    record: (runtimeId) => `${prefix}runtime:${runtimeId}`,
    group: (image) => `${prefix}group:${image}`,
    pull: (image) => `${prefix}pull:${image}`,
    replicaIndex: `${prefix}replicas`,
    recordIndex: (replicaId) => `${prefix}runtimes:${replicaId}`,
    engineIndex: (engineId) => `${prefix}engine:${engineId}`,
    epoch: `${prefix}epoch`,
    drains: `${prefix}drains`,
    pins: `${prefix}pins`,
    unpinned: `${prefix}unpinned`,
    // Channels are common to all databases of one Redis.
    changeChannel: `${prefix}changes:${db}`,
  };
}
