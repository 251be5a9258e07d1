import { ServiceError } from "@remote-runtime/protocol";
import { describe, expect, test } from "vitest";
import { createWorld, order, REPLICA, startIn, type Scene } from "./runtimes-fixture.ts";

/** Brings a runtime into a state; the process is killed there, and another one adopts. */
const killedWhen: Record<string, { make: () => Promise<Scene>; becomes: string }> = {
  pulling: {
    async make() {
      let isFirst = true;
      const pull = (): Promise<void> => {
        const pulled = isFirst ? new Promise<never>(() => undefined) : Promise.resolve();
        isFirst = false;
        return pulled;
      };
      return startIn(createWorld({ pull }), { spec: { image: "elsewhere/tool:1" } });
    },
    becomes: "ready",
  },
  queued: {
    async make() {
      const world = createWorld();
      const { life } = await startIn(world, { sessionId: "before" }, { maxRunning: 1 });
      const { id } = await life.start(order());
      await world.clock.settle();
      expect(life.state(id)).toBe("queued");
      return { world, life, id };
    },
    becomes: "ready",
  },
  creating: { make: () => midway("create"), becomes: "ready" },
  starting: { make: () => midway("start"), becomes: "ready" },
  booting: {
    async make() {
      const world = createWorld();
      world.answers = () => false;
      const scene = await startIn(world);
      world.answers = () => true;
      return scene;
    },
    becomes: "ready",
  },
  ready: { make: () => startIn(createWorld()), becomes: "ready" },
  pausing: { make: () => midway("stop", "pause"), becomes: "paused" },
  paused: { make: () => after("pause"), becomes: "paused" },
  resuming: {
    async make() {
      const scene = await after("pause");
      const { world, life, id } = scene;
      const release = world.hold("putRecord");
      life.resume(id);
      // The wish is on record, and nothing has been done about it.
      life.kill();
      release();
      await world.clock.settle();
      return scene;
    },
    becomes: "ready",
  },
  // The record tells readers how it ended; nothing is left to be done.
  stopping: { make: () => midway("remove", "stop"), becomes: "unknown" },
  stopped: { make: () => after("stop"), becomes: "unknown" },
  "failed with files": {
    async make() {
      const scene = await startIn(createWorld());
      scene.world.engine.crash(scene.id, 1);
      await scene.world.clock.settle();
      return scene;
    },
    becomes: "failed",
  },
  "failed without": {
    async make() {
      const world = createWorld();
      world.engine.failOn("create", new ServiceError("bad_request", "no"));
      return startIn(world);
    },
    becomes: "failed",
  },
};

/** In a call of the engine that has done its work and has not been answered. */
async function midway(method: string, command?: "pause" | "stop"): Promise<Scene> {
  const world = createWorld();
  const release = command ? () => undefined : world.hold(method);
  const scene = await startIn(world);
  if (command) {
    world.hold(method);
    scene.life[command](scene.id);
    await world.clock.settle();
  }
  scene.life.kill();
  release();
  world.hold(method)();
  return scene;
}

async function after(command: "pause" | "stop"): Promise<Scene> {
  const scene = await startIn(createWorld());
  scene.life[command](scene.id);
  await scene.world.clock.settle();
  return scene;
}

