import { ServiceError } from "@remote-runtime/protocol";
import { describe, expect, test } from "vitest";
import { exampleRecord } from "./record-example.ts";
import { createWorld, order } from "./runtimes-fixture.ts";

describe("start()", () => {
  test("answers with a record that is written, then brings the runtime to ready", async () => {
    const world = createWorld();
    const life = await world.beginAndRun();
    const record = await life.start(order({ sessionApiKey: "own key" }));
    expect(record).toMatchObject({
      desired: "running",
      observed: { state: "none" },
      sessionApiKey: "own key",
      secretKey: "secret",
    });
    expect(await world.registry.record(record.id)).toEqual(record);
    expect(await world.registry.sessionHolder(record)).toBe(record.id);
    await world.clock.settle();
    expect(life.state(record.id)).toBe("ready");
    expect(await world.registry.record(record.id)).toEqual(life.get(record.id));
    expect(life.get(record.id)?.events.map(({ reason }) => reason)).toEqual([
      "Accepted",
      "Created",
      "Started",
      "Ready",
    ]);
  });

  test("gives one runtime to all that ask for the same session, also at the same time", async () => {
    const world = createWorld();
    const life = await world.beginAndRun();
    const [first, second] = await Promise.all([life.start(order()), life.start(order())]);
    await world.clock.settle();
    const third = await life.start(order());
    expect([second.id, third.id]).toEqual([first.id, first.id]);
    expect(third.observed.state).toBe("ready");
    expect(world.engine.calls.create).toBe(1);
    const others = await Promise.all([
      life.start(order({ sessionId: "session-2" })),
      life.start(order({ owner: "bob" })),
    ]);
    expect(new Set([first.id, ...others.map(({ id }) => id)]).size).toBe(3);
  });

  test("tells of each new runtime that no gateway has placed, and says so in its events", async () => {
    const world = createWorld();
    const told: string[] = [];
    const life = await world.beginAndRun({
      onUnplaced: (image) => void told.push(image),
      pickPort: () => Promise.reject(new ServiceError("unavailable", "no port is free")),
    });
    const direct = await life.start(order());
    await life.start(order());
    const placed = await life.start(order({ sessionId: "placed", placement: "home" }));
    expect(told).toEqual([direct.spec.image]);
    expect([direct, placed].map(({ events }) => events[0]?.message)).toEqual([
      "placed on replica replica-1 (direct)",
      "placed on replica replica-1 (home)",
    ]);
    const refused = order({ sessionId: "refused", urlForm: "port" });
    await expect(life.start(refused)).rejects.toThrow("no port is free");
    expect(told).toHaveLength(1);
  });

  test("shows the runtime to nobody before it has its port, and so a URL", async () => {
    const world = createWorld();
    const port = Promise.withResolvers<number>();
    const life = await world.beginAndRun({ pickPort: () => port.promise });
    const asked = order({ urlForm: "port" });
    const starting = life.start(asked);
    await world.clock.settle();
    expect(life.list(asked.owner)).toEqual([]);
    expect(life.bySession(asked.owner, asked.sessionId)).toBeUndefined();
    port.resolve(20_000);
    const { id } = await starting;
    expect(life.list(asked.owner)).toMatchObject([{ id, hostPort: 20_000 }]);
    expect(life.bySession(asked.owner, asked.sessionId)?.id).toBe(id);
  });

  test("resumes the session's runtime when that is paused", async () => {
    const world = createWorld();
    const life = await world.beginAndRun();
    const { id } = await life.start(order());
    await world.clock.settle();
    life.pause(id);
    await world.clock.settle();
    expect(life.state(id)).toBe("paused");
    expect(await life.start(order())).toMatchObject({ id, desired: "running" });
    await world.clock.settle();
    expect(life.state(id)).toBe("ready");
  });

  test("makes another one when the session's has failed, and ends that", async () => {
    const world = createWorld();
    const life = await world.beginAndRun();
    const { id } = await life.start(order());
    await world.clock.settle();
    world.engine.crash(id, 1);
    await world.clock.settle();
    expect(life.state(id)).toBe("failed");
    const second = await life.start(order());
    await world.clock.settle();
    expect(second.id).not.toBe(id);
    expect(life.get(id)).toMatchObject({ desired: "stopped", verdict: "exited" });
    expect(life.bySession("alice", "session-1")?.id).toBe(second.id);
    expect(await world.registry.sessionHolder(second)).toBe(second.id);
    expect([...world.engine.containers.keys()]).toEqual([second.id]);
  });

  test("makes another one at once after a stop, whatever of that the registry has been told", async () => {
    const world = createWorld();
    const life = await world.beginAndRun();
    const first = await life.start(order());
    await world.clock.settle();
    const release = world.hold("putRecord");
    life.pause(first.id);
    life.stop(first.id);
    const second = life.start(order());
    release();
    expect((await second).id).not.toBe(first.id);
    await world.clock.settle();
    expect(await world.registry.sessionHolder(first)).toBe((await second).id);
    expect(await world.registry.record(first.id)).toMatchObject({ desired: "stopped" });
  });

  test("is a conflict while another replica's runtime has the session, and leaves nothing behind", async () => {
    const world = createWorld();
    const life = await world.beginAndRun();
    const other = exampleRecord({ id: "zzzzzzzzzzzzzzzz", replicaId: "replica-2" });
    await world.registry.putRecord(other);
    await world.registry.claimSession(other, other.id);
    const both = await Promise.allSettled([life.start(order()), life.start(order())]);
    for (const result of both) {
      expect(result).toMatchObject({ status: "rejected", reason: { code: "conflict" } });
    }
    expect(life.list("alice")).toEqual([]);
    expect(await world.registry.recordsOfReplica("replica-1")).toEqual([]);
    expect(world.engine.calls.create).toBe(0);
    await world.registry.putRecord({ ...other, desired: "stopped" });
    const { id } = await life.start(order());
    expect(await world.registry.sessionHolder(other)).toBe(id);
  });

  test("keeps what the session had when the order is refused", async () => {
    const world = createWorld();
    const life = await world.beginAndRun();
    const { id } = await life.start(order());
    await world.clock.settle();
    world.engine.crash(id, 1);
    await world.clock.settle();
    life.kill();
    const full = await world.beginAndRun({
      pickPort: () => Promise.reject(new ServiceError("conflict", "every port is in use")),
    });
    await expect(full.start(order({ urlForm: "port" }))).rejects.toThrow("every port is in use");
    expect(full.bySession("alice", "session-1")).toMatchObject({ id, verdict: "exited" });
  });

  test("a stop that comes before the order is on record wins", async () => {
    const world = createWorld();
    const life = await world.beginAndRun();
    const release = world.hold("claimSession");
    const starting = life.start(order());
    await world.clock.settle();
    const id = life.bySession("alice", "session-1")?.id ?? "";
    expect(life.stop(id)).toMatchObject({ desired: "stopped" });
    release();
    expect(await starting).toMatchObject({ id, desired: "stopped" });
    await world.clock.settle();
    expect(life.state(id)).toBe("stopped");
    expect(world.engine.calls.create).toBe(0);
    expect(await world.registry.record(id)).toMatchObject({ desired: "stopped" });
    expect(await world.registry.sessionHolder({ owner: "alice", sessionId: "session-1" })).toBe(
      undefined,
    );
  });

  test("nothing is done about an order before it is on record, whatever is asked of it", async () => {
    const world = createWorld();
    const life = await world.beginAndRun();
    const other = exampleRecord({ id: "zzzzzzzzzzzzzzzz", replicaId: "replica-2" });
    await world.registry.putRecord(other);
    await world.registry.claimSession(other, other.id);
    const release = world.hold("claimSession");
    const starting = life.start(order());
    await world.clock.settle();
    const id = life.bySession("alice", "session-1")?.id ?? "";
    life.pause(id);
    life.resume(id);
    await world.clock.settle();
    release();
    await expect(starting).rejects.toMatchObject({ code: "conflict" });
    await world.clock.settle();
    expect(world.engine.calls.image + world.engine.calls.create).toBe(0);
    expect(life.counts()).toMatchObject({ running: 0, known: 0 });
    expect(await world.registry.record(id)).toBeUndefined();
  });

  test("what is asked before the port is there does not put a runtime without one on record", async () => {
    const world = createWorld();
    const picked = Promise.withResolvers<number>();
    const life = await world.beginAndRun({ pickPort: () => picked.promise });
    const starting = life.start(order({ urlForm: "port" }));
    await world.clock.settle();
    life.pause("abcdefghijklaaab");
    void life.republish();
    await world.clock.settle();
    picked.resolve(20_007);
    const { id } = await starting;
    await world.clock.settle();
    expect(await world.registry.record(id)).toMatchObject({ desired: "paused", hostPort: 20_007 });
  });

  test("gives host ports that differ to starts of the same moment", async () => {
    const world = createWorld();
    const life = await world.beginAndRun({
      async pickPort(taken) {
        await world.clock.settle();
        return taken.has(20_000) ? 20_001 : 20_000;
      },
    });
    const both = await Promise.all(
      ["a", "b"].map((sessionId) => life.start(order({ sessionId, urlForm: "port" }))),
    );
    expect(both.map(({ hostPort }) => hostPort)).toEqual([20_000, 20_001]);
  });
});
