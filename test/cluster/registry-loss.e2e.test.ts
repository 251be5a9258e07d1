import { expect, test } from "vitest";
import { redisCommand } from "../support/redis-command.ts";
import { stubStart } from "../support/stub-start.ts";
import { until } from "../support/until.ts";
import { WireRuntime } from "../support/wire-runtime.ts";
import { startCluster, type Cluster } from "./cluster.ts";
import { containerSessions } from "./container-sessions.ts";
import { expectUndisturbed, watchReads } from "./read-watch.ts";

/** A gateway asks nobody but the registry once it has known it for 10 s. */
const SETTLED_MS = 11_000;
/** Everything is written again within 5 s, and compared once more 10 s after a loss. */
const HEALED_MS = 20_000;
const AFTER_FLUSH_MS = 3_000;
const LOSSES = 3;
const BETWEEN_LOSSES_MS = 1_500;
/** Few run, so that the engine has little to do for many. */
const FEW = { MAX_RUNNING: "4" };

const idOf = ({ runtime_id: id }: WireRuntime): string => id;

const isId = (answer: string): boolean => /^[a-z]{16}$/.test(answer);

function untilTime(atMs: number, work: () => Promise<unknown>): Promise<unknown> {
  return until(work, () => performance.now() >= atMs, { what: "the end of that time" });
}

/** What both gateways answer to a start of the session at one moment, as `status` or as the runtime's id. */
async function startAtBoth({ gateways, image }: Cluster, session: string): Promise<string[]> {
  const body = stubStart(image, { session_id: session });
  const answers = await Promise.all(gateways.map(({ api }) => api.post("/start", body)));
  return answers.map((answer) =>
    answer.status === 201
      ? idOf(WireRuntime.parse(answer.json()))
      : `${answer.status} ${answer.text}`,
  );
}

test.concurrent("FLUSHALL under two gateways that have settled: sessions that are started at both at once keep their runtimes, and no read is refused", async () => {
  await using cluster = await startCluster({ gateways: 2 });
  const settledAt = performance.now() + SETTLED_MS;
  const live = await Promise.all(
    cluster.replicas.flatMap(({ api }) =>
      [1, 2, 3].map(() => api.startReady(stubStart(cluster.image))),
    ),
  );
  const reads = cluster.gateways.map(({ api }) => watchReads(api, live));
  const expected = live.map((one) => [idOf(one), idOf(one)]);
  const restart = async (): Promise<void> => {
    const told = live.map(({ session_id: session }) => startAtBoth(cluster, session));
    expect(await Promise.all(told)).toEqual(expected);
  };
  await untilTime(settledAt, restart);
  expect(await redisCommand(cluster.redis.url, "FLUSHALL")).toBe("OK");
  await untilTime(performance.now() + AFTER_FLUSH_MS, restart);
  await expectUndisturbed(...reads);
  expect((await cluster.containers()).toSorted()).toEqual(live.map(idOf).toSorted());
});

/** Live runtimes by session, as the replicas themselves have them in memory. */
async function liveRuntimes({ replicas }: Cluster): Promise<Map<string, string[]>> {
  const lists = await Promise.all(replicas.map(({ api }) => api.list()));
  const bySession = Map.groupBy(lists.flat(), ({ session_id: session }) => session);
  return new Map([...bySession].map(([session, all]) => [session, all.map(idOf)]));
}

/** What starts of one session at both gateways were told, three times at both at once. */
type Told = { session: string; ids: Set<string>; wrong: string[] };

async function startThrice(cluster: Cluster, session: string): Promise<Told> {
  const first = await startAtBoth(cluster, session);
  const later = [
    ...(await startAtBoth(cluster, session)),
    ...(await startAtBoth(cluster, session)),
  ];
  const answers = [...first, ...later];
  const refused = answers.filter((answer) => !isId(answer) && !answer.startsWith("503 "));
  // Two that are under way when Redis dies cannot know of each other; whoever comes later gets one of what there is.
  const others = first.every(isId) ? later.filter((id) => isId(id) && !first.includes(id)) : [];
  const wrong = [...refused, ...others].map(
    (answer) => `${session}: ${answer}, not ${first.join()}`,
  );
  return { session, ids: new Set(answers.filter(isId)), wrong };
}

/** Starts one session after another while Redis is killed and started again empty. */
async function startThroughLosses(cluster: Cluster): Promise<Told[]> {
  const told: Told[] = [];
  const ending = new AbortController();
  async function lose(): Promise<void> {
    for (let loss = 0; loss < LOSSES; loss += 1) {
      await cluster.redis.kill();
      await cluster.redis.restart();
      await untilTime(performance.now() + BETWEEN_LOSSES_MS, async () => undefined);
    }
  }
  await Promise.all([
    lose().finally(() => ending.abort()),
    until(
      async () => told.push(await startThrice(cluster, `session-${told.length}`)),
      () => ending.signal.aborted,
      { deadlineMs: 60_000, everyMs: 100, what: "the last return of Redis" },
    ),
  ]);
  return told.filter(({ ids, wrong }) => ids.size + wrong.length > 0);
}

test.concurrent("starts at two gateways at once while Redis is killed and begins again empty: one runtime for each session in the end, and no answered start is lost", async () => {
  await using cluster = await startCluster({ gateways: 2, env: () => FEW });
  const told = await startThroughLosses(cluster);
  expect(told.flatMap(({ wrong }) => wrong)).toEqual([]);
  const sessions = told.map(({ session }) => session).toSorted();
  const live = await until(
    () => liveRuntimes(cluster),
    (found) =>
      [...found.values()].every((ids) => ids.length === 1) &&
      [...found.keys()].toSorted().join() === sessions.join(),
    { deadlineMs: HEALED_MS, what: "one live runtime for each session", everyMs: 200 },
  );
  for (const { session, ids } of told) {
    const [id = ""] = live.get(session) ?? [];
    expect([...ids]).toContain(id);
    for (const { api } of cluster.gateways) expect(idOf(await api.session(session))).toBe(id);
  }
  await until(
    () => containerSessions(cluster),
    (found) => found.length > 0 && found.every(([session, id]) => live.get(session)?.[0] === id),
    { what: "containers of these runtimes alone" },
  );
});
