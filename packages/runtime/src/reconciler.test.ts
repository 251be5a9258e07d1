import { ServiceError } from "@remote-runtime/protocol";
import { describe, expect, test } from "vitest";
import { createWorld, order, startIn, type Scene } from "./runtimes-fixture.ts";

const NOTHING = { waiting: 0, starting: 0, running: 0, memoryBytes: 0 };
const FAR_IMAGE = "elsewhere/tool:1";

/** A runtime that stays in that state, as something that it waits for does not happen. */
const scenes: Record<string, () => Promise<Scene>> = {
  pulling: () => startIn(createWorld({ pull: forever }), { spec: { image: FAR_IMAGE } }),
  async queued() {
    const world = createWorld();
    const { life } = await startIn(world, { sessionId: "before" }, { maxRunning: 1 });
    const { id } = await life.start(order());
    await world.clock.settle();
    return { world, life, id };
  },
  creating: () => heldScene("create"),
  starting: () => heldScene("start"),
  booting() {
    const world = createWorld();
    world.answers = () => false;
    return startIn(world);
  },
  ready: () => startIn(createWorld()),
};

/** In the middle of a call of the engine, which ends once the test's command has been given. */
async function heldScene(method: string): Promise<Scene> {
  const world = createWorld();
  const release = world.hold(method);
  const scene = await startIn(world);
  setImmediate(release);
  return scene;
}

function forever(): Promise<never> {
  return new Promise(() => undefined);
}

describe("a stop", () => {
  test.each(Object.entries(scenes))(
    "ends one that is %s, and all that it held",
    async (_, make) => {
      const { world, life, id } = await make();
      expect(life.stop(id)).toMatchObject({ desired: "stopped", verdict: "stopped" });
      expect(life.stop(id)).toMatchObject({ id });
      await world.clock.settle();
      expect(world.engine.containers.has(id)).toBe(false);
      expect(life.get(id)).toMatchObject({ desired: "stopped", observed: { state: "none" } });
      expect(life.list("alice").map(({ sessionId }) => sessionId)).not.toContain("session-1");
      expect(life.counts().waiting + life.counts().starting).toBe(0);
      expect(await world.registry.record(id)).toEqual(life.get(id));
      expect(life.resume(id)).toMatchObject({ desired: "stopped" });
    },
  );
});

describe("a pause", () => {
  test.each(Object.entries(scenes))(
    "holds one that is %s, and a resume lets it go on",
    async (_, make) => {
      const { world, life, id } = await make();
      expect(life.pause(id)).toMatchObject({ desired: "paused" });
      await world.clock.settle();
      expect(world.engine.containers.get(id)?.state.kind).not.toBe("running");
      expect(life.pause(id)).toMatchObject({ desired: "paused", restingSince: expect.any(Number) });
      const { waiting, starting } = life.counts();
      expect({ waiting, starting }).toEqual({ waiting: 0, starting: 0 });
      expect(life.resume(id)).toMatchObject({ desired: "running", restingSince: null });
      expect(life.resume(id)).toMatchObject({ desired: "running" });
      for (const { id: other } of life.list("alice")) if (other !== id) life.stop(other);
      world.answers = () => true;
      world.engine.addImage(FAR_IMAGE);
      await world.clock.advance(1_000);
      expect(life.state(id)).toBe("ready");
      expect(life.counts()).toMatchObject({ running: 1, memoryBytes: 1 });
    },
  );

  test("and a resume during the same step leave it counted", async () => {
    const world = createWorld();
    const release = world.hold("start");
    const { life, id } = await startIn(world);
    life.pause(id);
    life.resume(id);
    release();
    await world.clock.settle();
    expect(life.state(id)).toBe("ready");
    expect(life.counts()).toMatchObject({ starting: 0, running: 1, memoryBytes: 1 });
  });

  test("that is taken back while the process ends starts it again, and says so", async () => {
    const { world, life, id } = await startIn(createWorld());
    const release = world.hold("stop");
    life.pause(id);
    await world.clock.settle();
    expect(life.resume(id)).toMatchObject({ observed: { state: "booting" } });
    release();
    await world.clock.settle();
    expect(life.get(id)).toMatchObject({ observed: { state: "ready" }, restingSince: null });
    expect(world.engine.calls.start).toBe(2);
  });

  test("takes a process that has just ended by itself for paused", async () => {
    const world = createWorld();
    world.answers = () => false;
    const { life, id } = await startIn(world);
    world.isDeaf = true;
    world.engine.crash(id, 1);
    life.pause(id);
    await world.clock.settle();
    expect(life.state(id)).toBe("paused");
    world.answers = () => true;
    life.resume(id);
    await world.clock.settle();
    expect(life.state(id)).toBe("ready");
  });
});

test("a command meets one loop, at whatever moment it comes", async () => {
  for (let moment = 0; moment < 60; moment += 1) {
    const world = createWorld();
    const life = await world.beginAndRun();
    const { id } = await life.start(order());
    for (let tick = 0; tick < moment; tick += 1) await Promise.resolve();
    life.stop(id);
    await world.clock.settle();
    expect([life.halted, world.engine.containers.size]).toEqual([[id], 0]);
  }
});

test("a command that comes while a failure is judged goes before it", async () => {
  const unreachable = (): Promise<never> =>
    Promise.reject(new ServiceError("unavailable", "no route to host"));
  const far = { spec: { image: FAR_IMAGE } };
  const { world, life, id } = await startIn(createWorld({ pull: unreachable }), far);
  await world.clock.advance(1_000 + 4_000 + 10_000);
  const release = world.hold("ping");
  await world.clock.advance(20_000);
  life.pause(id);
  release();
  await world.clock.settle();
  expect(life.get(id)).toMatchObject({ desired: "paused", verdict: null });
});

