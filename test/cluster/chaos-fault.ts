import { setTimeout as delay } from "node:timers/promises";
import { z } from "zod";
import { redisCommand } from "../support/redis-command.ts";
import type { SeededRandom } from "../support/seeded-random.ts";
import { until } from "../support/until.ts";
import type { Promises } from "./chaos-client.ts";
import type { Cluster } from "./cluster.ts";
import type { Member } from "./member.ts";
import { keysIn, PREFIX, replicaStates } from "./published.ts";

/** One thing that happens to a cluster. */
export type Fault = {
  what: string;
  /** Does the damage and repairs it; returns when everything runs again. */
  happen: () => Promise<void>;
};

const Wanted = z.object({ desired: z.string() });
const MOST_PAUSE_MS = 3_000;
const MOST_AWAY_MS = 1_500;
/** Beyond some 10 s a neighbour has taken everything over when it goes on. */
const LONG_PAUSE_MS = 12_000;
/** All is published again 5 s after the return of an empty Redis, and what waited for it 2 s later. */
const HEALED_MS = 15_000;

/** The next fault, and how long it lasts, by the random numbers. */
export function nextFault({ gateways, replicas, redis }: Cluster, random: SeededRandom): Fault {
  const server = random.pick([random.pick(gateways), random.pick(replicas)]);
  const signal = random.pick(["SIGKILL", "SIGTERM"] as const);
  const awayMs = Math.round(random.next() * MOST_AWAY_MS);
  const pauseMs = Math.round(random.next() * MOST_PAUSE_MS);
  const still = random.pick([server, random.pick(replicas)]);
  const stillMs =
    random.next() < 0.5 || still.app === "gateway"
      ? pauseMs
      : pauseMs + LONG_PAUSE_MS - MOST_PAUSE_MS;
  const faults: Fault[] = [
    ...[1, 2].map(() => ({
      what: `${still.id} stands still for ${stillMs} ms`,
      async happen() {
        still.signal("SIGSTOP");
        try {
          await delay(stillMs);
        } finally {
          still.signal("SIGCONT");
        }
      },
    })),
    ...[1, 2, 3].map(() => ({
      what: `${signal} of ${server.id}, for ${awayMs} ms`,
      async happen() {
        await server.kill(signal);
        await delay(awayMs);
        await server.restart();
      },
    })),
    {
      what: `Redis stands still for ${pauseMs} ms`,
      async happen() {
        await redis.pause();
        try {
          await delay(pauseMs);
        } finally {
          await redis.unpause();
        }
      },
    },
    {
      what: `Redis is killed for ${awayMs} ms, and empty then`,
      async happen() {
        await redis.kill();
        await delay(awayMs);
        await redis.restart();
      },
    },
  ];
  return random.pick(faults);
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
