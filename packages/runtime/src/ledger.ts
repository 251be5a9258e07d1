import { ServiceError } from "@remote-runtime/protocol";
import type { Registry, RuntimeRecord } from "@remote-runtime/registry";
import type { Clock } from "./clock.ts";
import type { Log } from "./log.ts";
import { claimSession } from "./claim-session.ts";
import { isPassing } from "./judge.ts";
import { patiently } from "./patiently.ts";

/** Ended runtimes are known for that long … */
export const ENDED_MS = 24 * 60 * 60 * 1000;
/** … and this many of them from memory. */
const MOST_ENDED = 5_000;
/** A connection that was lost is tried again within 1 s, and everything has its 1 s to be answered. */
const PATIENCE_MS = 5_000;

export interface Ledger {
  /**
   * Writes the record and claims the session, in the request. A registry that does not answer holds nobody up: both are
   * done when it is back. With `waits` that is given 5 s: others hear from the registry, and would not find what is not on
   * record. `replacing` had the session before, in this very replica. `conflict` when another live runtime has it.
   */
  accept(record: RuntimeRecord, how?: AcceptOptions): Promise<void>;
  /** Writes the record soon; of several states only the last one matters. */
  save(record: RuntimeRecord): void;
  /** As `save`, and its session is claimed, which the registry may not know to be its own. */
  reclaim(record: RuntimeRecord): void;
  /** The registry may have lost what was written, or others may have changed it. Ends of `drop` are told to it again. */
  distrust(): void;
  /** The runtime has ended: its session is free, its record is kept for a day. */
  conclude(record: RuntimeRecord): void;
  ended(id: string): RuntimeRecord | undefined;
  /** By id: this replica's records that are live, and those of these runtimes whoever has them, ended or not. */
  read(ids: Iterable<string>): Promise<Map<string, RuntimeRecord>>;
  /**
   * Another replica has it: nothing of it is written any more, but that it was stopped here, if it was. `stopped` is then its
   * last record, with the other replica as its owner: that one learns of the end when it finds the container gone.
   */
  drop(id: string, stopped?: RuntimeRecord): void;
  /**
   * Whether the records have been read since the registry was last away or distrusted. Until then only what is accepted
   * is written: others may have ended a runtime, and a record made from a container must not replace one that knows better.
   */
  isRead(): boolean;
  /** Tries again what could not be written. */
  retry(): Promise<void>;
}

export type AcceptOptions = { replacing?: string | undefined; waits?: boolean | undefined };

export type LedgerOptions = {
  registry: Registry;
  replicaId: string;
  /** The runtime as this replica has it in memory. */
  latest: (id: string) => RuntimeRecord | undefined;
  /** A write was refused, as that other replica has taken the runtime over. */
  onLost: (id: string, owner: string) => void;
  /** A write was refused, as a gateway has ended the runtime while this replica seemed to be gone. */
  onStopped: (id: string) => void;
  /** Its session has another live runtime: two were started while the registry could not say so. */
  onReplaced: (id: string) => void;
  clock: Clock;
  log: Log;
};

