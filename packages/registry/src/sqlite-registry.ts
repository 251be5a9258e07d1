import { ServiceError } from "@remote-runtime/protocol";
import type { DatabaseSync } from "node:sqlite";
import { createChangeListeners, type ChangeListeners } from "./change-listeners.ts";
import { isStopped } from "./is-stopped.ts";
import { memoryPullLeases } from "./memory-pull-leases.ts";
import { moveRecord } from "./move-record.ts";
import { parseEntry } from "./parse-entry.ts";
import { RuntimeRecord } from "./record.ts";
import type { Registry, SessionKey } from "./registry.ts";
import { RuntimeId } from "./runtime-id.ts";
import { openSqliteDatabase } from "./sqlite-database.ts";
import { expiry } from "./sqlite-expiry.ts";
import { sqlitePins } from "./sqlite-pins.ts";
import { sqlitePresence } from "./sqlite-presence.ts";

/**
 * A registry in one file for one process; it outlives a kill of that process. `now` is milliseconds since the epoch
 * and decides what has expired. `onChange` tells of changes made through this object only.
 * Opening throws ServiceError when the file is locked, damaged or of a newer version.
 */
export function createSqliteRegistry(options: { path: string; now: () => number }): Registry {
  const { path, now } = options;
  const { db, guard } = openSqliteDatabase(path);
  const changes = createChangeListeners();

  /** Every method goes through here, so that all of them end with close() and throw ServiceErrors only. */
  async function open<T>(work: () => T): Promise<T> {
    if (!db.isOpen) throw new ServiceError("unavailable", "the registry is closed");
    return guard(work);
  }

  return {
    ...sqlitePresence({ db, open, now, changes }),
    ...sqlitePins({ db, open, changes }),
    ...groups({ db, open, now, changes }),
    ...memoryPullLeases({ open, now }),
    ...sessions({ db, open }),
    ...records({ db, open, now }),
    onChange: (listener) => changes.add(listener),
    async close() {
      changes.clear();
      if (db.isOpen) guard(() => db.close());
    },
  };
}

type Open = <T>(work: () => T) => Promise<T>;

function groups(deps: {
  db: DatabaseSync;
  open: Open;
  now: () => number;
  changes: ChangeListeners;
}): Pick<Registry, "shareGroup" | "tellStarts"> {
  const { db, open, now, changes } = deps;
  const get = db.prepare("SELECT replica_id FROM image_group WHERE image = ? AND expires_at > ?");
  const put = db.prepare(
    "REPLACE INTO image_group (image, replica_id, expires_at) VALUES (?, ?, ?)",
  );
  const prolong = db.prepare(
    "UPDATE image_group SET expires_at = ? WHERE image = ? AND expires_at > ?",
  );

  return {
    shareGroup: (image, replicaId, ttlMs, replacing) =>
      open(() => {
        const holder = get.get(image, now())?.["replica_id"];
        const isFree = holder === undefined || holder === replacing || holder === replicaId;
        if (!isFree) return String(holder);
        put.run(image, replicaId, expiry(now(), ttlMs));
        if (holder !== replicaId) changes.notify({ kind: "group", image, replicaId });
        return replicaId;
      }),
    tellStarts: (by, starts, ttlMs) =>
      open(() => {
        for (const { image } of starts) prolong.run(expiry(now(), ttlMs), image, now());
        if (starts.length > 0) changes.notify({ kind: "starts", by, starts });
      }),
  };
}

function sessions(deps: {
  db: DatabaseSync;
  open: Open;
}): Pick<Registry, "claimSession" | "sessionHolder"> {
  const { db, open } = deps;
  const get = db.prepare("SELECT runtime_id FROM session WHERE owner = ? AND session_id = ?");
  const put = db.prepare("REPLACE INTO session (owner, session_id, runtime_id) VALUES (?, ?, ?)");
  const holderOf = (key: SessionKey) =>
    RuntimeId.safeParse(get.get(key.owner, key.sessionId)?.["runtime_id"]).data;

  return {
    claimSession: (key, runtimeId, replacing) =>
      // One process owns the file and this runs to its end in one turn, so looking and writing are one step.
      open(() => {
        const holder = holderOf(key);
        if (holder !== undefined && holder !== replacing) return holder;
        put.run(key.owner, key.sessionId, runtimeId);
        return runtimeId;
      }),
    sessionHolder: (key) => open(() => holderOf(key)),
  };
}

type Records = Pick<
  Registry,
  "putRecord" | "takeOver" | "removeRecord" | "record" | "records" | "recordsOfReplica"
>;

function records(deps: { db: DatabaseSync; open: Open; now: () => number }): Records {
  const { db, open, now } = deps;
  const unexpired = "(expires_at IS NULL OR expires_at > ?)";
  const get = db.prepare(`SELECT replica_id, body FROM record WHERE id = ? AND ${unexpired}`);
  const list = db.prepare(`SELECT body FROM record WHERE replica_id = ? AND ${unexpired}`);
  const listLive = db.prepare(
    "SELECT body FROM record WHERE replica_id = ? AND expires_at IS NULL",
  );
  const remove = db.prepare("DELETE FROM record WHERE id = ? AND replica_id = ?");
  const put = db.prepare(
    "REPLACE INTO record (id, replica_id, body, expires_at) VALUES (?, ?, ?, ?)",
  );
  const release = db.prepare(
    "DELETE FROM session WHERE owner = ? AND session_id = ? AND runtime_id = ?",
  );
  const move = db.prepare("UPDATE record SET replica_id = ?, body = ? WHERE id = ?");
  const bodyOf = (id: string) => get.get(id, now())?.["body"];
  const read = (id: string) => parseEntry(RuntimeRecord, bodyOf(id));

  return {
    putRecord: (record, ttlMs) =>
      open(() => {
        const stored = get.get(record.id, now());
        const owner = stored?.["replica_id"];
        if (owner !== undefined && owner !== record.replicaId) return String(owner);
        if (record.desired !== "stopped" && isStopped(stored?.["body"])) return record.replicaId;
        const expiresAt = ttlMs === undefined ? null : expiry(now(), ttlMs);
        // First: one whose end is not on record yet claims its session again.
        if (ttlMs !== undefined) release.run(record.owner, record.sessionId, record.id);
        put.run(record.id, record.replicaId, JSON.stringify(record), expiresAt);
        return undefined;
      }),
    takeOver: (runtimeId, from, to) =>
      open(() => {
        const moved = moveRecord(bodyOf(runtimeId), from, to);
        if (moved !== undefined) move.run(to, moved.text, runtimeId);
        return moved?.record;
      }),
    removeRecord: (runtimeId, replicaId) => open(() => void remove.run(runtimeId, replicaId)),
    record: (runtimeId) => open(() => read(runtimeId)),
    records: (runtimeIds) =>
      open(() => {
        const found = runtimeIds.map(read).filter((record) => record !== undefined);
        return new Map(found.map((record) => [record.id, record]));
      }),
    recordsOfReplica: (replicaId, { live } = { live: false }) =>
      open(() =>
        (live ? listLive.all(replicaId) : list.all(replicaId, now()))
          .map((row) => parseEntry(RuntimeRecord, row["body"]))
          .filter((record) => record !== undefined),
      ),
  };
}
