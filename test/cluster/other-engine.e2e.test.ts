import { expect, test } from "vitest";
import { redisCommand } from "../support/redis-command.ts";
import { stubStart } from "../support/stub-start.ts";
import { until } from "../support/until.ts";
import type { WireRuntime } from "../support/wire-runtime.ts";
import { startCluster } from "./cluster.ts";
import type { Member } from "./member.ts";
import { keysIn, PREFIX, replicaStates } from "./published.ts";
import { startScriptedReplica } from "./scripted-replica.ts";

const LOST_SECONDS = 2;
/** The announcement lives for 6 s; the rest is for a busy machine. */
const LOST_MS = 15_000;
const NEWER = {
  version: "9.0.0",
  loadVersion: 7,
  instance: "newer",
  runtimes: 0,
  pulling: [],
  regions: ["eu", { weight: 3 }],
  gpu: null,
};

const idOf = ({ runtime_id: id }: WireRuntime): string => id;

async function untilReady({ api }: Member, count: number): Promise<void> {
  await until(
    () => replicaStates(api),
    (states) => states.filter(({ state }) => state === "ready").length === count,
    { what: `${count} replicas being ready` },
  );
}

test.concurrent("a runtime whose node is gone is lost after REPLICA_LOST_SECONDS, its session begins anew elsewhere, and what a late return finds of it ends", async () => {
  await using cluster = await startCluster({
    replicas: 1,
    env: (app): Record<string, string> =>
      app === "gateway" ? { REPLICA_LOST_SECONDS: String(LOST_SECONDS) } : {},
  });
  const { gateway, image } = cluster;
  const [lost] = cluster.replicas;
  if (!lost) throw new Error("one was started");
  const [begun, left] = await Promise.all(
    [1, 2].map(() => gateway.api.startReady(stubStart(image))),
  );
  if (!begun || !left) throw new Error("two were started");
  await using other = await startScriptedReplica(cluster.redis.url, `other-${lost.id}`);
  await untilReady(gateway, 2);
  await lost.kill();
  for (const one of [begun, left])
    expect(await gateway.api.runtime(idOf(one))).toMatchObject({
      status: "running",
      verdict: null,
    });
  const again = stubStart(image, { session_id: begun.session_id });
  expect(idOf(await gateway.api.start(again))).toBe(idOf(begun));
  for (const one of [begun, left]) {
    const seen = await until(
      () => gateway.api.runtime(idOf(one)),
      ({ status }) => status === "error",
      { deadlineMs: LOST_MS, what: "its loss" },
    );
    expect(seen).toMatchObject({ verdict: "replica_lost", session_id: one.session_id });
    expect(seen.status_detail).toContain(lost.id);
  }
  const anew = await gateway.api.start(again);
  expect(other.started()).toEqual([idOf(anew)]);
  expect(idOf(anew)).not.toBe(idOf(begun));
  expect(await gateway.api.runtime(idOf(begun))).toMatchObject({
    status: "stopped",
    verdict: "replica_lost",
  });

  await lost.restart();
  await until(
    async () => (await cluster.containers()).join(),
    (names) => names === idOf(left),
    { what: "the end of the one whose session others have" },
  );
  expect(await gateway.api.runtime(idOf(anew))).toMatchObject({ status: "running" });
  await gateway.api.untilStatus(left, "running");
  expect(idOf(await gateway.api.session(left.session_id))).toBe(idOf(left));
});

test.concurrent("a replica of a newer version, which says more of itself and of its runtimes, is used as any other", async () => {
  await using cluster = await startCluster({ replicas: 1 });
  const { gateway, image, redis } = cluster;
  const [replica] = cluster.replicas;
  if (!replica) throw new Error("one was started");
  const kept = await replica.api.startReady(stubStart(image));
  const name = `newer-${replica.id}`;
  await using newer = await startScriptedReplica(redis.url, name, NEWER);
  await untilReady(gateway, 2);
  const states = await gateway.api.get("/replicas");
  expect(states.text).toContain(NEWER.version);
  expect((await gateway.api.post(`/replicas/${replica.id}/drain`, {})).status).toBe(200);
  const started = await gateway.api.start(stubStart(image));
  expect(newer.started()).toEqual([idOf(started)]);

  // A record in its words, and news on the channel of kinds that nobody knows yet.
  const record = await redisCommand(redis.url, "GET", `${PREFIX}runtime:${idOf(kept)}`);
  const told = {
    ...JSON.parse(String(record)),
    id: idOf(started),
    sessionId: started.session_id,
    replicaId: name,
    snapshots: [{ at: 1 }],
    region: "eu",
  };
  await redisCommand(redis.url, "SET", `${PREFIX}runtime:${idOf(started)}`, JSON.stringify(told));
  await redisCommand(redis.url, "ZADD", `${PREFIX}runtimes:${name}`, "+inf", idOf(started));
  const key = `session:${JSON.stringify(["alice", started.session_id])}`;
  await redisCommand(redis.url, "SET", PREFIX + key, idOf(started));
  for (const message of [
    { kind: "region", region: "eu" },
    { kind: "replica", replica: { ...NEWER, id: name } },
  ])
    await redisCommand(redis.url, "PUBLISH", `${PREFIX}changes:0`, JSON.stringify(message));
  await newer[Symbol.asyncDispose]();
  expect(await gateway.api.runtime(idOf(started))).toMatchObject({
    status: "running",
    session_id: started.session_id,
  });
  expect(idOf(await gateway.api.session(started.session_id))).toBe(idOf(started));
  expect((await gateway.api.list()).map(idOf).toSorted()).toEqual(
    [kept, started].map(idOf).toSorted(),
  );
  expect(await keysIn(redis.url)).toContain(key);
});