/** What a replica writes to the registry, in the background but for a start. */
export function createLedger(options: LedgerOptions): Ledger {
  const { registry, clock, log } = options;
  const unsaved = new Map<string, RuntimeRecord>();
  /** Those whose claim of their session has not reached the registry. */
  const unclaimed = new Set<string>();
  /** Those that something is written of now. */
  const writing = new Set<string>();
  const endedOnes = new Map<string, RuntimeRecord>();
  /** Those that were stopped here when other replicas had them already, whose records they are; and whether those say so. */
  const stoppedElsewhere = new Map<string, { record: RuntimeRecord; isTold: boolean }>();
  let isRead = false;
  let hasWarned = false;

  const claim = (record: RuntimeRecord, replacing?: string): Promise<void> =>
    claimSession({ registry, record, replacing, known });

  /** What is known here of a runtime is newer than what the registry says; what it says of others is all there is. */
  async function known(id: string): Promise<RuntimeRecord | undefined> {
    const own = options.latest(id) ?? endedOnes.get(id);
    if (own) return own;
    const record = await registry.record(id);
    const forgotten = isRead && record?.replicaId === options.replicaId;
    return forgotten ? undefined : record;
  }

  async function write(id: string): Promise<void> {
    if (!isRead || writing.has(id)) return;
    writing.add(id);
    try {
      for (let record = unsaved.get(id); record; record = unsaved.get(id)) {
        unsaved.delete(id);
        try {
          await put(record);
        } catch (error) {
          if (!unsaved.has(id)) unsaved.set(id, record);
          onRefused(id, error);
          return;
        }
        if (hasWarned) log.info({}, "the registry takes records again");
        hasWarned = false;
      }
    } finally {
      writing.delete(id);
    }
  }

  function onRefused(id: string, error: unknown): "again" | "away" {
    const isAway = isPassing(ServiceError.from(error));
    if (isAway) isRead = false;
    if (!hasWarned)
      log.warn({ runtime: id, err: error }, "the registry takes no records; they wait");
    hasWarned = true;
    return isAway ? "away" : "again";
  }

  async function put(record: RuntimeRecord): Promise<void> {
    const { id } = record;
    // Asked for once more while this goes on, it is done once more.
    const isUnclaimed = unclaimed.delete(id);
    const isEnded = record.desired === "stopped";
    try {
      const owner = await registry.putRecord(record, isEnded ? ENDED_MS : undefined);
      if (owner === record.replicaId) options.onStopped(id);
      else if (owner !== undefined) options.onLost(id, owner);
      else if (isUnclaimed && !isEnded) await claimLate(record);
    } catch (error) {
      if (isUnclaimed) unclaimed.add(id);
      throw error;
    }
  }

  async function claimLate(record: RuntimeRecord): Promise<void> {
    try {
      await claim(record);
    } catch (error) {
      if (!isConflict(error)) throw error;
      log.warn(
        { runtime: record.id, err: error },
        "another runtime has its session; this one ends",
      );
      options.onReplaced(record.id);
    }
  }

  function save(record: RuntimeRecord): void {
    unsaved.set(record.id, record);
    void write(record.id);
  }

  function drop(id: string, stopped?: RuntimeRecord): void {
    unsaved.delete(id);
    unclaimed.delete(id);
    endedOnes.delete(id);
    if (!stopped) return;
    stoppedElsewhere.set(id, { record: remembered(stopped), isTold: false });
    for (const [oldest, { record }] of stoppedElsewhere) {
      if (isRemembered(record, stoppedElsewhere.size)) break;
      stoppedElsewhere.delete(oldest);
    }
    void endElsewhere(id);
  }

  /** Whoever asked for its end was told that it has ended. */
  async function endElsewhere(id: string): Promise<"ended" | "again" | "away"> {
    const known = stoppedElsewhere.get(id);
    if (!known || known.isTold) return "ended";
    const { verdict, endedAt } = known.record;
    try {
      const stored = await registry.record(id);
      if (stored?.desired !== "stopped") {
        // Where the registry has lost it, this keeps the one that has the runtime from writing it anew.
        const record = stored ?? known.record;
        const owner = await registry.putRecord(
          { ...record, desired: "stopped", verdict: verdict ?? "stopped", endedAt },
          ENDED_MS,
        );
        // It has changed hands just now: once more.
        if (owner !== undefined && owner !== record.replicaId) return "again";
      }
      known.isTold = true;
      return "ended";
    } catch (error) {
      return onRefused(id, error);
    }
  }

  function isRemembered({ endedAt }: RuntimeRecord, count: number): boolean {
    return count <= MOST_ENDED && clock.now() - (endedAt ?? 0) < ENDED_MS;
  }

  /** The replica that has the runtime already, if there is one. */
  async function takeUp(record: RuntimeRecord, replacing?: string): Promise<string | undefined> {
    const owner = await registry.putRecord(record);
    if (owner === undefined) await claim(record, replacing);
    return owner;
  }

  /** It was refused: nothing of it may be found by a later life of this replica. */
  async function withdraw(record: RuntimeRecord): Promise<void> {
    unsaved.delete(record.id);
    try {
      await registry.removeRecord(record.id, record.replicaId);
    } catch {
      // The registry went away just now: it learns of the end later.
      unsaved.set(record.id, {
        ...record,
        desired: "stopped",
        verdict: "stopped",
        endedAt: clock.now(),
      });
    }
  }

  return {
    save,
    isRead: () => isRead,
    drop,
    async read(ids) {
      const live = await registry.recordsOfReplica(options.replicaId, { live: true });
      const records = new Map(live.map((record) => [record.id, record]));
      const others = [...new Set(ids)].filter((id) => !records.has(id));
      for (const [id, record] of await registry.records(others)) records.set(id, record);
      isRead = true;
      return records;
    },
    async accept(record, { replacing, waits } = {}) {
      writing.add(record.id);
      let owner: string | undefined;
      try {
        const patience = { patienceMs: waits ? PATIENCE_MS : 0, clock };
        owner = await patiently(() => takeUp(record, replacing), patience);
      } catch (error) {
        if (!isPassing(ServiceError.from(error))) {
          await withdraw(record);
          throw error;
        }
        unclaimed.add(record.id);
        if (!unsaved.has(record.id)) unsaved.set(record.id, record);
        onRefused(record.id, error);
      } finally {
        writing.delete(record.id);
      }
      if (owner !== undefined) throw takenOver(record, owner);
      void write(record.id);
    },
    reclaim(record) {
      unclaimed.add(record.id);
      save(record);
    },
    distrust() {
      isRead = false;
      for (const known of stoppedElsewhere.values()) known.isTold = false;
    },
    conclude(record) {
      const kept = remembered(record);
      endedOnes.set(kept.id, kept);
      save(kept);
      for (const [id, ended] of endedOnes) {
        if (isRemembered(ended, endedOnes.size)) return;
        endedOnes.delete(id);
        // With the registry away for so long, what is left there of it is found to be without a container some day.
        unsaved.delete(id);
        unclaimed.delete(id);
      }
    },
    ended: (id) => endedOnes.get(id),
    async retry() {
      // The first of them that finds the registry away says enough for all; what is wrong with itself holds up no other.
      for (const id of stoppedElsewhere.keys()) {
        if ((await endElsewhere(id)) === "away") return;
      }
      const [first, ...others] = unsaved.keys();
      if (first === undefined) return;
      await write(first);
      if (isRead) await Promise.all(others.map(write));
    },
  };
}

function isConflict(error: unknown): boolean {
  return error instanceof ServiceError && error.code === "conflict";
}

/** What is worth a day's memory: how it ended, not the environment and the command, which may be large and secret. */
function remembered(record: RuntimeRecord): RuntimeRecord {
  return { ...record, spec: { ...record.spec, environment: {}, command: null } };
}

/** Only where this process stood still for so long in the middle of a start that it was taken for gone. */
function takenOver({ id, replicaId }: RuntimeRecord, owner: string): ServiceError {
  const fate = owner === replicaId ? "has been stopped" : `is with replica ${owner} now`;
  return new ServiceError("conflict", `the runtime ${id} ${fate}`);
}
