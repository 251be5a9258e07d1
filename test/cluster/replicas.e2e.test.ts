import { expect, test } from "vitest";
import { call } from "../support/call.ts";
import { isRunning } from "../support/docker.ts";
import { stubOf } from "../support/sandbox.ts";
import { stubStart } from "../support/stub-start.ts";
import { until } from "../support/until.ts";
import type { WireRuntime } from "../support/wire-runtime.ts";
import { startCluster, type Cluster } from "./cluster.ts";
import type { Member } from "./member.ts";
import { placedOn } from "./placed-on.ts";
import { replicaStates, ringOrders } from "./published.ts";
import { expectUndisturbed, watchReads } from "./read-watch.ts";
import { startScriptedReplica } from "./scripted-replica.ts";

/** A replica that is back is known with all that it has within that time, and one that leaves is out of the ring. */
const KNOWN_MS = 10_000;
/** An announcement lives for 6 s, and its end has to be seen twice in heartbeats of 2 s; the rest is for a busy machine. */
const TAKEN_OVER_MS = 16_000;
/** The reaper looks every 5 s. */
const REAP_MS = 6_000;
const HOUR_MS = 3_600_000;
const SKEWED_CLOCK = new URL("skewed-clock.ts", import.meta.url).href;

const idOf = ({ runtime_id: id }: WireRuntime): string => id;

async function untilState(gateway: Member, replica: Member, state: string): Promise<void> {
  await until(
    () => replicaStates(gateway.api),
    (states) => states.some((one) => one.id === replica.id && one.state === state),
    { deadlineMs: KNOWN_MS, what: `${replica.id} being ${state}` },
  );
}

async function placeOf({ api }: Member, image: string): Promise<string> {
  return placedOn(await api.start(stubStart(image)));
}

function first(members: readonly Member[]): Member {
  const [one] = members;
  return one ?? expect.fail("one was started");
}

async function expectFound(gateway: Member, runtimes: readonly WireRuntime[]): Promise<void> {
  for (const one of runtimes) {
    expect(await gateway.api.session(one.session_id)).toMatchObject({ status: "running" });
    expect(await gateway.api.runtime(idOf(one))).toMatchObject({ status: "running" });
  }
}

/** Through a round of the reaper, which has no reason to end any of them. */
async function untilReaped(gateway: Member, runtimes: readonly WireRuntime[]): Promise<void> {
  const doneBy = performance.now() + REAP_MS;
  await until(
    () => expectFound(gateway, runtimes),
    () => performance.now() > doneBy,
    { everyMs: 500, what: "a round of the reaper" },
  );
}

test("while a killed replica is away its runtimes are read from records, and are back as they were with it", async () => {
  await using cluster = await startCluster({
    replicas: 1,
    env: (app) => (app === "gateway" ? { ROUTING: "gateway" } : {}),
  });
  const { gateway } = cluster;
  const replica = first(cluster.replicas);
  const live = await Promise.all(
    [1, 2, 3].map(() => gateway.api.startReady(stubStart(cluster.image))),
  );
  const [kept] = live;
  if (!kept) throw new Error("three were started");
  await stubOf(kept).sh("echo kept > /workspace/file");
  const reads = watchReads(gateway.api, live);
  await replica.kill();
  const away = await Promise.all(live.map(({ url }) => call(`${url}/alive`)));
  expect(away.map(({ status }) => status)).toEqual([503, 503, 503]);
  for (const { text } of away) expect(JSON.parse(text)).toHaveProperty("detail");
  const again = await gateway.api.start(stubStart(cluster.image, { session_id: kept.session_id }));
  expect(idOf(again)).toBe(idOf(kept));
  await replica.restart();
  await until(
    () => Promise.all(live.map(({ url }) => call(`${url}/alive`))),
    (answers) => answers.every(({ status }) => status === 200),
    { deadlineMs: KNOWN_MS, what: "all of them answering" },
  );
  await expectUndisturbed(reads);
  for (const one of live) {
    const { url, status, session_api_key: key } = await gateway.api.session(one.session_id);
    expect({ url, status, key }).toEqual({
      url: one.url,
      status: "running",
      key: one.session_api_key,
    });
  }
  expect(await stubOf(kept).sh("cat /workspace/file")).toBe("kept");
  expect((await cluster.containers()).toSorted()).toEqual(live.map(idOf).toSorted());
});

