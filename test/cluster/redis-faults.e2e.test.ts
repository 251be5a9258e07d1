import { expect, test } from "vitest";
import { redisCommand } from "../support/redis-command.ts";
import { stubStart } from "../support/stub-start.ts";
import { until } from "../support/until.ts";
import type { WireRuntime } from "../support/wire-runtime.ts";
import { startCluster, type Cluster } from "./cluster.ts";
import { keysIn, PREFIX, replicaStates, ringOrders } from "./published.ts";
import { expectUndisturbed, watchReads } from "./read-watch.ts";

/** Everything is written again within that time after Redis came back with nothing in it. */
const PUBLISHED_MS = 5_000;
const STANDSTILL_MS = 5_000;
/** Any answer of the API: a few questions to Redis of a second each, and a busy machine. */
const ANSWER_MS = 5_000;
/** An announcement lives for 6 s; a gateway keeps what is missing for 5 s more. */
const EXPIRED_MS = 14_000;
/** A warning for each thing that goes wrong, and none for each call. */
const MOST_WARNINGS = 10;

const idOf = ({ runtime_id: id }: WireRuntime): string => id;
const sessionOf = ({ session_id: id }: WireRuntime): string => id;

/** Ready runtimes at each of the replicas, and the first of the gateways, which knows them all. */
async function populate({ gateway, replicas, image }: Cluster) {
  const live = await Promise.all(
    replicas.flatMap(({ api }) => [1, 2].map(() => api.startReady(stubStart(image)))),
  );
  await untilListed(gateway.api, live);
  return { gateway, live };
}

async function untilListed(
  api: Cluster["gateways"][number]["api"],
  runtimes: readonly WireRuntime[],
  deadlineMs = 30_000,
): Promise<void> {
  const expected = runtimes.map(idOf).toSorted().join();
  await until(
    async () => (await api.list()).map(idOf).toSorted().join(),
    (listed) => listed === expected,
    { deadlineMs, what: `the list ${expected}` },
  );
}

/** Returns when all gateways know of it. */
async function drain({ gateways }: Cluster, id: string): Promise<void> {
  expect((await gateways[0]?.api.post(`/replicas/${id}/drain`, {}))?.status).toBe(200);
  for (const { api } of gateways) {
    await until(
      () => replicaStates(api),
      (states) => states.some((each) => each.id === id && each.state === "draining"),
      { deadlineMs: 10_000, what: "every gateway knowing that it drains" },
    );
  }
}

test("with Redis gone everything goes on, and within 5 s of its return, empty, all is published again", async () => {
  await using cluster = await startCluster({ gateways: 2 });
  const { gateway, live } = await populate(cluster);
  const [stopped, ...kept] = live;
  const [drained] = cluster.replicas;
  if (!stopped || !drained) throw new Error("four were started, at two replicas");
  await drain(cluster, drained.id);
  const orders = await ringOrders(gateway.api);
  const reads = watchReads(gateway.api, kept);

  await cluster.redis.kill();
  const body = stubStart(cluster.image);
  const fresh = await gateway.api.startReady(body);
  // Both gateways have to ask the replicas for it.
  for (const { api } of cluster.gateways) {
    expect((await api.start(body)).runtime_id).toBe(fresh.runtime_id);
    expect((await api.session(fresh.session_id)).runtime_id).toBe(fresh.runtime_id);
    expect((await api.get("/sessions/never-started")).status).toBe(404);
  }
  await gateway.api.stop(stopped.runtime_id);
  expect(await ringOrders(gateway.api)).toEqual(orders);
  const after = [...kept, fresh];

  await cluster.redis.restart();
  const expected = [
    "drains",
    ...cluster.replicas.flatMap(({ id }) => [`images:${id}`, `replica:${id}`]),
    ...after.map((one) => `runtime:${idOf(one)}`),
    ...after.map((one) => `session:${JSON.stringify(["alice", sessionOf(one)])}`),
  ];
  await until(
    () => keysIn(cluster.redis.url),
    (keys) => expected.every((key) => keys.includes(key)),
    { deadlineMs: PUBLISHED_MS, what: `all of ${expected.join(" ")}` },
  );
  await expectUndisturbed(reads);
  // One that knows nothing but what was written again.
  const [, newcomer] = cluster.gateways;
  await newcomer?.kill();
  await newcomer?.restart();
  for (const { api } of cluster.gateways) {
    await untilListed(api, after);
    for (const one of after) expect(idOf(await api.session(sessionOf(one)))).toBe(idOf(one));
    expect(await ringOrders(api)).toEqual(orders);
    for (const { id, state, images } of await replicaStates(api)) {
      expect(state).toBe(id === drained.id ? "draining" : "ready");
      expect(images).toBeGreaterThan(0);
    }
  }
  await until(cluster.containers, (names) => names.length === after.length);
});

