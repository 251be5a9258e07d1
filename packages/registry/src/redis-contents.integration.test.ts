import { afterAll, beforeAll, expect, test } from "vitest";
// @boundaries-ignore the testing package depends on this one, and this file of it on nothing
import { startRedis, type TestRedis } from "../../testing/src/redis.ts";
import type { Change } from "./change.ts";
import { eventually, FOREVER_MS, replicaIds } from "./contract-fixture.ts";
import { exampleImages, exampleRecord, exampleReplica } from "./example.ts";
import { openRegistries } from "./redis-fixture.ts";
import { UNANNOUNCED_INVENTORY_MS } from "./registry.ts";

const A = "abcdaaaaaaaaaaaa";
const B = "abcdbbbbbbbbbbbb";
const C = "abcdcccccccccccc";

let shared: TestRedis;
beforeAll(async () => {
  shared = await startRedis();
}, 60_000);
afterAll(() => shared[Symbol.asyncDispose](), 60_000);

const open = () => openRegistries(shared.url);

test("what does not parse is absent and stays as it is", async () => {
  const { prefix, raw, registry } = open();
  await registry.announce(exampleReplica("r1"), FOREVER_MS);
  await registry.announce(exampleReplica("r2"), FOREVER_MS);
  await registry.putRecord(exampleRecord(A));
  await registry.putRecord(exampleRecord(B));
  await raw.set(`${prefix}replica:r1`, "{not json");
  await raw.hset(`${prefix}images:r2`, { version: "of another kind", "a:1": "{}" });
  // An earlier version kept inventories there.
  await raw.set(`${prefix}inventory:r2`, '["a:1"]');
  await raw.set(`${prefix}runtime:${A}`, '{"id":"of another version"}');
  expect(await replicaIds(registry)).toEqual(["r2"]);
  expect(await registry.inventory("r2")).toBeUndefined();
  expect(await registry.inventoryVersions()).toEqual(new Map());
  expect(await registry.record(A)).toBeUndefined();
  expect(await registry.recordsOfReplica("replica-1")).toEqual([exampleRecord(B)]);
  expect(await raw.get(`${prefix}replica:r1`)).toBe("{not json");
  expect(await raw.get(`${prefix}runtime:${A}`)).toBe('{"id":"of another version"}');
  // The other version still finds its entries by the indices.
  expect(await raw.zrange(`${prefix}replicas`, 0, "-1")).toContain("r1");
  expect(await raw.zrange(`${prefix}runtimes:replica-1`, 0, "-1")).toContain(A);
});

test("what is of another type is absent, hinders nobody, and is replaced by what is written there", async () => {
  const { prefix, raw, registry } = open();
  const [session, images] = [{ owner: "alice", sessionId: "s" }, exampleImages(["a:1"])];
  const places = [
    "replica:r1",
    "images:r1",
    `runtime:${A}`,
    'session:["alice","s"]',
    "group:a:1",
    "pull:a:1",
  ];
  await registry.announce(exampleReplica("r1"), FOREVER_MS);
  await registry.announce(exampleReplica("r2"), FOREVER_MS);
  await registry.putRecord(exampleRecord(A));
  await registry.putRecord(exampleRecord(B));
  for (const place of places) {
    await raw.del(prefix + place);
    await raw.rpush(prefix + place, "of another version");
  }
  expect(await replicaIds(registry)).toEqual(["r2"]);
  expect(await registry.inventoryVersions()).toEqual(new Map());
  expect(await registry.record(A)).toBeUndefined();
  expect(await registry.recordsOfReplica("replica-1")).toEqual([exampleRecord(B)]);
  expect(await registry.takeOver(A, "replica-1", "replica-2")).toBeUndefined();
  expect(await registry.sessionHolder(session)).toBeUndefined();
  await registry.putRecord(exampleRecord(B, session), FOREVER_MS);
  await registry.withdraw("r1", exampleReplica("r1").instance);
  expect(await registry.changeInventory("r1", { added: images, removed: [] })).toBe(false);
  await registry.releasePull("a:1", "engine-1");
  for (const place of places) expect(await raw.type(prefix + place)).toBe("list");

  expect(await registry.announce(exampleReplica("r1"), FOREVER_MS)).toBeUndefined();
  await registry.publishInventory("r1", images);
  expect(await registry.putRecord(exampleRecord(A))).toBeUndefined();
  expect(await registry.claimSession(session, A)).toBe(A);
  expect(await registry.shareGroup("a:1", "r1", FOREVER_MS)).toBe("r1");
  expect(await registry.leasePull("a:1", "engine-1", FOREVER_MS)).toBe("engine-1");
  expect(await replicaIds(registry)).toEqual(["r1", "r2"]);
  expect((await registry.inventory("r1"))?.images).toEqual(images);
  expect(await registry.record(A)).toEqual(exampleRecord(A));
});

