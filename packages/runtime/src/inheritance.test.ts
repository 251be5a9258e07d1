import { ServiceError } from "@remote-runtime/protocol";
import { describe, expect, test } from "vitest";
import { createWorld, order, REPLICA, startIn, type Life, type World } from "./runtimes-fixture.ts";

const HEIR = "replica-2";
const ESTATE = { gone: [REPLICA], heirs: [HEIR] };

async function startMany(world: World, life: Life, count: number): Promise<string[]> {
  const started = await Promise.all(
    Array.from({ length: count }, (_, nth) => life.start(order({ sessionId: `many-${nth}` }))),
  );
  await world.clock.settle();
  return started.map(({ id }) => id);
}

async function owners(world: World, ids: string[]): Promise<(string | undefined)[]> {
  const records = await world.registry.records(ids);
  return ids.map((id) => records.get(id)?.replicaId);
}

/** Runtimes in every state that outlives a process, and that process dead. */
async function populate() {
  const world = createWorld();
  const { life, id: ready } = await startIn(world, { sessionId: "ready" }, { maxRunning: 5 });
  const begin = async (sessionId: string): Promise<string> => {
    const { id } = await life.start(order({ sessionId }));
    await world.clock.settle();
    return id;
  };
  const paused = await begin("paused");
  life.pause(paused);
  const failed = await begin("failed");
  world.engine.crash(failed, 1);
  await world.clock.settle();
  const unrecorded = await begin("unrecorded");
  const stopping = await begin("stopping");
  const others = [await begin("another"), await begin("one more")];
  const queued = await begin("queued");
  expect(life.state(queued)).toBe("queued");
  world.engine.failOn("remove", new ServiceError("unavailable", "no answer"));
  life.stop(stopping);
  // Of its engine's answers it hears nothing: the container stays.
  life.kill();
  await world.clock.settle();
  await world.registry.removeRecord(unrecorded, "replica-1");
  return { world, ready, paused, failed, unrecorded, stopping, others, queued };
}

describe("inherit()", () => {
  test("goes on with all that a replica that is gone has left behind, as if it were its own", async () => {
    const { world, ready, paused, failed, unrecorded, stopping, others, queued } = await populate();
    const made = world.engine.calls.create;
    const heir = await world.beginAndRun({ replicaId: HEIR });
    expect(heir.counts().known).toBe(0);
    await heir.inherit(ESTATE);
    await world.clock.settle();
    const states = [ready, paused, failed, unrecorded, ...others, queued].map(heir.state);
    expect(states).toEqual(["ready", "paused", "failed", "ready", "ready", "ready", "ready"]);
    expect(world.engine.containers.has(stopping)).toBe(false);
    expect(world.engine.calls.create).toBe(made + 1);
    const live = [ready, paused, failed, unrecorded, ...others, queued];
    expect(await owners(world, live)).toEqual(live.map(() => HEIR));
    expect(heir.get(ready)?.events).toContainEqual(
      expect.objectContaining({
        reason: "TakenOver",
        message: `from replica ${REPLICA}, which is gone`,
      }),
    );
    expect(await heir.start(order({ sessionId: "ready" }))).toMatchObject({ id: ready });
    expect(await heir.start(order({ sessionId: "paused" }))).toMatchObject({ id: paused });
    expect(heir.stop(queued)).toMatchObject({ desired: "stopped" });
    await world.clock.settle();
    expect(world.engine.containers.has(queued)).toBe(false);
  });

  test("leaves to a replica that returns nothing of what others have since, with the registry there or away", async () => {
    const { world, ready, unrecorded } = await populate();
    const heir = await world.beginAndRun({ replicaId: HEIR });
    await heir.inherit(ESTATE);
    await world.clock.settle();
    const before = world.engine.containers.size;
    const returned = await world.beginAndRun();
    // Clients that have its old URL reach it there.
    expect(returned.route(ready, "agent")).toEqual(heir.route(ready, "agent"));
    await world.clock.advance(60_000);
    world.registry.setAway(true);
    await world.clock.advance(60_000);
    expect(returned.counts()).toMatchObject({ known: 0, running: 0 });
    expect(world.engine.containers.size).toBe(before);
    world.registry.setAway(false);
    await world.clock.advance(5_000);
    expect([ready, unrecorded].map(heir.state)).toEqual(["ready", "ready"]);
  });

  test("gives each runtime to one heir, also when they do not agree on who is there", async () => {
    const world = createWorld();
    const gone = await world.beginAndRun();
    const ids = await startMany(world, gone, 40);
    gone.kill();
    const [second, third] = await Promise.all([
      world.beginAndRun({ replicaId: HEIR }),
      world.beginAndRun({ replicaId: "replica-3" }),
    ]);
    world.delayMs = () => 5;
    const shared = { gone: [REPLICA], heirs: [HEIR, "replica-3"] };
    const inheriting = Promise.all([second.inherit(ESTATE), third.inherit(shared)]);
    await world.clock.advance(2_000);
    await inheriting;
    const had = [second, third].map((life) => life.list("alice").map(({ id }) => id));
    expect(had.flat().toSorted()).toEqual(ids.toSorted());
    expect(await owners(world, ids)).toEqual(
      ids.map((id) => (had[0]?.includes(id) ? HEIR : "replica-3")),
    );
  });

  test("finds what it got without hearing of it", async () => {
    const world = createWorld();
    const { life, id } = await startIn(world);
    life.kill();
    const heir = await world.beginAndRun({ replicaId: HEIR });
    world.muted = "takeOver";
    await expect(heir.inherit(ESTATE)).rejects.toMatchObject({ code: "unavailable" });
    expect(heir.state(id)).toBe("unknown");
    await world.clock.advance(3_000);
    expect(heir.state(id)).toBe("ready");
  });
});

