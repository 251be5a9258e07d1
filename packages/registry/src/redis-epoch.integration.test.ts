import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
// @boundaries-ignore the testing package depends on this one, and this file of it on nothing
import { startRedis, type TestRedis } from "../../testing/src/redis.ts";
import type { Change } from "./change.ts";
import { eventually, FOREVER_MS } from "./contract-fixture.ts";
import { exampleReplica } from "./example.ts";
import { openRegistries } from "./redis-fixture.ts";
import type { Registry } from "./registry.ts";

const A = "abcdaaaaaaaaaaaa";
const B = "abcdbbbbbbbbbbbb";
const KEY = { owner: "default", sessionId: "s" };
const LOST = {
  name: "ServiceError",
  code: "unavailable",
  message: expect.stringMatching(/has lost what it knew/),
};

let redis: TestRedis;
beforeAll(async () => {
  redis = await startRedis();
}, 60_000);
afterAll(() => redis[Symbol.asyncDispose](), 60_000);

const open = () => openRegistries(redis.url);

/** Losses told from now on. */
function lossesOf(registry: Registry): Change[] {
  const losses: Change[] = [];
  onTestFinished(
    registry.onChange((change) => void (change.kind === "lost" && losses.push(change))),
  );
  return losses;
}

test("sessionHolder() throws once after a FLUSHALL, in every process that knew something, and tells of it", async () => {
  const { raw, registry, other } = open();
  const [own, others] = [lossesOf(registry), lossesOf(other)];
  expect(await registry.sessionHolder(KEY)).toBeUndefined();
  await registry.claimSession(KEY, A);
  expect(await other.sessionHolder(KEY)).toBe(A);
  expect(await registry.sessionHolder(KEY)).toBe(A);

  await raw.flushall();
  await expect(registry.sessionHolder(KEY)).rejects.toMatchObject(LOST);
  expect(await registry.sessionHolder(KEY)).toBeUndefined();
  await registry.claimSession(KEY, B);
  // It finds the new epoch of the first one, and an answer that only looks like the whole truth.
  await expect(other.sessionHolder(KEY)).rejects.toMatchObject(LOST);
  expect(await other.sessionHolder(KEY)).toBe(B);
  expect([own, others]).toEqual([[{ kind: "lost" }], [{ kind: "lost" }]]);

  await raw.flushall();
  await expect(registry.sessionHolder(KEY)).rejects.toMatchObject(LOST);
  expect(own).toHaveLength(2);
});

test("pins() throws once after a FLUSHALL instead of saying that nothing is pinned, and tells of it", async () => {
  const { raw, registry, other } = open();
  const losses = lossesOf(other);
  await registry.pin(new Map([["a:1", { by: "alice", at: 1 }]]));
  expect((await other.pins()).size).toBe(1);
  await raw.flushall();
  await expect(other.pins()).rejects.toMatchObject(LOST);
  expect((await other.pins()).size).toBe(0);
  expect(losses).toEqual([{ kind: "lost" }]);
});

test("a replica that hears late of a loss brings back no pin that was taken back since", async () => {
  const { raw, registry, other } = open();
  const pin = { by: "alice", at: 1 };
  const known = new Map(["a:1", "b:1", "c:1"].map((image) => [image, pin]));
  await registry.pin(known);
  await raw.flushall();
  // Also before anybody has brought anything back.
  expect(await registry.unpin(["a:1"])).toBe(0);
  expect(await registry.restorePins(known)).toBe(2);
  expect(await registry.unpin(["b:1"])).toBe(1);
  expect(await other.restorePins(known)).toBe(0);
  expect([...(await registry.pins()).keys()]).toEqual(["c:1"]);
  await registry.pin(new Map([["a:1", pin]]));
  await registry.unpin(["c:1"]);
  await raw.flushall();
  // What was taken back before a loss, everybody has heard of.
  expect(await other.restorePins(new Map([["a:1", pin]]))).toBe(1);
});

test("unpin() remembers the last of what it took back, and no more of them than there may be pins", async () => {
  const { prefix, raw, registry } = open();
  for (let part = 0; part < 11; part += 1) {
    await registry.unpin(Array.from({ length: 10_000 }, (_, i) => `image-${part * 10_000 + i}:1`));
  }
  expect(await raw.zcard(`${prefix}unpinned`)).toBe(100_000);
  const late = ["image-109999:1", "image-60000:1"];
  expect(
    await registry.restorePins(new Map(late.map((image) => [image, { by: "a", at: 1 }]))),
  ).toBe(0);
}, 60_000);

test("sessionHolder() of twenty at once after a loss trusts no answer, and tells of it once", async () => {
  const { prefix, raw, registry } = open();
  const losses = lossesOf(registry);
  await registry.sessionHolder(KEY);
  await raw.del(`${prefix}epoch`);
  const asked = Array.from({ length: 20 }, () => registry.sessionHolder(KEY));
  for (const answer of asked) await expect(answer).rejects.toMatchObject(LOST);
  expect(losses).toEqual([{ kind: "lost" }]);
  expect(await registry.sessionHolder(KEY)).toBeUndefined();
  expect(await raw.pttl(`${prefix}epoch`)).toBe(-1);
});

test("replicas() tells of a loss, and answers what is there", async () => {
  const { prefix, raw, registry, other } = open();
  const [losses, fresh] = [lossesOf(registry), lossesOf(other)];
  await registry.replicas();
  await raw.set(`${prefix}epoch`, "of another node");
  await registry.announce(exampleReplica("r1"), FOREVER_MS);
  expect(await registry.replicas()).toEqual([exampleReplica("r1")]);
  await eventually(() => expect(losses).toEqual([{ kind: "lost" }]));
  expect(await registry.sessionHolder(KEY)).toBeUndefined();
  // Who has not looked before has lost nothing.
  expect(await other.sessionHolder(KEY)).toBeUndefined();
  expect(await other.replicas()).toEqual([exampleReplica("r1")]);
  expect([losses.length, fresh.length]).toEqual([1, 0]);
});

test("sessionHolder() throws when Redis comes back empty", async () => {
  await using own = await startRedis();
  const { registry } = openRegistries(own.url);
  const losses = lossesOf(registry);
  await registry.claimSession(KEY, A);
  expect(await registry.sessionHolder(KEY)).toBe(A);
  await own.kill();
  await own.restart();
  await eventually(async () => {
    await expect(registry.sessionHolder(KEY)).rejects.toMatchObject(LOST);
  });
  expect(await registry.sessionHolder(KEY)).toBeUndefined();
  expect(losses).toEqual([{ kind: "lost" }]);
}, 60_000);

test("an epoch that is no text is replaced", async () => {
  const { prefix, raw, registry } = open();
  await raw.rpush(`${prefix}epoch`, "of another version");
  expect(await registry.sessionHolder(KEY)).toBeUndefined();
  expect(await registry.sessionHolder(KEY)).toBeUndefined();
  expect(await raw.type(`${prefix}epoch`)).toBe("string");
});
