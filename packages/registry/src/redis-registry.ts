import { ServiceError } from "@remote-runtime/protocol";
import { randomUUID } from "node:crypto";
import { z } from "zod";
import type { Change } from "./change.ts";
import { createChangeListeners } from "./change-listeners.ts";
import { createKeys, type Keys } from "./keys.ts";
import { parseChange } from "./redis-change.ts";
import { wholeMs } from "./redis-entries.ts";
import { createRedisEpoch, type RedisEpoch } from "./redis-epoch.ts";
import { createRedisLink, type RedisLink, type RegistryLog } from "./redis-link.ts";
import { redisPins } from "./redis-pins.ts";
import { redisPresence } from "./redis-presence.ts";
import { redisRecords } from "./redis-records.ts";
import { createRedisSubscription } from "./redis-subscription.ts";
import { parseRedisUrl } from "./redis-url.ts";
import type { Registry } from "./registry.ts";
import { RuntimeId } from "./runtime-id.ts";

const DEFAULT_PREFIX = "remote-runtime:";

/**
 * A registry for any number of processes, in one Redis (6.2 or later): `redis://user:password@host:6379/0`, `rediss://` for TLS.
 * It is usable at once: the first calls wait for the connection, up to 1 s. Without a connection every call throws
 * ServiceError `unavailable` at once, and works again by itself when Redis is back, be it empty; then `onChange` tells
 * of an `unknown` change. That Redis has become empty is noticed by `sessionHolder` and `replicas`: then `onChange` tells
 * of a `lost` one. `prefix` (default `remote-runtime:`) and the database number keep registries apart.
 * Throws ServiceError `bad_request` for a URL that is none.
 */
export function createRedisRegistry(options: {
  url: string;
  prefix?: string;
  log?: RegistryLog;
}): Registry {
  const target = parseRedisUrl(options.url);
  const keys = createKeys({ prefix: options.prefix ?? DEFAULT_PREFIX, db: target.db });
  const changes = createChangeListeners();
  const subscription = createRedisSubscription({
    target,
    channel: keys.changeChannel,
    onMessage: (message) => changes.notify(parseChange(message)),
    onSubscribed: () => changes.notify({ kind: "unknown" }),
  });
  const epoch = createRedisEpoch({ key: keys.epoch, changes, makeText: randomUUID });
  const link = createRedisLink({ target, log: options.log, onStall: () => subscription.reset() });
  return {
    ...redisPresence(link, keys, epoch),
    ...redisPins(link, keys, epoch),
    ...groups(link, keys),
    ...pullLeases(link, keys),
    ...sessions(link, keys, epoch),
    ...redisRecords(link, keys),
    onChange(listener) {
      subscription.start();
      return changes.add(listener);
    },
    async close() {
      changes.clear();
      await Promise.all([link.close(), subscription.close()]);
    },
  };
}

/** So many fit in one message, however long the names are. */
const MOST_STARTS = 100;

function groups(link: RedisLink, keys: Keys): Pick<Registry, "shareGroup" | "tellStarts"> {
  return {
    shareGroup: (image, replicaId, ttlMs, replacing = "") =>
      link.call(async (redis) => {
        const change: Change = { kind: "group", image, replicaId };
        const tell = [keys.changeChannel, JSON.stringify(change)];
        const values = [replicaId, wholeMs(ttlMs), replacing, ...tell];
        return z.string().parse(await redis.takeLease(keys.group(image), ...values));
      }),
    tellStarts: (by, starts, ttlMs) =>
      link.call(async (redis) => {
        // Commands that are given together go out together.
        const prolonged = starts.map(({ image }) =>
          redis.pexpire(keys.group(image), wholeMs(ttlMs)),
        );
        const told = Array.from({ length: Math.ceil(starts.length / MOST_STARTS) }, (_, part) => {
          const some = starts.slice(part * MOST_STARTS, (part + 1) * MOST_STARTS);
          const change: Change = { kind: "starts", by, starts: some };
          return redis.publish(keys.changeChannel, JSON.stringify(change));
        });
        await Promise.all([...prolonged, ...told]);
      }),
  };
}

function pullLeases(link: RedisLink, keys: Keys): Pick<Registry, "leasePull" | "releasePull"> {
  return {
    leasePull: (image, engineId, ttlMs) =>
      link.call(async (redis) => {
        const values = [engineId, wholeMs(ttlMs), "", "", ""];
        return z.string().parse(await redis.takeLease(keys.pull(image), ...values));
      }),
    async releasePull(image, engineId) {
      await link.call((redis) => redis.releaseLease(keys.pull(image), engineId));
    },
  };
}

function sessions(
  link: RedisLink,
  keys: Keys,
  epoch: RedisEpoch,
): Pick<Registry, "claimSession" | "sessionHolder"> {
  return {
    claimSession: (key, runtimeId, replacing = "") =>
      link.call(async (redis) =>
        z.string().parse(await redis.takeSession(keys.session(key), runtimeId, replacing)),
      ),
    async sessionHolder(key) {
      const { holder, hasLost } = await link.call(async (redis) => {
        const before = epoch.seen();
        const [holder, text = null] = await redis.mget(keys.session(key), epoch.key);
        return { holder, hasLost: await epoch.hasLost(redis, { before, text }) };
      });
      if (hasLost) {
        throw new ServiceError("unavailable", "the registry has lost what it knew; try again");
      }
      return RuntimeId.safeParse(holder).data;
    },
  };
}