test("replicas leave the ring with SIGTERM and join it, without a restart of anything else", async () => {
  await using cluster = await startCluster();
  const { gateway } = cluster;
  const [leaver, stayer] = cluster.replicas;
  if (!leaver || !stayer) throw new Error("two were started");
  const before = await ringOrders(gateway.api);
  const left = await leaver.api.startReady(stubStart(cluster.image));
  await leaver.kill("SIGTERM");
  await untilState(gateway, leaver, "gone");
  expect(new Set(await ringOrders(gateway.api))).toEqual(new Set([stayer.id]));
  expect(await placeOf(gateway, cluster.image)).toBe(stayer.id);
  expect(await isRunning(idOf(left))).toBe(true);
  expect(await gateway.api.session(left.session_id)).toMatchObject({ status: "running" });

  const newcomer = await cluster.addReplica("new");
  await newcomer.restart();
  await untilState(gateway, newcomer, "ready");
  const after = await ringOrders(gateway.api);
  const homes = new Set(after.map((order) => order.split(" > ")[0]));
  expect(homes).toEqual(new Set([stayer.id, newcomer.id]));
  expect((await gateway.api.post(`/replicas/${stayer.id}/drain`, {})).status).toBe(200);
  expect(await placeOf(gateway, cluster.image)).toBe(newcomer.id);

  await leaver.restart();
  await untilState(gateway, leaver, "ready");
  expect((await gateway.api.post(`/replicas/${stayer.id}/undrain`, {})).status).toBe(200);
  await newcomer.kill("SIGTERM");
  await untilState(gateway, newcomer, "gone");
  // The one that was drained says itself that it takes starts again.
  await until(
    () => ringOrders(gateway.api),
    (orders) => orders.join() === before.join(),
    { what: `the ring as it was: ${before.join()}` },
  );
});

test("replicas whose clocks are an hour ahead and an hour behind are in the ring, and what one takes over is found", async () => {
  const skews = [HOUR_MS, -HOUR_MS];
  await using cluster = await startCluster({
    env: (app, index) =>
      app === "gateway"
        ? { ROUTING: "gateway" }
        : {
            NODE_OPTIONS: `--import ${SKEWED_CLOCK}`,
            CLOCK_SKEW_MS: String(skews[index]),
            // Shorter than what lies between the clocks.
            IDLE_TIMEOUT_SECONDS: "1800",
          },
  });
  const { gateway } = cluster;
  const [ahead, behind] = cluster.replicas;
  if (!ahead || !behind) throw new Error("two were started");
  for (const one of cluster.replicas) await untilState(gateway, one, "ready");
  const runtimes = await Promise.all(
    cluster.replicas.map(({ api }) => api.startReady(stubStart(cluster.image))),
  );
  const now = Date.now();
  const offsets = runtimes.map(({ created_at: at }) => (Date.parse(at) - now) / HOUR_MS);
  expect(offsets.map(Math.round)).toEqual([1, -1]);
  await behind.kill();
  await until(
    () => ahead.api.list(),
    (list) => list.length === runtimes.length,
    { deadlineMs: TAKEN_OVER_MS, what: "all of them at the other replica" },
  );
  await untilReaped(gateway, runtimes);
  // Neither the ids nor the registry tell where they are, and a gateway in another life remembers nothing.
  await behind.restart();
  await gateway.kill();
  await gateway.restart();
  await untilState(gateway, behind, "ready");
  for (const { runtime_id: id, url } of runtimes) {
    // Clients that never read the URL again, and those that come through a gateway.
    for (const base of [url, `${gateway.url}/${id}/runtime`])
      expect((await call(`${base}/alive`)).status).toBe(200);
  }
  await cluster.redis.kill();
  await expectFound(gateway, runtimes);
  await cluster.redis.restart();
  await expectFound(gateway, runtimes);
  for (const one of runtimes) await gateway.api.stop(idOf(one));
});

test("a replica of an older version, which announces less of itself, is used as any other", async () => {
  await using cluster: Cluster = await startCluster({ replicas: 1 });
  const { gateway } = cluster;
  const replica = first(cluster.replicas);
  await using older = await startScriptedReplica(cluster.redis.url, `older-${replica.id}`);
  await until(
    () => replicaStates(gateway.api),
    (states) => states.filter(({ state }) => state === "ready").length === 2,
    { what: "both of them" },
  );
  const homes = (await ringOrders(gateway.api)).map((order) => order.split(" > ")[0]);
  expect(new Set(homes)).toEqual(new Set([replica.id, older.id]));
  expect((await gateway.api.post(`/replicas/${replica.id}/drain`, {})).status).toBe(200);
  const body = stubStart(cluster.image);
  const started = await gateway.api.start(body);
  expect(older.started()).toEqual([idOf(started)]);
  expect(idOf(await gateway.api.start(body))).toBe(idOf(started));
  expect(await gateway.api.runtime(idOf(started))).toEqual(started);
  const own = await replica.api.start(stubStart(cluster.image));
  expect((await gateway.api.list()).map(idOf).toSorted()).toEqual(
    [idOf(started), idOf(own)].toSorted(),
  );
  await gateway.api.stop(idOf(started));
  expect(older.started()).toEqual([]);
});
