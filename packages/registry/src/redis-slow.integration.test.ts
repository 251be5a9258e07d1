import { once } from "node:events";
import { connect, createServer } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
// @boundaries-ignore the testing package depends on this one, and this file of it on nothing
import { startRedis, type TestRedis } from "../../testing/src/redis.ts";
import { FOREVER_MS } from "./contract-fixture.ts";
import { exampleReplica } from "./example.ts";
import { openRegistries } from "./redis-fixture.ts";

let redis: TestRedis;
beforeAll(async () => {
  redis = await startRedis();
}, 60_000);
afterAll(() => redis[Symbol.asyncDispose](), 60_000);

/** A way to Redis whose answers come later by `delayMs`; it counts the connections. */
async function openSlowly() {
  const way = { url: "", delayMs: 0, connections: 0 };
  const server = createServer((near) => {
    way.connections += 1;
    const far = connect(Number(new URL(redis.url).port), "127.0.0.1");
    near.pipe(far);
    let before = Promise.resolve();
    far.on("data", (piece: Buffer) => {
      const late = delay(way.delayMs);
      before = before.then(() => late).then(() => void near.write(piece));
    });
    for (const socket of [near, far]) {
      socket.on("error", () => undefined);
      socket.once("close", () => [near, far].map((each) => each.destroy()));
    }
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => void server.close());
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  way.url = `redis://127.0.0.1:${address.port}`;
  return way;
}

test("replicas() of members that are known takes one way to Redis and back", async () => {
  const way = await openSlowly();
  const { registry } = openRegistries(way.url);
  for (const id of ["r1", "r2"]) await registry.announce(exampleReplica(id), FOREVER_MS);
  expect(await registry.replicas()).toHaveLength(2);
  way.delayMs = 600;
  expect(await registry.replicas()).toHaveLength(2);
  way.delayMs = 0;
  await registry.announce(exampleReplica("r0"), FOREVER_MS);
  await registry.withdraw("r1", exampleReplica("r1").instance);
  expect((await registry.replicas()).map(({ id }) => id)).toEqual(["r0", "r2"]);
});

test("a call of several ways that takes too long is unavailable, and the slow connection stays", async () => {
  const way = await openSlowly();
  const { registry, other } = openRegistries(way.url);
  await registry.announce(exampleReplica("r1"), FOREVER_MS);
  expect(await registry.replicas()).toHaveLength(1);
  await other.announce(exampleReplica("r2"), FOREVER_MS);
  const before = way.connections;
  way.delayMs = 600;
  await expect(registry.replicas()).rejects.toMatchObject({ code: "unavailable" });
  // It has learnt who the members are.
  expect(await registry.replicas()).toHaveLength(2);
  expect(way.connections).toBe(before);
});
