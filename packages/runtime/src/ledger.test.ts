import { ServiceError } from "@remote-runtime/protocol";
import { describe, expect, test } from "vitest";
import { bench, stopped } from "./ledger-fixture.ts";
import { ENDED_MS } from "./ledger.ts";
import { exampleRecord } from "./record-example.ts";
import { createWorld, order, REPLICA, startIn } from "./runtimes-fixture.ts";

const KEY = { owner: "alice", sessionId: "session-1" };
const OTHER = "zzzzzzzzzzzzzzzz";
const record = exampleRecord();

describe("accept()", () => {
  test("writes the record before it claims the session, so that a claim always leads to a record", async () => {
    const calls: string[] = [];
    const { ledger } = await bench((registry) => ({
      ...registry,
      putRecord: async () => {
        calls.push("record");
        return undefined;
      },
      claimSession: async (_key, id) => {
        calls.push("claim");
        return id;
      },
    }));
    await ledger.accept(record);
    expect(calls).toEqual(["record", "claim"]);
  });

  test("takes the session from a runtime that is replaced, has failed, or is known here to have ended", async () => {
    const { ledger, registry, latest } = await bench();
    const failed = exampleRecord({
      id: OTHER,
      replicaId: "replica-2",
      observed: { state: "failed", verdict: "oom", reason: "" },
    });
    await registry.putRecord(failed);
    await registry.claimSession(KEY, OTHER);
    await ledger.accept(record);
    expect(await registry.sessionHolder(KEY)).toBe(record.id);
    latest.set(record.id, stopped());
    ledger.distrust();
    const second = exampleRecord({ id: "bbbbbbbbbbbbbbbb" });
    await ledger.accept(second);
    const third = exampleRecord({ id: "cccccccccccccccc" });
    await ledger.accept(third, { replacing: second.id });
    expect(await registry.sessionHolder(KEY)).toBe(third.id);
  });

  test("takes it from a record of this replica that this replica does not know", async () => {
    const { ledger, registry } = await bench();
    await registry.putRecord(exampleRecord({ id: OTHER }));
    await registry.claimSession(KEY, OTHER);
    await ledger.accept(record);
    expect(await registry.sessionHolder(KEY)).toBe(record.id);
  });

  test("is a conflict while the session has another live runtime, and takes its record back", async () => {
    const { ledger, registry, settle } = await bench();
    await registry.putRecord(exampleRecord({ id: OTHER, replicaId: "replica-2" }));
    await registry.claimSession(KEY, OTHER);
    await expect(ledger.accept(record)).rejects.toMatchObject({
      code: "conflict",
      message: expect.stringContaining(`${OTHER} on replica replica-2`),
    });
    await settle();
    expect(await registry.record(record.id)).toBeUndefined();
  });

  test("leaves no live record of a refused one when the registry goes away just then", async () => {
    const { ledger, registry, settle } = await bench((registry) => ({
      ...registry,
      removeRecord: () => Promise.reject(new Error("away")),
    }));
    await registry.putRecord(exampleRecord({ id: OTHER, replicaId: "replica-2" }));
    await registry.claimSession(KEY, OTHER);
    await expect(ledger.accept(record)).rejects.toMatchObject({ code: "conflict" });
    await ledger.retry();
    await settle();
    expect(await registry.record(record.id)).toMatchObject({ desired: "stopped" });
    expect(await registry.sessionHolder(KEY)).toBe(OTHER);
  });
});

