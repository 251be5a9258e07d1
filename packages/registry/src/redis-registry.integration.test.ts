import { afterAll, beforeAll, expect, onTestFinished, test, vi } from "vitest";
// @boundaries-ignore the testing package depends on this one, and this file of it on nothing
import { startRedis, type TestRedis } from "../../testing/src/redis.ts";
import { describeRegistryContract } from "./contract.ts";
import { eventually, FOREVER_MS, replicaIds } from "./contract-fixture.ts";
import { exampleRecord, exampleReplica } from "./example.ts";
import { openRegistries } from "./redis-fixture.ts";
import { createRedisRegistry } from "./redis-registry.ts";
import { isRefused } from "./refusal.ts";

const A = "abcdaaaaaaaaaaaa";
const B = "abcdbbbbbbbbbbbb";
const KEY = { owner: "default", sessionId: "s" };
/** Redis is waited for for 1 s: longer than once and shorter than twice … */
const ONCE_MS = 1_900;
/** … and not at all. */
const AT_ONCE_MS = 900;

let shared: TestRedis;
beforeAll(async () => {
  shared = await startRedis();
}, 60_000);
afterAll(() => shared[Symbol.asyncDispose](), 60_000);

const open = (url = shared.url) => openRegistries(url);

/** A Redis that the test may end. */
async function startOwnRedis(options: { password?: string } = {}): Promise<TestRedis> {
  const redis = await startRedis(options);
  onTestFinished(() => redis[Symbol.asyncDispose](), 60_000);
  return redis;
}

/** The failure of a call and how long it took. */
async function failureOf(call: Promise<unknown>): Promise<{ error: unknown; tookMs: number }> {
  const start = performance.now();
  const error = await call.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  return { error, tookMs: performance.now() - start };
}

describeRegistryContract("createRedisRegistry()", async () => {
  const { registry, other } = open();
  return {
    registry,
    other,
    // Redis has a clock of its own, and the tests wait for it.
    elapse: () => undefined,
    [Symbol.asyncDispose]: async () => void (await Promise.all([registry.close(), other.close()])),
  };
});

test("the database number of the URL keeps two registries apart", async () => {
  const [zero, one] = [0, 1].map((db) => createRedisRegistry({ url: `${shared.url}/${db}` }));
  if (zero === undefined || one === undefined) throw new Error("two registries were made");
  onTestFinished(async () => void (await Promise.all([zero.close(), one.close()])));
  const called = vi.fn<() => void>();
  await one.announce(exampleReplica("of-one"), FOREVER_MS);
  await zero.claimSession(KEY, A);
  expect(await zero.replicas()).toEqual([]);
  expect(await one.sessionHolder(KEY)).toBeUndefined();
  zero.onChange(called);
  await eventually(() => expect(called).toHaveBeenCalled());
  called.mockClear();
  await one.announce(exampleReplica("of-one", { load: 1 }), FOREVER_MS);
  await zero.announce(exampleReplica("of-zero"), FOREVER_MS);
  await eventually(() => expect(called).toHaveBeenCalled());
  expect(called).toHaveBeenCalledTimes(1);
});

test("a database that Redis does not have is an error, not database 0", async () => {
  const { registry } = open(`${shared.url}/999`);
  await expect(registry.claimSession(KEY, A)).rejects.toMatchObject({
    code: "unavailable",
    message: expect.stringMatching(/999: .*DB index is out of range/),
  });
  const { error } = await failureOf(registry.sessionHolder(KEY));
  expect(error).toMatchObject({ code: "unavailable" });
  // There is no connection.
  expect(isRefused(error)).toBe(false);
});

test("a wrong password is told, and no password is", async () => {
  const redis = await startOwnRedis({ password: "right horse" });
  const url = new URL(redis.url);
  url.password = "wrong horse";
  const warn = vi.fn<(fields: object, message: string) => void>();
  const wrong = createRedisRegistry({ url: url.href, log: { info: warn, warn } });
  const right = createRedisRegistry({ url: redis.url });
  onTestFinished(async () => void (await Promise.all([wrong.close(), right.close()])));
  const { error } = await failureOf(wrong.replicas());
  expect(error).toMatchObject({
    code: "unavailable",
    message: expect.stringMatching(/^the registry at redis:\/\/127\.0\.0\.1:\d+\/0: WRONGPASS/),
  });
  expect(warn).toHaveBeenCalledTimes(1);
  expect(JSON.stringify([warn.mock.calls, describeError(error)])).not.toContain("horse");
  expect(await right.replicas()).toEqual([]);
}, 60_000);

test("what Redis refuses is told in its words, without what was to be written", async () => {
  const { prefix, raw, registry } = open();
  await raw.set(`${prefix}runtimes:replica-1`, "no sorted set");
  const { error } = await failureOf(registry.putRecord(exampleRecord(A)));
  expect(error).toMatchObject({ code: "unavailable", message: expect.stringMatching(/WRONGTYPE/) });
  expect(isRefused(error)).toBe(true);
  expect(JSON.stringify(describeError(error))).not.toContain(exampleRecord(A).sessionApiKey);
});

