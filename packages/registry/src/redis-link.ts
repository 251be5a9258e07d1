import { ServiceError } from "@remote-runtime/protocol";
import { closeRedisClient, createRedisClient, REDIS_DEADLINE_MS } from "./redis-client.ts";
import { RefusalError } from "./refusal.ts";
import type { ScriptedRedis } from "./redis-scripts.ts";
import type { RedisTarget } from "./redis-url.ts";

/** Where the state of the connection is told; a pino logger fits. */
export interface RegistryLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
}

/** The connection for commands: it comes back by itself, and says at once when it is away. */
export interface RedisLink {
  /**
   * Runs commands. Throws ServiceError `unavailable`: at once without a connection, else 1 s after the call. What was
   * sent by then may still happen.
   */
  call<T>(work: (redis: ScriptedRedis) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

/** `onStall` is called when Redis has stopped answering on a connection that looks alive. */
export function createRedisLink(deps: {
  target: RedisTarget;
  log: RegistryLog | undefined;
  onStall: () => void;
}): RedisLink {
  const { target, log, onStall } = deps;
  const redis = createRedisClient(target, { lazy: false });
  const trouble = watchTrouble(redis, target.name, log);
  let closed = false;

  // Only the very first attempt is waited for: later a missing connection is a fact to tell at once.
  const firstAttempt = new Promise<void>((resolve) => {
    redis.once("ready", resolve);
    redis.once("close", resolve);
  });

  return {
    async call(work) {
      if (closed) throw new ServiceError("unavailable", "the registry is closed");
      const heardBefore = heardBytes(redis);
      try {
        return await withinDeadline(async () => {
          await firstAttempt;
          return await work(redis);
        });
      } catch (error) {
        const reason = trouble.reasonOf(error);
        // Answers come in order: where none has come, what is behind this command gets none either. On a new connection the
        // handshake finds out when Redis answers again; until then callers need not wait. One that is merely slow is kept.
        if (reason === NO_ANSWER && isUsable(redis) && heardBytes(redis) === heardBefore) {
          trouble.enter(reason);
          redis.disconnect(true);
          onStall();
        }
        throw new ServiceError("unavailable", `the registry at ${target.name}: ${reason}`, {
          cause: withoutCommand(error),
        });
      }
    },
    async close() {
      closed = true;
      trouble.end();
      await closeRedisClient(redis);
    },
  };
}

const NO_ANSWER = `no answer within ${REDIS_DEADLINE_MS} ms`;

async function withinDeadline<T>(work: () => Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(NO_ANSWER)), REDIS_DEADLINE_MS);
  });
  try {
    return await Promise.race([work(), deadline]);
  } finally {
    clearTimeout(timer);
  }
}

interface Trouble {
  enter(reason: string): void;
  /** From now on nothing is logged: the connection is meant to go. */
  end(): void;
  /** Why a command failed: its own error, or else what keeps the connection away. */
  reasonOf(error: unknown): string;
}

/** Remembers why there is no connection, as commands that find none do not say it; logs each reason once. */
function watchTrouble(redis: ScriptedRedis, name: string, log: RegistryLog | undefined): Trouble {
  let current: string | undefined;
  let firstOfAttempt = true;
  let ended = false;

  function enter(reason: string): void {
    if (reason !== current && !ended)
      log?.warn({ redis: name, reason }, "the registry is unavailable");
    current = reason;
  }

  redis.on("connecting", () => {
    firstOfAttempt = true;
  });
  redis.on("ready", () => {
    current = undefined;
    log?.info({ redis: name }, "the registry is connected");
  });
  redis.on("error", (error) => {
    // What follows the first error of an attempt is its consequence ("connection is closed").
    if (firstOfAttempt) enter(messageOf(error));
    firstOfAttempt = false;
    // A database that does not exist: the library would go on in database 0.
    if (commandOf(error) === "select") redis.disconnect(true);
  });
  redis.on("close", () => {
    if (current === undefined) enter("the connection was lost");
  });

  return {
    enter,
    end: () => void (ended = true),
    reasonOf: (error) => (isUsable(redis) ? undefined : current) ?? messageOf(error),
  };
}

/** A connection that is just being closed still has the status `ready`. */
function isUsable(redis: ScriptedRedis): boolean {
  return redis.status === "ready" && redis.stream.writable;
}

function heardBytes(redis: ScriptedRedis): number {
  return redis.status === "ready" ? redis.stream.bytesRead : 0;
}

/** The library puts the command with its arguments on its errors: passwords and the keys of sandboxes. */
function withoutCommand(error: unknown): Error {
  const isAnswer = error instanceof Error && error.name === "ReplyError";
  return isAnswer ? new RefusalError(messageOf(error)) : new Error(messageOf(error));
}

function messageOf(error: unknown): string {
  // A host with several addresses fails with one error per address and no message of its own.
  if (error instanceof AggregateError) return error.errors.map(messageOf).join("; ");
  const message = error instanceof Error ? error.message : String(error);
  return message === "Command timed out" ? NO_ANSWER : message;
}

function commandOf(error: unknown): unknown {
  if (!(error instanceof Error) || !("command" in error)) return undefined;
  const { command } = error;
  if (typeof command !== "object" || command === null || !("name" in command)) return undefined;
  return command.name;
}