describe("a registry that is away", () => {
  test("holds no start up; record and claim are written when it is back", async () => {
    const { ledger, registry, log } = await bench();
    registry.setAway(true);
    await ledger.accept(record);
    ledger.save({ ...record, restartCount: 1 });
    await ledger.retry();
    ledger.save({ ...record, restartCount: 2 });
    registry.setAway(false);
    expect(ledger.isRead()).toBe(false);
    await ledger.read([]);
    await ledger.retry();
    expect(await registry.record(record.id)).toMatchObject({ restartCount: 2 });
    expect(await registry.sessionHolder(KEY)).toBe(record.id);
    expect(log).toEqual([
      "the registry takes no records; they wait",
      "the registry takes records again",
    ]);
  });

  test("for this replica alone holds a start up for 5 s at most, as others would not find it", async () => {
    const { ledger, registry, advance, log } = await bench();
    registry.setAway(true);
    let isAnswered = false;
    const accepting = ledger.accept(record, { waits: true }).then(() => (isAnswered = true));
    await advance(3_000);
    expect(isAnswered).toBe(false);
    registry.setAway(false);
    await advance(200);
    await accepting;
    expect(await registry.sessionHolder(KEY)).toBe(record.id);
    expect(await registry.record(record.id)).toBeDefined();
    expect(log).toEqual([]);

    registry.setAway(true);
    const late = ledger.accept(exampleRecord({ id: OTHER, sessionId: "2" }), { waits: true });
    await advance(5_000);
    await late;
    expect(log).toEqual(["the registry takes no records; they wait"]);
  });

  test("is not written to before it has been read, as others may have ended a runtime", async () => {
    const { ledger, registry, settle } = await bench();
    await ledger.accept(record);
    registry.setAway(true);
    ledger.save({ ...record, restartCount: 1 });
    await settle();
    registry.setAway(false);
    await registry.putRecord(stopped());
    await ledger.retry();
    ledger.save({ ...record, restartCount: 2 });
    await settle();
    expect(await registry.record(record.id)).toMatchObject({ desired: "stopped" });
    expect((await ledger.read([])).get(record.id)).toMatchObject({ desired: "stopped" });
  });

  test("finds the session taken when it is back: the session is left alone, and the runtime ends", async () => {
    const { ledger, registry, replaced } = await bench();
    registry.setAway(true);
    await ledger.accept(record);
    registry.setAway(false);
    await registry.putRecord(exampleRecord({ id: OTHER, replicaId: "replica-2" }));
    await registry.claimSession(KEY, OTHER);
    await ledger.read([]);
    await ledger.retry();
    expect(await registry.record(record.id)).toBeDefined();
    expect(await registry.sessionHolder(KEY)).toBe(OTHER);
    expect(replaced).toEqual([record.id]);
  });

  test("that takes the record and not the claim is given the claim later", async () => {
    let isAway = true;
    const { ledger, registry } = await bench((registry) => ({
      ...registry,
      claimSession: (...args) =>
        isAway
          ? Promise.reject(new ServiceError("unavailable", "away"))
          : registry.claimSession(...args),
    }));
    await ledger.accept(record);
    await ledger.read([]);
    await ledger.retry();
    isAway = false;
    await ledger.read([]);
    await ledger.retry();
    expect(await registry.sessionHolder(KEY)).toBe(record.id);
  });

  test("is not asked for each of many runtimes", async () => {
    let calls = 0;
    const { ledger, registry } = await bench((registry) => ({
      ...registry,
      putRecord: (...args) => {
        calls += 1;
        return registry.putRecord(...args);
      },
    }));
    ledger.distrust();
    for (let index = 0; index < 100; index += 1) {
      ledger.save(exampleRecord({ id: `aaaaaaaaaaaaa${letters(index)}` }));
    }
    await ledger.read([]);
    registry.setAway(true);
    await ledger.retry();
    expect(calls).toBe(1);
    registry.setAway(false);
    await ledger.read([]);
    await ledger.retry();
    expect(await registry.recordsOfReplica(REPLICA)).toHaveLength(100);
  });

  test("that is there and refuses one runtime takes all others", async () => {
    const { ledger, registry, settle } = await bench((registry) => ({
      ...registry,
      putRecord: (...args) =>
        args[0].id === OTHER
          ? Promise.reject(new ServiceError("internal", "no such thing"))
          : registry.putRecord(...args),
    }));
    ledger.distrust();
    for (const id of [OTHER, record.id]) ledger.save(exampleRecord({ id }));
    await ledger.read([]);
    await ledger.retry();
    await settle();
    expect((await registry.recordsOfReplica(REPLICA)).map(({ id }) => id)).toEqual([record.id]);
  });

  test("comes back empty: everything is written, and live runtimes have their sessions", async () => {
    const { ledger, registry } = await bench();
    const failed = exampleRecord({
      id: OTHER,
      observed: { state: "failed", verdict: "oom", reason: "" },
    });
    registry.lose();
    ledger.distrust();
    for (const each of [failed, record]) ledger.reclaim(each);
    await ledger.read([]);
    await ledger.retry();
    expect(await registry.recordsOfReplica(REPLICA)).toHaveLength(2);
    expect(await registry.sessionHolder(KEY)).toBe(record.id);
  });
});