test("putRecord() replaces what names no replica, and not what another version wrote of one", async () => {
  const { prefix, raw, registry } = open();
  const key = `${prefix}runtime:${A}`;
  for (const stored of ["{not json", "[]", '{"replicaId":7}', "null"]) {
    await raw.set(key, stored);
    expect(await registry.putRecord(exampleRecord(A))).toBeUndefined();
    expect(await registry.record(A)).toEqual(exampleRecord(A));
  }
  await raw.set(key, '{"replicaId":"replica-2","of":"another version"}');
  expect(await registry.putRecord(exampleRecord(A))).toBe("replica-2");
  expect(await registry.takeOver(A, "replica-2", "replica-1")).toBeUndefined();
});

test("takeOver() keeps what another version wrote, and its time", async () => {
  const { prefix, raw, registry } = open();
  const [key, index] = [`${prefix}runtime:${A}`, `${prefix}runtimes:replica-2`];
  await registry.putRecord(exampleRecord(A), FOREVER_MS);
  const body = { ...exampleRecord(A), colour: { shades: [], "1e3": 0.1 } };
  await raw.set(key, JSON.stringify(body), "KEEPTTL");
  await registry.takeOver(A, "replica-1", "replica-2");
  expect(JSON.parse((await raw.get(key)) ?? "")).toEqual({ ...body, replicaId: "replica-2" });
  const left = await raw.pttl(key);
  expect(left).toBeGreaterThan(FOREVER_MS / 2);
  expect(left).toBeLessThanOrEqual(FOREVER_MS);
  const { 0: seconds = 0 } = await raw.time();
  const expiresAt = Number(await raw.zscore(index, A));
  expect(Math.abs(expiresAt - seconds * 1000 - left)).toBeLessThan(10_000);
  expect(await raw.exists(`${prefix}runtimes:replica-1`)).toBe(0);
});

test("the engine's index forgets replicas after seven days, and itself", async () => {
  const { prefix, raw, registry } = open();
  const index = `${prefix}engine:engine-1`;
  const dayMs = 24 * 60 * 60 * 1000;
  const { 0: seconds = 0 } = await raw.time();
  await raw.zadd(index, seconds * 1000 - 8 * dayMs, "old", seconds * 1000 - 6 * dayMs, "recent");
  await registry.announce(exampleReplica("r1"), FOREVER_MS);
  expect(await registry.replicasOfEngine("engine-1")).toEqual(["r1", "recent"]);
  expect(await raw.pttl(index)).toBeGreaterThan(6 * dayMs);
});

test("an inventory of thousands of images is published, changed and read in time", async () => {
  const { prefix, raw, registry, other } = open();
  const told: Change[] = [];
  other.onChange((change) => told.push(change));
  await eventually(() => expect(told).toEqual([{ kind: "unknown" }]));
  const names = Array.from({ length: 10_000 }, (_, i) => `docker.io/xingyaoww/sweb.eval:v${i}`);
  await registry.announce(exampleReplica("r1"), FOREVER_MS);
  await registry.publishInventory("r1", exampleImages(names));
  await registry.publishInventory("r1", exampleImages(names, { sizeBytes: 1 }));
  const removed = names.slice(1);
  expect(await registry.changeInventory("r1", { added: new Map(), removed })).toBe(true);
  expect(await registry.changeInventory("r1", { added: exampleImages(["a:1"]), removed: [] })).toBe(
    true,
  );
  const version = (await other.inventoryVersions()).get("r1") ?? Number.NaN;
  await eventually(() => expect(told).toHaveLength(6));
  const change = { added: exampleImages(["a:1"]), removed: [] };
  // What is too large for a message has to be read.
  expect(told.slice(2)).toEqual(
    [-3, -2, -1, 0].map((ago) => ({
      kind: "inventory",
      replicaId: "r1",
      version: version + ago,
      change: ago === 0 ? change : undefined,
    })),
  );
  const images = new Map([
    ...exampleImages(names.slice(0, 1), { sizeBytes: 1 }),
    ...exampleImages(["a:1"]),
  ]);
  expect(await other.inventory("r1")).toEqual({ version, images });
  expect(await raw.pttl(`${prefix}images:r1`)).toBeGreaterThan(UNANNOUNCED_INVENTORY_MS);
});

