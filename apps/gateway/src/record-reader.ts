import { ServiceError, type CallContext, type RuntimeObject } from "@remote-runtime/protocol";
import type { Registry, RuntimeRecord } from "@remote-runtime/registry";
import { isLive, viewOf, type Clock } from "@remote-runtime/runtime";
import type { Directory } from "./directory.ts";
import type { ReplicaCaller } from "./replica-caller.ts";

/** What the registry says of one thing. */
export type Found<T> =
  | { kind: "found"; value: T }
  | { kind: "none" }
  | { kind: "registry-away"; error: ServiceError };

/** Speaks for replicas that are away, from what they have put on record. */
export interface RecordReader {
  /** The caller's own runtime of that id; another owner's is `none`. A live one of a lost replica reads as failed. */
  record(id: string, owner: string): Promise<Found<RuntimeRecord>>;
  /** The id of the runtime that has the session. */
  holder(sessionId: string, owner: string): Promise<Found<string>>;
  /** The caller's runtimes on these replicas that have not ended. Throws when the registry is away. */
  recordsOf(replicaIds: readonly string[], owner: string): Promise<RuntimeRecord[]>;
  /** Whether a replica has been gone for so long that what it had counts as lost. */
  isLost(replicaId: string): boolean;
  view(record: RuntimeRecord, context: CallContext, options?: { truthful: boolean }): RuntimeObject;
  /**
   * Ends the runtime of a replica that is not there; that one removes the container if it comes back. Throws `unavailable`
   * when another one has just taken it over.
   */
  end(record: RuntimeRecord): Promise<RuntimeRecord>;
}

export type RecordReaderOptions = {
  directory: Directory;
  registry: Registry;
  caller: ReplicaCaller;
  clock: Clock;
  wildcardBase: string | null;
  /** A replica that is gone for so long does not come back; Infinity: one always may. */
  lostAfterMs: number;
};

/** A replica that comes back after such a time must still find what it has to remove. */
const ENDED_MS = 7 * 24 * 60 * 60 * 1000;

export function createRecordReader(options: RecordReaderOptions): RecordReader {
  const { directory, registry, caller, clock, wildcardBase, lostAfterMs } = options;

  function asOfNow(record: RuntimeRecord): RuntimeRecord {
    const goneMs = directory.absentMs(record.replicaId);
    if (!isLive(record) || goneMs < lostAfterMs) return record;
    const reason = `its replica ${record.replicaId} has been gone for ${Math.floor(goneMs / 1000)} s`;
    return {
      ...record,
      verdict: "replica_lost",
      observed: { state: "failed", verdict: "replica_lost", reason },
    };
  }

  async function find<T>(read: () => Promise<T | undefined>): Promise<Found<T>> {
    try {
      const value = await read();
      return value === undefined ? { kind: "none" } : { kind: "found", value };
    } catch (error) {
      return { kind: "registry-away", error: ServiceError.from(error) };
    }
  }

  return {
    async record(id, owner) {
      const found = await find(() => registry.record(id));
      if (found.kind !== "found") return found;
      if (found.value.owner !== owner) return { kind: "none" };
      directory.remember(id, found.value.replicaId);
      return { kind: "found", value: asOfNow(found.value) };
    },

    holder: (sessionId, owner) => find(() => registry.sessionHolder({ owner, sessionId })),

    async recordsOf(replicaIds, owner) {
      const lists = await Promise.all(
        replicaIds.map((id) => registry.recordsOfReplica(id, { live: true })),
      );
      return lists
        .flat()
        .filter((record) => record.owner === owner)
        .map(asOfNow);
    },

    isLost: (replicaId) => directory.absentMs(replicaId) >= lostAfterMs,

    view(record, { request }, viewOptions) {
      const known = directory.snapshot().replicas.get(record.replicaId);
      const replica = known ?? directory.absent().find(({ id }) => id === record.replicaId);
      const base = replica ? caller.baseUrl(replica, request) : record.publicBase;
      return viewOf(record, { base, wildcardBase }, viewOptions);
    },

    async end(record) {
      const { verdict, endedAt } = record;
      const ended: RuntimeRecord = {
        ...record,
        desired: "stopped",
        verdict: verdict ?? "stopped",
        endedAt: endedAt ?? clock.now(),
      };
      const owner = await registry.putRecord(ended, ENDED_MS);
      if (owner !== undefined) {
        const problem = `replica ${owner} has just taken over runtime ${record.id}; ask again`;
        throw new ServiceError("unavailable", problem);
      }
      return ended;
    },
  };
}
