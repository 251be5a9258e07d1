import { ServiceError } from "@remote-runtime/protocol";
import { z } from "zod";
import { createChangeListeners, type ChangeListeners } from "./change-listeners.ts";
import { isStopped } from "./is-stopped.ts";
import { createMemoryEntries } from "./memory-entries.ts";
import { createMemoryLeases } from "./memory-leases.ts";
import { memoryPins } from "./memory-pins.ts";
import { memoryPresence } from "./memory-presence.ts";
import { memoryPullLeases } from "./memory-pull-leases.ts";
import { moveRecord } from "./move-record.ts";
import { parseEntry } from "./parse-entry.ts";
import { RuntimeRecord } from "./record.ts";
import type { Registry, SessionKey } from "./registry.ts";
import { RuntimeId } from "./runtime-id.ts";

/**
 * A registry that lives and ends with this object: for tests, and the reference for the others.
 * `now` is milliseconds since the epoch and decides what has expired.
 */
export function createMemoryRegistry(options: { now: () => number }): Registry {
  const { now } = options;
  const changes = createChangeListeners();
  const sessions = createSessions();
  let closed = false;

  /** Every method goes through here, so that all of them end with close(). */
  async function open<T>(work: () => T): Promise<T> {
    if (closed) throw new ServiceError("unavailable", "the registry is closed");
    return work();
  }

  return {
    ...memoryPresence({ open, now, changes }),
    ...memoryPins({ open, changes }),
    ...groups({ open, now, changes }),
    ...memoryPullLeases({ open, now }),
    ...records({ open, now, sessions }),
    claimSession: (key, runtimeId, replacing) =>
      open(() => sessions.claim(key, runtimeId, replacing)),
    sessionHolder: (key) => open(() => sessions.holderOf(key)),
    onChange: (listener) => changes.add(listener),
    async close() {
      closed = true;
      changes.clear();
    },
  };
}

type Open = <T>(work: () => T) => Promise<T>;

function groups(deps: {
  open: Open;
  now: () => number;
  changes: ChangeListeners;
}): Pick<Registry, "shareGroup" | "tellStarts"> {
  const { open, now, changes } = deps;
  const leases = createMemoryLeases(now);
  return {
    shareGroup: (image, replicaId, ttlMs, replacing) =>
      open(() => {
        const group = { name: image, wanted: replicaId, ttlMs, replacing };
        const { holder, isNew } = leases.take(group);
        if (isNew) changes.notify({ kind: "group", image, replicaId });
        return holder;
      }),
    tellStarts: (by, starts, ttlMs) =>
      open(() => {
        for (const { image } of starts) leases.prolong(image, ttlMs);
        if (starts.length > 0) changes.notify({ kind: "starts", by, starts });
      }),
  };
}

type Sessions = ReturnType<typeof createSessions>;

function createSessions() {
  const holders = new Map<string, string>();
  const keyText = (key: SessionKey) => JSON.stringify([key.owner, key.sessionId]);
  const holderOf = (key: SessionKey) => RuntimeId.safeParse(holders.get(keyText(key))).data;

  return {
    holderOf,
    claim(key: SessionKey, runtimeId: string, replacing: string | undefined): string {
      const holder = holderOf(key);
      if (holder !== undefined && holder !== replacing) return holder;
      holders.set(keyText(key), runtimeId);
      return runtimeId;
    },
    release(key: SessionKey, runtimeId: string): void {
      if (holderOf(key) === runtimeId) holders.delete(keyText(key));
    },
  };
}

type Records = Pick<
  Registry,
  "putRecord" | "takeOver" | "removeRecord" | "record" | "records" | "recordsOfReplica"
>;

/** Of a record of any version. */
const Owned = z.object({ replicaId: z.string() });

function records(deps: { open: Open; now: () => number; sessions: Sessions }): Records {
  const { open, now, sessions } = deps;
  const entries = createMemoryEntries(now);
  const read = (id: string) => parseEntry(RuntimeRecord, entries.get(id)?.text);
  const ownerOf = (id: string) => parseEntry(Owned, entries.get(id)?.text)?.replicaId;

  return {
    putRecord: (record, ttlMs) =>
      open(() => {
        const owner = ownerOf(record.id);
        if (owner !== undefined && owner !== record.replicaId) return owner;
        if (record.desired !== "stopped" && isStopped(entries.get(record.id)?.text)) {
          return record.replicaId;
        }
        const expiresAt = now() + (ttlMs ?? Number.POSITIVE_INFINITY);
        entries.set(record.id, { text: JSON.stringify(record), expiresAt });
        if (ttlMs !== undefined) sessions.release(record, record.id);
        return undefined;
      }),
    takeOver: (runtimeId, from, to) =>
      open(() => {
        const entry = entries.get(runtimeId);
        const moved = moveRecord(entry?.text, from, to);
        if (entry !== undefined && moved !== undefined) entry.text = moved.text;
        return moved?.record;
      }),
    removeRecord: (runtimeId, replicaId) =>
      open(() => {
        if (ownerOf(runtimeId) === replicaId) entries.delete(runtimeId);
      }),
    record: (runtimeId) => open(() => read(runtimeId)),
    records: (runtimeIds) =>
      open(() => {
        const found = runtimeIds.map(read).filter((record) => record !== undefined);
        return new Map(found.map((record) => [record.id, record]));
      }),
    recordsOfReplica: (replicaId, { live } = { live: false }) =>
      open(() =>
        entries
          .ids()
          .filter((id) => !live || entries.get(id)?.expiresAt === Number.POSITIVE_INFINITY)
          .map(read)
          .filter((record) => record !== undefined)
          .filter((record) => record.replicaId === replicaId),
      ),
  };
}
