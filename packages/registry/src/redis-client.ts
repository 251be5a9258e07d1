import { setTimeout as delay } from "node:timers/promises";
import { Redis } from "ioredis";
import { SCRIPTS, type ScriptedRedis } from "./redis-scripts.ts";
import type { RedisTarget } from "./redis-url.ts";

/** How long anything waits for Redis: a connection, its handshake, a command. */
export const REDIS_DEADLINE_MS = 1000;

/** How long a connection that is being closed waits for the other side. */
const CLOSE_WAIT_MS = 100;
const RETRY_STEP_MS = 50;
const RETRY_MAX_MS = 1000;
/** After this idle time the kernel asks whether the other side still exists. */
const KEEP_ALIVE_MS = 5000;

/**
 * A connection that nothing waits behind: a command either goes out now or fails now, is never sent twice, and a lost
 * connection is tried again for ever, after 1 s at most.
 */
export function createRedisClient(target: RedisTarget, options: { lazy: boolean }): ScriptedRedis {
  const redis = new Redis({
    host: target.host,
    port: target.port,
    db: target.db,
    ...(target.username === undefined ? {} : { username: target.username }),
    ...(target.password === undefined ? {} : { password: target.password }),
    ...(target.tls ? { tls: {} } : {}),
    lazyConnect: options.lazy,
    connectTimeout: REDIS_DEADLINE_MS,
    commandTimeout: REDIS_DEADLINE_MS,
    disconnectTimeout: CLOSE_WAIT_MS,
    maxLoadingRetryTime: RETRY_MAX_MS,
    keepAlive: KEEP_ALIVE_MS,
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    // Its failure would be an unhandled rejection inside the library.
    autoResubscribe: false,
    retryStrategy: (attempt) => Math.min(attempt * RETRY_STEP_MS, RETRY_MAX_MS),
    // After a failover the name leads to another server, the old connection to a read-only one.
    reconnectOnError: (error) => error.message.startsWith("READONLY"),
    scripts: SCRIPTS,
  });
  tellProtectedMode(redis);
  // `scripts` adds a method per script, which the library's types cannot know.
  return redis as ScriptedRedis;
}

const PROTECTED_MODE =
  "Redis is in protected mode and refuses other machines: give it a password (requirepass, and the same in REDIS_URL), or, where none but these servers can reach it, start it with --protected-mode no";

/**
 * The first command of a connection is what such a Redis refuses. The library takes the refusal, in which the word password
 * stands, for a password too many, writes so to the console, and says nothing but that the connection was closed.
 */
function tellProtectedMode(redis: Redis): void {
  // Of its many forms the library's own handshake uses one, and this passes on any.
  const hello = redis.hello.bind(redis) as (...words: unknown[]) => Promise<unknown>;
  const told = async (...words: unknown[]): Promise<unknown> => {
    try {
      return await hello(...words);
    } catch (error) {
      if (!(error instanceof Error) || !error.message.startsWith("DENIED")) throw error;
      const plain = new Error(PROTECTED_MODE);
      redis.emit("error", plain);
      throw plain;
    }
  };
  Object.assign(redis, { hello: told });
}

/** Ends the connection and its retries; commands that still wait for an answer fail. */
export async function closeRedisClient(redis: ScriptedRedis): Promise<void> {
  const open = ["connecting", "connect", "ready"].includes(redis.status);
  const ended = new Promise<void>((resolve) => void redis.once("end", resolve));
  redis.disconnect();
  if (open) await Promise.race([ended, delay(REDIS_DEADLINE_MS, undefined, { ref: false })]);
}