describe("a runtime that was taken over and then stopped while its heir was away", () => {
  async function stopWhileAway() {
    const world = createWorld();
    const { life, id } = await startIn(world);
    const heir = await world.beginAndRun({ replicaId: HEIR });
    life.kill();
    await heir.inherit(ESTATE);
    await world.clock.settle();
    heir.kill();
    const record = await world.registry.record(id);
    if (!record) throw new Error("no record");
    // As a gateway does it.
    const stopped = { ...record, desired: "stopped", verdict: "stopped", endedAt: 1 } as const;
    await world.registry.putRecord(stopped, 3_600_000);
    expect(world.engine.containers.has(id)).toBe(true);
    return { world, id };
  }

  test("leaves no container when the heir is back, though another replica made it", async () => {
    const { world, id } = await stopWhileAway();
    const back = await world.beginAndRun({ replicaId: HEIR });
    expect(world.engine.containers.has(id)).toBe(false);
    expect(back.counts()).toMatchObject({ known: 0, running: 0 });
  });

  test.each([REPLICA, "replica-3"])("leaves no container that %s can see", async (replicaId) => {
    const { world, id } = await stopWhileAway();
    const life = await world.beginAndRun({ replicaId });
    await world.clock.advance(31_000);
    expect(world.engine.containers.has(id)).toBe(false);
    expect(life.counts()).toMatchObject({ known: 0, running: 0 });
    expect(await world.registry.record(id)).toMatchObject({ replicaId: HEIR, desired: "stopped" });
  });
});