test("inventory() is whole while it changes under its reader, and leaves out what is no image", async () => {
  const { prefix, raw, registry, other } = open();
  const generation = (n: number) =>
    exampleImages(Array.from({ length: 3000 }, (_, i) => `docker.io/a/b:${n}-${i}`));
  await registry.publishInventory("r1", generation(0));
  let published = 0;
  const reading = new AbortController();
  const publishing = (async () => {
    for (let n = 1; !reading.signal.aborted; n += 1) {
      await registry.publishInventory("r1", generation(n));
      published = n;
    }
  })();
  const versions = new Map<number, string[]>();
  await eventually(async () => {
    const { version = 0, images } = (await other.inventory("r1")) ?? {};
    versions.set(version, [...(images?.keys() ?? [])].toSorted());
    expect(published).toBeGreaterThan(4);
  }).finally(() => reading.abort());
  await publishing;
  const first = Math.min(...versions.keys());
  const offset = Number(/:(\d+)-/.exec(versions.get(first)?.[0] ?? "")?.[1]);
  for (const [version, names] of versions) {
    expect(names).toEqual([...generation(version - first + offset).keys()].toSorted());
  }
  const odd = {
    "x:1": '{"createdAt":1}',
    "x:2": "null",
    "x:3": "{",
    "x:4": '{"createdAt":"1","sizeBytes":2}',
  };
  const extra = { "x:5": '{"createdAt":1,"sizeBytes":2,"of":"another version"}' };
  await raw.hset(`${prefix}images:r1`, { ...odd, ...extra });
  const read = await other.inventory("r1");
  expect(read?.images.get("x:5")).toEqual({ createdAt: 1, sizeBytes: 2 });
  expect(read?.images.size).toBe(3001);
});

test("onChange() tells of `unknown` what another version says, or what is too large", async () => {
  const { prefix, raw, registry, other } = open();
  const told: Change[] = [];
  other.onChange((change) => told.push(change));
  await eventually(() => expect(told).toEqual([{ kind: "unknown" }]));
  const channel = `${prefix}changes:0`;
  await raw.publish(channel, "replica-1");
  await raw.publish(channel, '{"kind":"moved","replicaId":"r1"}');
  await raw.publish(channel, '{"kind":"replica","replica":{"id":"r1"}}');
  const pulling = Array.from({ length: 1000 }, () => "x".repeat(100));
  await registry.announce(exampleReplica("r1", { pulling }), FOREVER_MS);
  await raw.publish(channel, '{"kind":"left","replicaId":"r1","why":"a field that is new"}');
  await eventually(() => expect(told).toHaveLength(6));
  expect(told.slice(1, 5)).toEqual(Array.from({ length: 4 }, () => ({ kind: "unknown" })));
  expect(told[5]).toEqual({ kind: "left", replicaId: "r1" });
});

test("the indices lose what is gone, on reading and on writing", async () => {
  const { prefix, raw, registry } = open();
  const index = `${prefix}runtimes:replica-1`;
  await registry.putRecord(exampleRecord(A));
  await registry.putRecord(exampleRecord(B));
  await registry.announce(exampleReplica("r1"), FOREVER_MS);
  await raw.del(`${prefix}runtime:${A}`, `${prefix}replica:r1`);
  expect(await registry.recordsOfReplica("replica-1")).toEqual([exampleRecord(B)]);
  expect(await registry.replicas()).toEqual([]);
  expect(await raw.zrange(index, 0, "-1")).toEqual([B]);
  expect(await raw.zcard(`${prefix}replicas`)).toBe(0);

  await registry.putRecord(exampleRecord(A, { replicaId: "replica-2" }), 1);
  await eventually(async () => {
    await registry.putRecord(exampleRecord(C, { replicaId: "replica-2" }));
    expect(await raw.zrange(`${prefix}runtimes:replica-2`, 0, "-1")).toEqual([C]);
  });
  await registry.removeRecord(C, "replica-2");
  expect(await raw.exists(`${prefix}runtimes:replica-2`)).toBe(0);
});

test("recordsOfReplica() reads more records than fit into one answer", async () => {
  const { registry } = open();
  const all = Array.from({ length: 450 }, (_, i) => exampleRecord(nthId(i)));
  await Promise.all(all.map((record) => registry.putRecord(record)));
  const found = await registry.recordsOfReplica("replica-1");
  expect(found.map((record) => record.id).toSorted()).toEqual(all.map((record) => record.id));
});

function nthId(n: number): string {
  const digits = n.toString(26).padStart(12, "0");
  return `abcd${Array.from(digits, (digit) => String.fromCharCode(97 + Number.parseInt(digit, 26))).join("")}`;
}