test("with a Redis that stands still for 5 s every answer comes in time, and nothing is taken for gone", async () => {
  await using cluster = await startCluster();
  const { gateway, live } = await populate(cluster);
  const reads = watchReads(gateway.api, live);
  await cluster.redis.pause();
  const stillUntil = performance.now() + STANDSTILL_MS;
  const fresh: WireRuntime[] = [];
  const slowest = { startMs: 0 };
  try {
    await until(
      async () => {
        const began = performance.now();
        fresh.push(await gateway.api.start(stubStart(cluster.image)));
        slowest.startMs = Math.max(slowest.startMs, performance.now() - began);
      },
      () => fresh.length >= 4 && performance.now() >= stillUntil,
      { what: "the end of the standstill", everyMs: 500 },
    );
  } finally {
    await cluster.redis.unpause();
  }
  expect(slowest.startMs).toBeLessThan(ANSWER_MS);
  const ready = await Promise.all(fresh.map(gateway.api.untilReady));
  expect(await expectUndisturbed(reads)).toBeLessThan(ANSWER_MS);
  const all = [...live, ...ready];
  await untilListed(gateway.api, all);
  for (const one of all) {
    const { runtime_id: id, restart_count: restarts } = await gateway.api.session(sessionOf(one));
    expect([id, restarts]).toEqual([idOf(one), 0]);
  }
  expect((await cluster.containers()).toSorted()).toEqual(all.map(idOf).toSorted());
});

