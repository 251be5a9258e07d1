import { expect, test } from "vitest";
import { stubStart } from "../support/stub-start.ts";
import { until } from "../support/until.ts";
import { WireRuntime } from "../support/wire-runtime.ts";
import { startCluster, type Cluster } from "./cluster.ts";
import type { Member } from "./member.ts";
import { keysIn, replicaStates } from "./published.ts";
import { expectUndisturbed, watchReads } from "./read-watch.ts";
import { createSlowFront } from "./slow-front.ts";

/** What a Redis far away, or one that is busy, takes for an answer. */
const [LEAST_MS, MOST_MS] = [200, 500];
/** Longer than an announcement lives: what is not renewed in time would be gone. */
const SLOW_MS = 12_000;
/** A read asks Redis twice or thrice, a start some times more; the rest is for a busy machine. */
const READ_MS = 6_000;
const START_MS = 12_000;
/** Node's own start, and a few answers. */
const BEGIN_MS = 12_000;
const CAUGHT_UP_MS = 10_000;

const idOf = ({ runtime_id: id }: WireRuntime): string => id;

/** What the gateways answer to a start of one session at the same moment, and how long the slower one takes. */
async function startAtBoth(members: readonly Member[], { image }: Cluster) {
  const body = stubStart(image);
  const began = performance.now();
  const answers = await Promise.all(members.map(({ api }) => api.post("/start", body)));
  const tookMs = performance.now() - began;
  const told = answers.map(({ status, text, json }) =>
    status === 201 ? idOf(WireRuntime.parse(json())) : `${status} ${text}`,
  );
  return { session: body.session_id, told, tookMs };
}

test("with a Redis that takes 200 to 500 ms for each answer reads and starts go on, a gateway begins in time, and nothing is lost", async () => {
  let redisPort = 0;
  await using front = await createSlowFront(() => redisPort);
  await using cluster = await startCluster({
    gateways: 3,
    redisUrl({ url }) {
      redisPort = Number(new URL(url).port);
      return Object.assign(new URL(url), { port: String(front.port) }).href;
    },
  });
  const [one, other, newcomer] = cluster.gateways;
  if (!one || !other || !newcomer) throw new Error("three were started");
  const live = await Promise.all(
    cluster.replicas.flatMap(({ api }) =>
      [1, 2].map(() => api.startReady(stubStart(cluster.image))),
    ),
  );
  const watches = [one, other].map(({ api }) => watchReads(api, live));
  front.slowDown(() => LEAST_MS + Math.random() * (MOST_MS - LEAST_MS));

  const slowUntil = performance.now() + SLOW_MS;
  await newcomer.kill();
  const began = performance.now();
  await newcomer.restart();
  expect(performance.now() - began).toBeLessThan(BEGIN_MS);
  watches.push(watchReads(newcomer.api, live));
  const started: Awaited<ReturnType<typeof startAtBoth>>[] = [];
  await until(
    async () => started.push(await startAtBoth([one, other], cluster)),
    () => started.length >= 4 && performance.now() >= slowUntil,
    { deadlineMs: 60_000, everyMs: 500, what: "the end of its being slow" },
  );
  expect(await expectUndisturbed(...watches)).toBeLessThan(READ_MS);
  for (const { session, told, tookMs } of started) {
    expect(told, session).toEqual([told[0], told[0]]);
    expect(tookMs, session).toBeLessThan(START_MS);
  }

  front.slowDown(() => 0);
  const all = [...live.map(idOf), ...started.map(({ told: [id = ""] }) => id)].toSorted();
  for (const { api } of cluster.gateways) {
    await until(
      async () => (await api.list()).map(idOf).toSorted().join(),
      (listed) => listed === all.join(),
      { deadlineMs: CAUGHT_UP_MS, what: `the list ${all.join()}` },
    );
    await until(
      () => replicaStates(api),
      (states) => states.every(({ state, images }) => state === "ready" && images > 0),
      { deadlineMs: CAUGHT_UP_MS, what: "both replicas with their images" },
    );
    for (const { session, told } of started) expect(idOf(await api.session(session))).toBe(told[0]);
  }
  await until(
    () => keysIn(cluster.redis.url),
    (keys) => all.every((id) => keys.includes(`runtime:${id}`)),
    { deadlineMs: CAUGHT_UP_MS, what: "all of them on record" },
  );
  await until(
    async () => (await cluster.containers()).toSorted().join(),
    (names) => names === all.join(),
    { what: "one container for each" },
  );
});