describe("adopt() after a kill", () => {
  test.each(Object.entries(killedWhen))("goes on with one that was %s", async (_, scene) => {
    const { world, life, id } = await scene.make();
    life.kill();
    const heir = await world.beginAndRun();
    await world.clock.advance(3_000);
    expect(heir.state(id)).toBe(scene.becomes);
    const ready = heir.list("alice").filter(({ observed }) => observed.state === "ready");
    expect(heir.counts()).toMatchObject({ waiting: 0, starting: 0, running: ready.length });
    const isEnded = scene.becomes === "stopped" || scene.becomes === "unknown";
    expect(heir.bySession("alice", "session-1")?.id).toBe(isEnded ? undefined : id);
    if (isEnded) expect(world.engine.containers.has(id)).toBe(false);
    expect((await world.registry.record(id))?.desired === "stopped").toBe(isEnded);
  });

  test.each(Object.entries(killedWhen))(
    "finds what has a container without the registry, of one that was %s",
    async (_, scene) => {
      const { world, life, id } = await scene.make();
      life.kill();
      world.registry.lose();
      const container = world.engine.containers.get(id)?.state;
      const heir = await world.beginAndRun();
      await world.clock.advance(3_000);
      if (container === undefined) {
        expect(heir.state(id)).toBe("unknown");
        return;
      }
      expect(["ready", "paused", "failed"]).toContain(heir.state(id));
      if (container.kind === "running") expect(heir.state(id)).toBe("ready");
      expect(heir.bySession("alice", "session-1")).toMatchObject({ id, sessionApiKey: "secret" });
      expect(await world.registry.record(id)).toEqual(heir.get(id));
      expect(await world.registry.sessionHolder(order())).toBe(id);
    },
  );

  test("counts what runs before it lets anything start", async () => {
    const world = createWorld();
    const { life } = await startIn(world, { sessionId: "a" }, { maxRunning: 2 });
    await life.start(order({ sessionId: "b" }));
    await world.clock.settle();
    const { id: waiting } = await life.start(order({ sessionId: "c" }));
    await world.clock.settle();
    life.kill();
    const heir = await world.beginAndRun({ maxRunning: 2 });
    expect(heir.state(waiting)).toBe("queued");
    expect(heir.counts()).toMatchObject({ waiting: 1, running: 2 });
  });

  test("ends the older of two runtimes of one session, as the last process could not", async () => {
    const world = createWorld();
    const { life, id } = await startIn(world);
    world.engine.crash(id, 1);
    await world.clock.settle();
    await world.clock.advance(1_000);
    const release = world.hold("claimSession");
    void life.start(order());
    await world.clock.settle();
    life.kill();
    release();
    const heir = await world.beginAndRun();
    expect(heir.state(id)).toBe("stopped");
    expect(heir.bySession("alice", "session-1")?.observed.state).toBe("ready");
    expect(world.engine.containers.size).toBe(1);
  });

  test("waits for an engine that is away", async () => {
    const world = createWorld();
    const { life, id } = await startIn(world);
    life.kill();
    world.engine.setAway(true);
    const heir = world.begin();
    let isDone = false;
    void heir.adopt(new AbortController().signal).then(() => (isDone = true));
    await world.clock.advance(60_000);
    expect(isDone).toBe(false);
    world.engine.setAway(false);
    await world.clock.advance(1_000);
    expect([isDone, heir.state(id)]).toEqual([true, "ready"]);
  });

  test("takes a start over that comes while the engine makes its list", async () => {
    const world = createWorld();
    const { life, id } = await startIn(world);
    life.kill();
    const release = world.hold("list");
    const heir = world.begin();
    void heir.adopt(new AbortController().signal);
    await world.clock.settle();
    const { id: second } = await heir.start(order({ sessionId: "session-2" }));
    await world.clock.settle();
    release();
    await world.clock.settle();
    expect([id, second].map(heir.state)).toEqual(["ready", "ready"]);
    expect(heir.counts()).toMatchObject({ running: 2, known: 2 });
  });
});

describe("a registry that is away when a process begins", () => {
  test("is not waited for; what only it knows is taken over when it is back", async () => {
    const world = createWorld();
    const { life, id: ready } = await startIn(world);
    const { id: stopped } = await life.start(order({ sessionId: "to be stopped" }));
    await world.clock.settle();
    const away = new ServiceError("unavailable", "no answer");
    world.engine.failOn("remove", away, 1);
    life.stop(stopped);
    world.engine.failOn("create", away, 1);
    const { id: waiting } = await life.start(order({ sessionId: "waiting" }));
    await world.clock.settle();
    life.kill();
    world.registry.setAway(true);
    const heir = world.begin();
    const { signal } = new AbortController();
    void heir.adopt(signal).then(() => heir.run(signal));
    await world.clock.advance(5_000);
    expect([ready, stopped, waiting].map(heir.state)).toEqual(["ready", "ready", "unknown"]);
    world.registry.setAway(false);
    await world.clock.advance(5_000);
    expect([ready, stopped, waiting].map(heir.state)).toEqual(["ready", "stopped", "ready"]);
    expect(await world.registry.record(stopped)).toMatchObject({ desired: "stopped" });
    expect(world.engine.containers.has(stopped)).toBe(false);
  });
});