test("a stop keeps its verdict, whatever is found while it is under way", async () => {
  const { world, life, id } = await startIn(createWorld());
  const release = world.hold("inspect");
  await world.engine.remove(id);
  await world.clock.settle();
  life.stop(id, "max_age");
  release();
  await world.clock.settle();
  expect(life.get(id)).toMatchObject({ desired: "stopped", verdict: "max_age" });
});

describe("a resume of one that failed", () => {
  test("starts its container again, with its files, when it was ready before", async () => {
    const { world, life, id } = await startIn(createWorld());
    world.engine.crash(id, 137, { oomKilled: true });
    await world.clock.settle();
    expect(life.get(id)).toMatchObject({ verdict: "oom", observed: { state: "failed" } });
    expect(life.counts()).toMatchObject(NOTHING);
    expect(world.engine.containers.get(id)?.state.kind).toBe("exited");
    expect(life.resume(id)).toMatchObject({ desired: "running", verdict: null, endedAt: null });
    await world.clock.settle();
    expect(life.state(id)).toBe("ready");
    expect(world.engine.calls.create).toBe(1);
  });

  test("has its session again, if that is free", async () => {
    const { world, life, id } = await startIn(createWorld());
    world.engine.crash(id, 1);
    await world.clock.settle();
    world.registry.lose();
    life.resume(id);
    await world.clock.settle();
    expect(await world.registry.sessionHolder(order())).toBe(id);
  });

  test("needs no image for that", async () => {
    const { world, life, id } = await startIn(createWorld({ pull: forever }));
    world.engine.crash(id, 1);
    world.engine.removeImage(order().spec.image);
    await world.clock.settle();
    life.resume(id);
    await world.clock.settle();
    expect(life.state(id)).toBe("ready");
  });

  test("goes through everything again when it never was", async () => {
    const world = createWorld();
    world.engine.failOn("create", new ServiceError("bad_request", "no such user"));
    const { life, id } = await startIn(world);
    expect(life.get(id)).toMatchObject({ verdict: "create_failed", readyAt: null });
    life.resume(id);
    await world.clock.settle();
    expect(life.state(id)).toBe("ready");
  });

  test("is refused when its files are gone", async () => {
    const { world, life, id } = await startIn(createWorld());
    await world.engine.remove(id);
    await world.clock.settle();
    expect(life.get(id)).toMatchObject({ verdict: "engine_lost", observed: { state: "failed" } });
    expect(() => life.resume(id)).toThrow(/files of runtime [a-z]+ are gone; POST \/start/);
    expect(world.engine.calls.create).toBe(1);
    const { id: other } = await life.start(order());
    await world.clock.settle();
    expect(life.get(other)?.events).toContainEqual({
      at: expect.any(Number),
      reason: "Replaces",
      message: `runtime ${id}, which failed: its files are gone: something else removed its container`,
    });
  });

  test.each(["failed", "paused"])(
    "that was %s never goes on with an empty file system, even when nobody saw its container go",
    async (was) => {
      const { world, life, id } = await startIn(createWorld());
      if (was === "failed") world.engine.crash(id, 1);
      else life.pause(id);
      await world.clock.settle();
      world.isDeaf = true;
      await world.engine.remove(id);
      expect(life.resume(id)).toMatchObject({ desired: "running" });
      await world.clock.settle();
      expect(life.get(id)).toMatchObject({
        verdict: "engine_lost",
        observed: { state: "failed", reason: expect.stringContaining("files are gone") },
      });
      expect(() => life.resume(id)).toThrow(/are gone/);
      expect(world.engine.calls.create).toBe(1);
    },
  );
});

describe("an engine that is away", () => {
  test.each(["putRecord", "image", "create", "start"])(
    "is waited for when it goes away after %s, and the start goes on",
    async (method) => {
      const world = createWorld();
      const life = await world.beginAndRun();
      const release = world.hold(method);
      const starting = life.start(order());
      await world.clock.settle();
      world.engine.setAway(true);
      release();
      const { id } = await starting;
      await world.clock.advance(100_000);
      expect(life.get(id)).toMatchObject({ desired: "running", verdict: null, readyAt: null });
      world.engine.setAway(false);
      await world.clock.advance(2_000);
      expect(life.state(id)).toBe("ready");
      expect(life.counts()).toMatchObject({ starting: 0, running: 1 });
      expect(world.engine.containers.size).toBe(1);
    },
  );

  test.each(["pause", "stop"] as const)("is waited for by a %s", async (command) => {
    const { world, life, id } = await startIn(createWorld());
    world.engine.setAway(true);
    life[command](id);
    await world.clock.advance(100_000);
    expect(world.engine.containers.get(id)?.state.kind).toBe("running");
    world.engine.setAway(false);
    await world.clock.advance(2_000);
    expect(life.state(id)).toBe(command === "pause" ? "paused" : "stopped");
    expect(life.counts()).toMatchObject(NOTHING);
    // One line for all the tries.
    expect(life.get(id)?.events.filter(({ reason }) => reason === "Retry")).toHaveLength(1);
  });

  test("does not conclude a stop whose removal has not happened", async () => {
    const world = createWorld();
    const life = await world.beginAndRun();
    world.muted = "create";
    const { id } = await life.start(order());
    await world.clock.settle();
    world.engine.setAway(true);
    life.stop(id);
    await world.clock.advance(5_000);
    expect(life.list("alice")).toHaveLength(1);
    world.engine.setAway(false);
    await world.clock.advance(2_000);
    expect(world.engine.containers.size).toBe(0);
    expect(life.list("alice")).toEqual([]);
  });
});
