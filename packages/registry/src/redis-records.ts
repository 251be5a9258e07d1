import { ServiceError } from "@remote-runtime/protocol";
import { z } from "zod";
import type { Keys } from "./keys.ts";
import { moveRecord } from "./move-record.ts";
import { parseEntry } from "./parse-entry.ts";
import { RuntimeRecord } from "./record.ts";
import { healIndex, readAll, readText, wholeMs } from "./redis-entries.ts";
import type { RedisLink } from "./redis-link.ts";
import type { ScriptedRedis } from "./redis-scripts.ts";
import type { Registry } from "./registry.ts";

/** So many records are asked for at once, so that none waits long behind them. */
const RECORDS_PER_READ = 200;
/** A record that somebody writes at this very moment is read again. */
const MOVE_TRIES = 5;

const Owner = z.string().nullable();

/** The records of runtimes, for the registry in Redis. */
export function redisRecords(
  link: RedisLink,
  keys: Keys,
): Pick<
  Registry,
  "putRecord" | "takeOver" | "removeRecord" | "record" | "records" | "recordsOfReplica"
> {
  return {
    async putRecord(record, ttlMs) {
      const { id, replicaId, desired } = record;
      const places = [keys.record(id), keys.recordIndex(replicaId), keys.session(record)];
      const ttl = ttlMs === undefined ? "" : wholeMs(ttlMs);
      const values = [JSON.stringify(record), ttl, id, replicaId, desired];
      const owner = await link.call((redis) => redis.putRecord(...places, ...values));
      return Owner.parse(owner) ?? undefined;
    },
    takeOver: (runtimeId, from, to) =>
      link.call((redis) => takeOver(redis, { keys, runtimeId, from, to })),
    async removeRecord(runtimeId, replicaId) {
      const places = [keys.record(runtimeId), keys.recordIndex(replicaId)];
      await link.call((redis) => redis.removeRecord(...places, runtimeId, replicaId));
    },
    record: (runtimeId) =>
      link.call(async (redis) =>
        parseEntry(RuntimeRecord, await readText(redis, keys.record(runtimeId))),
      ),
    async records(runtimeIds) {
      const found = new Map<string, RuntimeRecord>();
      for (const ids of parts(runtimeIds)) {
        const texts = await link.call((redis) => readAll(redis, ids.map(keys.record)));
        for (const text of texts) {
          const record = parseEntry(RuntimeRecord, text);
          if (record !== undefined) found.set(record.id, record);
        }
      }
      return found;
    },
    async recordsOfReplica(replicaId, { live } = { live: false }) {
      const index = keys.recordIndex(replicaId);
      const first = live ? "+inf" : "-inf";
      const all = await link.call((redis) => redis.zrangebyscore(index, first, "+inf"));
      const found: RuntimeRecord[] = [];
      for (const ids of parts(all)) {
        const read = (redis: ScriptedRedis) => readRecords(redis, { keys, replicaId, ids });
        found.push(...(await link.call(read)));
      }
      return found;
    },
  };
}

/** Reads and compares instead of changing it within Redis, whose JSON loses empty lists and digits. */
async function takeOver(
  redis: ScriptedRedis,
  move: { keys: Keys; runtimeId: string; from: string; to: string },
): Promise<RuntimeRecord | undefined> {
  const { keys, runtimeId, from, to } = move;
  const places = [keys.record(runtimeId), keys.recordIndex(from), keys.recordIndex(to)];
  for (let tries = 0; tries < MOVE_TRIES; tries += 1) {
    const before = await readText(redis, keys.record(runtimeId));
    const moved = moveRecord(before, from, to);
    if (before === null || moved === undefined) return undefined;
    const done = await redis.moveRecord(...places, before, moved.text, runtimeId);
    if (done === 1) return moved.record;
  }
  throw new ServiceError("unavailable", `the record of ${runtimeId} is being written all the time`);
}

async function readRecords(
  redis: ScriptedRedis,
  from: { keys: Keys; replicaId: string; ids: string[] },
): Promise<RuntimeRecord[]> {
  const { keys, replicaId, ids } = from;
  const own: RuntimeRecord[] = [];
  const stale: string[] = [];
  const texts = await readAll(redis, ids.map(keys.record));
  ids.forEach((id, i) => {
    const record = parseEntry(RuntimeRecord, texts[i]);
    if (record?.replicaId === replicaId) own.push(record);
    // What does not parse stays: it is the record of another version.
    else if (record !== undefined || texts[i] === null) stale.push(id);
  });
  const index = keys.recordIndex(replicaId);
  await healIndex(redis, { index, of: replicaId, ids: stale, keyOf: keys.record });
  return own;
}

function* parts(ids: readonly string[]): Iterable<string[]> {
  for (let start = 0; start < ids.length; start += RECORDS_PER_READ) {
    yield ids.slice(start, start + RECORDS_PER_READ);
  }
}