/** All that a logger could print of it. */
function describeError(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  return [error.stack, Object.entries(error), describeError(error.cause)];
}

test("a Redis in protected mode is told with what to do, once, and nothing is written to the console", async () => {
  const redis = await startRedis({ protectedMode: true });
  onTestFinished(() => redis[Symbol.asyncDispose](), 60_000);
  const warn = vi.spyOn(console, "warn").mockReturnValue();
  onTestFinished(() => warn.mockRestore());
  const reasons: unknown[] = [];
  for (const url of [redis.url, redis.url.replace("//", "//:secret@")]) {
    const log = { info: () => undefined, warn: (fields: object) => void reasons.push(fields) };
    const registry = createRedisRegistry({ url, log });
    onTestFinished(() => registry.close());
    for (let calls = 0; calls < 3; calls += 1)
      await expect(registry.replicas()).rejects.toMatchObject({
        code: "unavailable",
        message: expect.stringMatching(/protected mode.*requirepass.*--protected-mode no/),
      });
  }
  const told = { reason: expect.stringMatching(/protected mode/) };
  expect(reasons).toEqual([expect.objectContaining(told), expect.objectContaining(told)]);
  expect(warn).not.toHaveBeenCalled();
}, 60_000);

test("a killed Redis is unavailable at once, and works again when it is back, though empty", async () => {
  const redis = await startOwnRedis();
  const { registry, other } = open(redis.url);
  await registry.announce(exampleReplica("r1"), FOREVER_MS);
  const called = vi.fn<() => void>();
  other.onChange(called);
  await eventually(() => expect(called).toHaveBeenCalled());

  await redis.kill();
  await eventually(async () => {
    const { error, tookMs } = await failureOf(registry.claimSession(KEY, A));
    expect(error).toMatchObject({ code: "unavailable" });
    expect(tookMs).toBeLessThan(ONCE_MS);
  });
  const next = await failureOf(registry.replicas());
  expect(next.error).toMatchObject({
    code: "unavailable",
    message: expect.stringMatching(/127\.0\.0\.1/),
  });
  expect(next.tookMs).toBeLessThan(AT_ONCE_MS);
  called.mockClear();

  await redis.restart();
  await eventually(async () => expect(await registry.claimSession(KEY, B)).toBe(B));
  await eventually(() => expect(called).toHaveBeenCalled());
  expect(await registry.replicas()).toEqual([]);
  await registry.announce(exampleReplica("r1"), FOREVER_MS);
  await registry.putRecord(exampleRecord(A));
  expect(await other.recordsOfReplica("replica-1")).toEqual([exampleRecord(A)]);
  expect(await replicaIds(other)).toEqual(["r1"]);
  called.mockClear();
  await registry.announce(exampleReplica("r2"), FOREVER_MS);
  await eventually(() => expect(called).toHaveBeenCalled());
}, 60_000);

test("a Redis that stops answering is unavailable within a second, then at once until it answers", async () => {
  const redis = await startOwnRedis();
  const { registry, other } = open(redis.url);
  await registry.claimSession(KEY, A);
  const called = vi.fn<() => void>();
  other.onChange(called);
  await eventually(() => expect(called).toHaveBeenCalled());

  await redis.pause();
  const calls = Array.from({ length: 30 }, () => failureOf(registry.sessionHolder(KEY)));
  for (const { error, tookMs } of await Promise.all(calls)) {
    expect(error).toMatchObject({
      code: "unavailable",
      message: expect.stringMatching(/no answer within 1000 ms/),
    });
    expect(tookMs).toBeLessThan(ONCE_MS);
  }
  const next = await failureOf(registry.sessionHolder(KEY));
  expect(next.error).toMatchObject({
    code: "unavailable",
    message: expect.stringMatching(/no answer within 1000 ms/),
  });
  expect(next.tookMs).toBeLessThan(AT_ONCE_MS);

  await redis.unpause();
  await eventually(async () => expect(await registry.sessionHolder(KEY)).toBe(A));
  called.mockClear();
  await registry.announce(exampleReplica("r1"), FOREVER_MS);
  await eventually(() => expect(called).toHaveBeenCalled());
}, 60_000);

test("createRedisRegistry() makes its first call wait while it connects, and fail where nothing listens", async () => {
  const redis = await startOwnRedis();
  await redis.kill();
  const { registry } = open(redis.url);
  const { error, tookMs } = await failureOf(registry.replicas());
  expect(error).toMatchObject({
    code: "unavailable",
    message: expect.stringMatching(/ECONNREFUSED/),
  });
  expect(tookMs).toBeLessThan(ONCE_MS);
  await redis.restart();
  await eventually(async () => expect(await registry.replicas()).toEqual([]));
  await registry.close();
}, 60_000);