describe("conclude()", () => {
  test("frees the session, keeps the record a day, and remembers it", async () => {
    const { ledger, registry, settle, advance } = await bench();
    await ledger.accept(record);
    ledger.conclude(stopped());
    await settle();
    // Without what may be large or secret.
    const kept = { ...stopped(), spec: { ...record.spec, command: null, environment: {} } };
    expect(ledger.ended(record.id)).toEqual(kept);
    expect(await registry.sessionHolder(KEY)).toBeUndefined();
    expect(await registry.record(record.id)).toEqual(kept);
    await advance(ENDED_MS);
    expect(await registry.record(record.id)).toBeUndefined();
    ledger.conclude(stopped({ id: OTHER, endedAt: 1_000_000 + ENDED_MS }));
    expect(ledger.ended(record.id)).toBeUndefined();
    expect(ledger.ended(OTHER)).toBeDefined();
  });

  test("remembers no more than 5,000, also while none can be written", async () => {
    const { ledger, registry } = await bench();
    ledger.distrust();
    for (let index = 0; index < 5_010; index += 1) {
      ledger.conclude(stopped({ id: `aaaaaaaaaaaaa${letters(index)}` }));
    }
    expect(ledger.ended(`aaaaaaaaaaaaa${letters(9)}`)).toBeUndefined();
    expect(ledger.ended(`aaaaaaaaaaaaa${letters(10)}`)).toBeDefined();
    await ledger.read([]);
    await ledger.retry();
    expect(await registry.recordsOfReplica(REPLICA)).toHaveLength(5_000);
  });
});

test("starts go on without a registry for however long, and later everything is on record", async () => {
  const world = createWorld();
  world.registry.setAway(true);
  const life = world.begin();
  const { signal } = new AbortController();
  void life.adopt(signal).then(() => life.run(signal));
  await world.clock.advance(10_000);
  const ids: string[] = [];
  for (const sessionId of ["ready", "paused", "stopped", "failed"]) {
    ids.push((await life.start(order({ sessionId }))).id);
  }
  const [ready = "", paused = "", ended = "", failed = ""] = ids;
  await world.clock.settle();
  expect(ids.map(life.state)).toEqual(["ready", "ready", "ready", "ready"]);
  life.pause(paused);
  life.stop(ended);
  world.engine.crash(failed, 1);
  await world.clock.advance(3_600_000);
  world.registry.setAway(false);
  await world.clock.advance(5_000);
  for (const id of ids) expect(await world.registry.record(id)).toEqual(life.get(id));
  expect(await world.registry.sessionHolder({ owner: "alice", sessionId: "ready" })).toBe(ready);
  expect(await world.registry.sessionHolder({ owner: "alice", sessionId: "stopped" })).toBe(
    undefined,
  );
});

test("a registry that has lost everything is filled again within 5 s of being told", async () => {
  const { world, life, id } = await startIn(createWorld());
  world.registry.lose();
  world.registry.setAway(true);
  void life.republish();
  await world.clock.advance(30_000);
  world.registry.setAway(false);
  await world.clock.advance(5_000);
  expect(await world.registry.record(id)).toEqual(life.get(id));
  expect(await world.registry.sessionHolder(KEY)).toBe(id);
});

/** Three of [a-z], different for each number below 26³. */
function letters(number: number): string {
  return [number / 676, number / 26, number]
    .map((digit) => String.fromCharCode(97 + (Math.floor(digit) % 26)))
    .join("");
}