test("a stop that was answered while the registry was away is on record as soon as that is back", async () => {
  const { world, life, id } = await startIn(createWorld());
  world.registry.setAway(true);
  life.stop(id);
  await world.clock.settle();
  expect(world.engine.containers.has(id)).toBe(false);
  world.registry.setAway(false);
  await world.clock.settle();
  life.kill();
  const heir = await world.beginAndRun();
  expect(heir.state(id)).toBe("unknown");
  expect(await world.registry.record(id)).toMatchObject({ verdict: "stopped" });
  expect(await world.registry.sessionHolder(order())).toBeUndefined();
});

test("what only the registry knows is taken over late, whoever reads it first", async () => {
  const world = createWorld();
  const { life, id: lost } = await startIn(world);
  const { id: found } = await life.start(order({ sessionId: "found later" }));
  await world.clock.settle();
  const plan = world.engine.containers.get(found)?.plan;
  life.kill();
  for (const id of [lost, found]) await world.engine.remove(id);
  world.registry.setAway(true);
  const heir = world.begin();
  const { signal } = new AbortController();
  void heir.adopt(signal).then(() => heir.run(signal));
  await world.clock.advance(5_000);
  world.registry.setAway(false);
  // Has the comparison with the engine read the records.
  if (plan) await world.engine.create(plan);
  world.engine.setAway(true);
  world.engine.setAway(false);
  await world.clock.advance(5_000);
  expect(heir.state(found)).toBe("ready");
  expect(heir.get(lost)).toMatchObject({ verdict: "engine_lost" });
});

test("a runtime that a gateway has ended meanwhile is ended, not written anew", async () => {
  const { world, life, id } = await startIn(createWorld());
  const record = await world.registry.record(id);
  if (!record) throw new Error("no record");
  world.registry.setAway(true);
  life.pause(id);
  await world.clock.advance(3_000);
  // The gateway has found it again before the replica does.
  world.registry.setAway(false);
  await world.registry.putRecord({
    ...record,
    desired: "stopped",
    verdict: "replica_lost",
    endedAt: 1,
  });
  await world.clock.advance(3_000);
  expect(life.get(id)).toMatchObject({ desired: "stopped", verdict: "replica_lost" });
  expect(world.engine.containers.has(id)).toBe(false);
  expect(await world.registry.record(id)).toMatchObject({ desired: "stopped" });
});

test("a runtime that a gateway has ended is ended by the next write of a replica that did not notice", async () => {
  const { world, life, id } = await startIn(createWorld());
  const record = await world.registry.record(id);
  if (!record) throw new Error("no record");
  await world.registry.putRecord({ ...record, desired: "stopped", verdict: "stopped", endedAt: 1 });
  life.pause(id);
  await world.clock.settle();
  expect(life.get(id)).toMatchObject({ desired: "stopped", verdict: "stopped" });
  expect(world.engine.containers.has(id)).toBe(false);
  expect(await world.registry.record(id)).toMatchObject({ desired: "stopped" });
  expect(await world.registry.recordsOfReplica(REPLICA, { live: true })).toEqual([]);
});

test("containers of other replicas are left alone, and their bytes passed on", async () => {
  const { world, life, id } = await startIn(createWorld());
  const heir = await world.beginAndRun({ replicaId: "replica-2" });
  await world.clock.advance(60_000);
  expect(heir.list("alice")).toEqual([]);
  expect(life.state(id)).toBe("ready");
  expect(world.engine.containers.get(id)?.plan.replicaId).toBe(REPLICA);
  // A port that replicas share out anew may be the other one's after a restart of both.
  expect(heir.route(id, "agent")).toEqual(life.route(id, "agent"));
  life.pause(id);
  await world.clock.settle();
  // Not "unknown": clients take a 404 for the end.
  expect(heir.route(id, "agent")).toMatchObject({ kind: "waiting" });
  life.stop(id);
  await world.clock.advance(60_000);
  expect(heir.route(id, "agent")).toEqual({ kind: "unknown" });
});