test("keys of another version, of other types and without sense, hinder nobody", async () => {
  await using cluster = await startCluster();
  const { gateway, live } = await populate(cluster);
  const { redis, image, replicas } = cluster;
  const set = (key: string, value: string): Promise<unknown> =>
    redisCommand(redis.url, "SET", PREFIX + key, value);
  const list = async (key: string): Promise<void> => {
    await redisCommand(redis.url, "DEL", PREFIX + key);
    await redisCommand(redis.url, "RPUSH", PREFIX + key, "a", "b");
  };
  const reads = watchReads(gateway.api, live);
  const [first, second, third] = live;
  const [one, other] = replicas;
  if (!first || !second || !third || !one || !other) throw new Error("four, and two");

  // Replicas of other versions, in the index and not.
  const strangers = ["bad-json", "bad-fields", "bad-type"];
  await set("replica:bad-json", "{");
  await set("replica:bad-fields", JSON.stringify({ id: 1, address: ["x"], since: {} }));
  await list("replica:bad-type");
  const late = String(Date.now() + 3_600_000);
  for (const id of strangers) await redisCommand(redis.url, "ZADD", `${PREFIX}replicas`, late, id);
  // What is known is overwritten by others.
  await set(`replica:${one.id}`, "[]");
  await list(`replica:${other.id}`);
  await set(`images:${one.id}`, "not a hash");
  await redisCommand(redis.url, "HSET", `${PREFIX}images:${other.id}`, "a b c", "{", "x", "[1]");
  await set(`runtime:${idOf(first)}`, "{");
  await list(`runtime:${idOf(second)}`);
  await set(`runtimes:${one.id}`, "not a sorted set");
  await set(`session:${JSON.stringify(["alice", sessionOf(first)])}`, "not an id");
  await list(`session:${JSON.stringify(["alice", sessionOf(third)])}`);
  await list("session:" + JSON.stringify(["alice", "garbage"]));
  await list(`group:docker.io/${image}`);
  for (const message of ["{", '{"kind":"replica","replica":[]}', '{"kind":"other"}'])
    await redisCommand(redis.url, "PUBLISH", `${PREFIX}changes:0`, message);

  const fresh = await Promise.all(
    ["garbage", "garbage-2"].map((session_id) =>
      gateway.api.startReady(stubStart(image, { session_id })),
    ),
  );
  const all = [...live, ...fresh];
  for (const runtime of all) {
    expect(idOf(await gateway.api.session(sessionOf(runtime)))).toBe(idOf(runtime));
    expect(idOf(await gateway.api.runtime(idOf(runtime)))).toBe(idOf(runtime));
  }
  await untilListed(gateway.api, all);
  await until(
    () => replicaStates(gateway.api),
    (states) => states.filter(({ state, images }) => state === "ready" && images > 0).length === 2,
    { what: "both replicas, with their images", deadlineMs: 10_000 },
  );
  await expectUndisturbed(reads);
  // One that remembers nothing from before.
  await gateway.kill();
  await gateway.restart();
  await until(
    () => replicaStates(gateway.api),
    (states) => states.filter(({ state }) => state === "ready").length === 2,
    { what: "both replicas at a new gateway", deadlineMs: 10_000 },
  );
  await untilListed(gateway.api, all);
});

test("a Redis without memory for writes stops no start, loses nobody who answers, and is told of once", async () => {
  await using cluster = await startCluster({
    env: (app) => (app === "gateway" ? { REPLICA_LOST_SECONDS: "3" } : {}),
  });
  const { gateway, live } = await populate(cluster);
  const again = stubStart(cluster.image);
  const known = await gateway.api.startReady(again);
  const reads = watchReads(gateway.api, live);
  await redisCommand(cluster.redis.url, "CONFIG", "SET", "maxmemory-policy", "noeviction");
  await redisCommand(cluster.redis.url, "CONFIG", "SET", "maxmemory", "1");
  const fresh: WireRuntime[] = [];
  const goneBy = performance.now() + EXPIRED_MS;
  await until(
    async () => fresh.push(await gateway.api.start(stubStart(cluster.image))),
    () => performance.now() > goneBy,
    { what: "the end of all announcements", everyMs: 2_000 },
  );
  const [stopped, ...others] = await Promise.all(fresh.map(gateway.api.untilReady));
  const all = [...live, known, ...others];
  // Its replica has not been announced for longer than it takes to be lost.
  expect(idOf(await gateway.api.start(again))).toBe(idOf(known));
  if (!stopped) throw new Error("several were started");
  await gateway.api.stop(idOf(stopped));
  // On record it still runs.
  await untilListed(gateway.api, all);
  await expectUndisturbed(reads);
  for (const member of [gateway, ...cluster.replicas]) {
    const warnings = member.log().match(/"level":"(warn|error)"[^\n]*/g) ?? [];
    expect(warnings.length).toBeLessThan(MOST_WARNINGS);
  }
  await redisCommand(cluster.redis.url, "CONFIG", "SET", "maxmemory", "0");
  await untilListed(gateway.api, all);
  const keys = all.map((one) => `session:${JSON.stringify(["alice", sessionOf(one)])}`);
  await until(
    () => keysIn(cluster.redis.url),
    (known) => keys.every((key) => known.includes(key)),
    { deadlineMs: PUBLISHED_MS, what: "all sessions on record" },
  );
});