describe("a replica that was taken for gone", () => {
  async function wakeUp(act: (zombie: Life, id: string, world: World) => unknown) {
    const world = createWorld();
    const { life: zombie, id } = await startIn(world);
    const heir = await world.beginAndRun({ replicaId: HEIR });
    await heir.inherit(ESTATE);
    await act(zombie, id, world);
    await world.clock.advance(3_000);
    return { world, zombie, heir, id };
  }

  test("forgets what others have taken over, and touches neither its container nor its session", async () => {
    const { world, zombie, heir, id } = await wakeUp((life) => life.republish());
    expect(zombie.counts()).toMatchObject({ known: 0, running: 0, memoryBytes: 0 });
    expect(zombie.route(id, "agent")).toEqual(heir.route(id, "agent"));
    expect(zombie.log.filter((line) => line.includes("taken a runtime over"))).toHaveLength(1);
    expect(heir.state(id)).toBe("ready");
    expect(world.engine.calls).toMatchObject({ stop: 0, remove: 0, create: 1 });
    expect(await world.registry.sessionHolder(order())).toBe(id);
    // Nor does it find it again by the label, when nobody can tell it better.
    world.registry.setAway(true);
    await world.clock.advance(60_000);
    expect(zombie.counts().known).toBe(0);
    heir.stop(id);
    await world.clock.advance(60_000);
    expect(zombie.route(id, "agent")).toEqual({ kind: "unknown" });
  });

  test.each([
    ["", false],
    [" with the registry away", true],
  ])(
    "ends for the heir, too, what it is told to stop before it knows of it%s",
    async (_, isAway) => {
      const { world, heir, id } = await wakeUp((life, own, { registry }) => {
        registry.setAway(isAway);
        life.stop(own);
      });
      world.registry.setAway(false);
      await world.clock.advance(60_000);
      expect(await world.registry.record(id)).toMatchObject({
        replicaId: HEIR,
        desired: "stopped",
        verdict: "stopped",
      });
      expect(await world.registry.sessionHolder(order())).toBeUndefined();
      expect(heir.counts().running).toBe(0);
      expect(await world.engine.list()).toEqual([]);
    },
  );

  const wakingFirst = ["zombie", "heir"] as const;
  test.each(
    wakingFirst.flatMap((first) => [true, false].map((isAway) => [first, isAway] as const)),
  )(
    "ends it also in a registry that has lost all since: %s writes first, away before it was told: %s",
    async (first, isAway) => {
      const { world, zombie, heir } = await wakeUp(async (life, own, { registry, clock }) => {
        registry.setAway(isAway);
        life.stop(own);
        // It is known to be another's, and its record to be that one's.
        await life.republish();
        await clock.settle();
      });
      world.registry.lose();
      world.registry.setAway(false);
      const writers = first === "zombie" ? [zombie, heir] : [heir, zombie];
      for (const life of writers) {
        void life.republish();
        await world.clock.settle();
      }
      await world.clock.advance(5_000);
      expect(heir.list("alice")).toEqual([]);
      const live = [HEIR, REPLICA].map((one) =>
        world.registry.recordsOfReplica(one, { live: true }),
      );
      expect(await Promise.all(live)).toEqual([[], []]);
      expect(await world.engine.list()).toEqual([]);
    },
  );

  test("learns of it by the first write that is refused", async () => {
    const { world, zombie, id } = await wakeUp((life, own) => life.pause(own));
    expect(zombie.state(id)).toBe("unknown");
    expect(await world.registry.record(id)).toMatchObject({
      replicaId: HEIR,
      desired: "running",
    });
    expect(await world.registry.sessionHolder(order())).toBe(id);
  });

  test("takes no further step with one that was waiting", async () => {
    const world = createWorld();
    const { life: zombie } = await startIn(world, { sessionId: "first" }, { maxRunning: 1 });
    const { id } = await zombie.start(order({ sessionId: "waiting" }));
    await world.clock.settle();
    const heir = await world.beginAndRun({ replicaId: HEIR });
    await heir.inherit(ESTATE);
    await world.clock.settle();
    await zombie.republish();
    await world.clock.settle();
    expect(heir.state(id)).toBe("ready");
    expect(world.engine.calls.create).toBe(2);
    expect(zombie.counts()).toMatchObject({ waiting: 0, known: 0 });
  });

  test("ends no container by its own judgement before it knows what is still its own", async () => {
    const world = createWorld();
    let mayEnd = true;
    const lifetime = { neverUsedMs: 1_000, idleMs: 1_000, pausedMs: 0, maxAgeMs: 1_000 };
    const { life, id } = await startIn(world, {}, { mayEnd: () => mayEnd, lifetime });
    world.answers = () => false;
    const { id: crashed } = await life.start(order({ sessionId: "never ready" }));
    await world.clock.settle();
    mayEnd = false;
    world.engine.crash(crashed, 1);
    await world.clock.advance(30_000);
    expect([id, crashed].map(life.state)).toEqual(["ready", "failed"]);
    expect(world.engine.calls).toMatchObject({ stop: 0, remove: 0 });
    mayEnd = true;
    await world.clock.advance(6_000);
    expect(life.get(id)).toMatchObject({ desired: "stopped", verdict: "max_age" });
    expect(world.engine.containers.size).toBe(0);
  });
});
