import { setTimeout as delay } from "node:timers/promises";
import { z } from "zod";
import { redisCommand } from "../support/redis-command.ts";
import type { SeededRandom } from "../support/seeded-random.ts";
import { until } from "../support/until.ts";
import type { Cluster } from "./cluster.ts";
import type { Member } from "./member.ts";
import type { Promises } from "./promises.ts";
import { keysIn, PREFIX, replicaStates } from "./published.ts";

/** One thing that happens to a cluster. */
export type Fault = {
  what: string;
  /** Whether sessions cannot be claimed meanwhile. */
  isOfRegistry: boolean;
  /** Does the damage and repairs it; returns when everything runs again. */
  happen: () => Promise<void>;
};

type Kind = (cluster: Cluster, random: SeededRandom) => Fault;

const Wanted = z.object({ desired: z.string() });
/** Milliseconds, least and most. */
type Span = readonly [number, number];
const AWAY: Span = [0, 1_500];
const PAUSE: Span = [500, 2_500];
/** Beyond some 10 s a neighbour has taken everything over when it goes on. */
const LONG_PAUSE: Span = [9_000, 11_000];
/**
 * By the clock of a gateway that stood still for the 3 s that it waits for an answer, all replicas and the registry were silent
 * for too long, and reads that were under way are 503.
 */
const GATEWAY_PAUSE: Span = [300, 1_500];
const KINDS: readonly Kind[] = [
  ({ gateways }, random) => end(random.pick(gateways), "SIGKILL", random),
  ({ gateways }, random) => end(random.pick(gateways), "SIGTERM", random),
  ({ gateways }, random) => standStill(random.pick(gateways), within(GATEWAY_PAUSE, random)),
  ({ replicas }, random) => end(random.pick(replicas), "SIGKILL", random),
  ({ replicas }, random) => end(random.pick(replicas), "SIGTERM", random),
  ({ replicas }, random) => standStill(random.pick(replicas), within(PAUSE, random)),
  ({ replicas }, random) => standStill(random.pick(replicas), within(LONG_PAUSE, random)),
  pauseRedis,
  loseRedis,
];
/** All is published again 5 s after the return of an empty Redis, and what waited for it 2 s later. */
const HEALED_MS = 15_000;

/** Every kind of fault once, in an order and with a length by the random numbers, then so many `more` of any kind. */
export function chaosFaults(cluster: Cluster, random: SeededRandom, more: number): Fault[] {
  const kinds: Kind[] = [];
  while (kinds.length < KINDS.length)
    kinds.push(random.pick(KINDS.filter((kind) => !kinds.includes(kind))));
  for (let i = 0; i < more; i += 1) kinds.push(random.pick(KINDS));
  return kinds.map((kind) => kind(cluster, random));
}

function within([least, most]: Span, random: SeededRandom): number {
  return Math.round(least + random.next() * (most - least));
}

function end(server: Member, signal: "SIGKILL" | "SIGTERM", random: SeededRandom): Fault {
  const awayMs = within(AWAY, random);
  return {
    what: `${signal} of ${server.id}, for ${awayMs} ms`,
    isOfRegistry: false,
    async happen() {
      await server.kill(signal);
      await delay(awayMs);
      await server.restart();
    },
  };
}

function standStill(server: Member, pauseMs: number): Fault {
  return {
    what: `${server.id} stands still for ${pauseMs} ms`,
    isOfRegistry: false,
    async happen() {
      server.signal("SIGSTOP");
      try {
        await delay(pauseMs);
      } finally {
        server.signal("SIGCONT");
      }
    },
  };
}

function pauseRedis({ redis }: Cluster, random: SeededRandom): Fault {
  const pauseMs = within(PAUSE, random);
  return {
    what: `Redis stands still for ${pauseMs} ms`,
    isOfRegistry: true,
    async happen() {
      await redis.pause();
      try {
        await delay(pauseMs);
      } finally {
        await redis.unpause();
      }
    },
  };
}

function loseRedis({ redis }: Cluster, random: SeededRandom): Fault {
  const awayMs = within(AWAY, random);
  return {
    what: `Redis is killed for ${awayMs} ms, and empty then`,
    isOfRegistry: true,
    async happen() {
      await redis.kill();
      await delay(awayMs);
      await redis.restart();
    },
  };
}

/** Until one fault is over for good, as two at once may cost something: what was promised by now is on record. */
export async function untilHealed(
  { gateways, replicas, redis }: Cluster,
  { kept, stopped }: Promises,
): Promise<void> {
  const live = [...kept];
  const ended = [...stopped];
  await until(
    async () => {
      const keys = new Set(await keysIn(redis.url));
      const missing = live
        // Those that were stopped since are on record no more.
        .filter(([session, id]) => kept.get(session) === id)
        .flatMap(([session, id]) => [sessionKey(session), `runtime:${id}`])
        .filter((key) => !keys.has(key));
      const left = [
        ...(await unstopped(redis.url, ended)),
        // One that stood still finds in the records what was stopped meanwhile, and nowhere else.
        ...(await Promise.all(replicas.map((one) => unstoppedAt(one, ended)))).flat(),
      ];
      const states = await Promise.all(gateways.map(({ api }) => replicaStates(api)));
      const ready = states.map((all) => all.filter(({ state }) => state === "ready").length);
      return { missing, left, ready };
    },
    ({ missing, left, ready }) =>
      missing.length + left.length === 0 && ready.every((count) => count >= replicas.length),
    { deadlineMs: HEALED_MS, what: "the end of the fault's consequences", everyMs: 100 },
  );
}

/** Those of these runtimes that a replica still has. */
async function unstoppedAt(
  { id: replicaId, api }: Member,
  ids: readonly string[],
): Promise<string[]> {
  const live = await api.list();
  return live.flatMap(({ runtime_id: id }) => (ids.includes(id) ? [`${id} at ${replicaId}`] : []));
}

function sessionKey(session: string): string {
  return `session:${JSON.stringify(["alice", session])}`;
}

/** The records of those of these runtimes that are still wanted by them. */
async function unstopped(url: string, ids: readonly string[]): Promise<string[]> {
  if (ids.length === 0) return [];
  const records = await redisCommand(url, "MGET", ...ids.map((id) => `${PREFIX}runtime:${id}`));
  if (!Array.isArray(records)) throw new Error("MGET answers with a list");
  return records
    .filter((record) => typeof record === "string")
    .filter((record) => Wanted.parse(JSON.parse(record)).desired !== "stopped");
}
