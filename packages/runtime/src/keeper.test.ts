import { describe, expect, test } from "vitest";
import { createWorld, order, startIn, type World } from "./runtimes-fixture.ts";

describe("an engine event", () => {
  test("of a process that ended makes the runtime fail, and keeps its files once it was ready", async () => {
    const { world, life, id } = await startIn(createWorld());
    const lists = world.engine.calls.list;
    world.engine.write(id, "out of ideas\n");
    world.engine.crash(id, 7);
    await world.clock.settle();
    expect(life.get(id)).toMatchObject({
      verdict: "exited",
      lastLogs: "out of ideas\n",
      endedAt: world.clock.now(),
      restingSince: world.clock.now(),
    });
    expect(life.route(id, "agent")).toMatchObject({ kind: "waiting" });
    expect(life.halted).toContain(id);
    expect(world.engine.containers.get(id)?.state.kind).toBe("exited");
    expect(world.engine.calls.list).toBe(lists);
    expect(life.counts()).toMatchObject({ running: 0, memoryBytes: 0 });
  });

  test("of a kill for lack of memory says so", async () => {
    const { world, life, id } = await startIn(createWorld());
    world.engine.crash(id, 137, { oomKilled: true });
    await world.clock.settle();
    expect(life.get(id)).toMatchObject({
      verdict: "oom",
      observed: { reason: expect.stringContaining("resource_factor") },
    });
  });

  test.each(["ready", "paused"])(
    "of a removed container makes one that is %s fail",
    async (state) => {
      const { world, life, id } = await startIn(createWorld());
      if (state === "paused") life.pause(id);
      await world.clock.settle();
      expect(life.state(id)).toBe(state);
      await world.engine.remove(id);
      await world.clock.settle();
      expect(life.get(id)).toMatchObject({ verdict: "engine_lost", observed: { state: "failed" } });
      expect(life.route(id, "agent")).toEqual({ kind: "gone" });
    },
  );

  test("of a container that is killed and then removed leaves nothing to resume", async () => {
    for (const isSlow of [false, true]) {
      const { world, life, id } = await startIn(createWorld());
      world.engine.crash(id, 137);
      if (isSlow) await world.clock.settle();
      await world.engine.remove(id);
      await world.clock.settle();
      expect(life.state(id)).toBe("failed");
      expect(life.route(id, "agent")).toEqual({ kind: "gone" });
    }
  });

  test("of a process that is killed for its container's removal says that, and no exit code", async () => {
    const { world, life, id } = await startIn(createWorld());
    world.engine.crash(id, 137, { removing: true });
    await world.clock.settle();
    expect(life.get(id)).toMatchObject({
      verdict: "engine_lost",
      observed: { reason: expect.stringContaining("something else removed its container") },
    });
    // Its files are not to be had any more, though they are not gone yet.
    expect(life.route(id, "agent")).toEqual({ kind: "gone" });
    expect(() => life.resume(id)).toThrow(/files of runtime [a-z]+ are gone/);
  });

  test("that comes while a look is under way is followed by another look", async () => {
    const world = createWorld();
    const release = world.hold("inspect");
    const { life, id } = await startIn(world);
    // The answer that is held back says that it runs.
    world.engine.crash(id, 1);
    await world.clock.settle();
    release();
    await world.clock.settle();
    expect(life.get(id)).toMatchObject({ verdict: "exited" });
  });

  test("is looked into once the engine answers", async () => {
    const { world, life, id } = await startIn(createWorld());
    world.engine.crash(id, 1);
    world.engine.setAway(true);
    await world.clock.advance(10_000);
    expect(life.state(id)).toBe("ready");
    world.engine.setAway(false);
    await world.clock.advance(1_000);
    expect(life.state(id)).toBe("failed");
  });

  test("of a process that something else started again has it boot again", async () => {
    const { world, life, id } = await startIn(createWorld());
    world.engine.crash(id, 0);
    await world.engine.start(id);
    world.answers = () => false;
    await world.clock.settle();
    expect(life.get(id)).toMatchObject({ observed: { state: "booting" }, restartCount: 1 });
    world.answers = () => true;
    await world.clock.advance(1_000);
    expect(life.state(id)).toBe("ready");
  });
});

describe("the comparison with the engine", () => {
  test("finds what no event has told", async () => {
    const { world, life, id: crashed } = await startIn(createWorld());
    const { id: removed } = await life.start(order({ sessionId: "removed" }));
    const { id: paused } = await life.start(order({ sessionId: "paused" }));
    await world.clock.settle();
    life.pause(paused);
    await world.clock.settle();
    world.isDeaf = true;
    world.engine.crash(crashed, 1);
    await world.engine.remove(removed);
    await world.engine.start(paused);
    await world.clock.advance(29_000);
    expect([crashed, removed, paused].map(life.state)).toEqual(["ready", "ready", "paused"]);
    await world.clock.advance(2_000);
    expect([crashed, removed].map((id) => life.get(id)?.verdict)).toEqual([
      "exited",
      "engine_lost",
    ]);
    expect(life.state(paused)).toBe("paused");
    expect(world.engine.containers.get(paused)?.state.kind).toBe("exited");
  });

  test("says engine_lost of what a restarted engine has ended, and of nothing else", async () => {
    const { world, life, id } = await startIn(createWorld());
    const { id: faulty } = await life.start(order({ sessionId: "faulty" }));
    const { id: never } = await life.start(order({ sessionId: "never ready" }));
    world.answers = (candidate) => candidate !== never;
    await world.clock.settle();
    world.isDeaf = true;
    for (const victim of [id, never]) world.engine.crash(victim, 137);
    world.engine.crash(faulty, 2);
    await world.clock.settle();
    world.engine.setAway(true);
    world.isDeaf = false;
    world.engine.setAway(false);
    await world.clock.settle();
    expect([id, faulty, never].map((victim) => life.get(victim)?.verdict)).toEqual([
      "engine_lost",
      "exited",
      "engine_lost",
    ]);
    expect([...world.engine.containers.keys()]).toEqual([id, faulty]);
  });

  test("says so too where the engine's last word was that end, or a comparison comes before its events", async () => {
    const { world, life, id: told } = await startIn(createWorld());
    const { id: missed } = await life.start(order({ sessionId: "missed" }));
    await world.clock.settle();
    // As a host goes down: the end is told when the engine takes no calls any more.
    world.engine.crash(told, 143);
    world.engine.setAway(true);
    await world.clock.advance(500);
    world.isDeaf = true;
    world.engine.crash(missed, 137);
    world.engine.setAway(false);
    await world.clock.advance(30_000);
    expect([told, missed].map((id) => life.get(id)?.verdict)).toEqual([
      "engine_lost",
      "engine_lost",
    ]);
    world.isDeaf = false;
    const { id: own } = await life.start(order({ sessionId: "later" }));
    await world.clock.settle();
    world.engine.setAway(true);
    world.engine.setAway(false);
    await world.clock.settle();
    world.engine.crash(own, 143);
    await world.clock.settle();
    expect(life.get(own)?.verdict).toBe("exited");
  });

  test("does not mistake what changed while the list was made", async () => {
    const world = createWorld();
    const life = await world.beginAndRun();
    const release = world.hold("list");
    await world.clock.advance(30_000);
    const { id } = await life.start(order());
    await world.clock.settle();
    expect(life.state(id)).toBe("ready");
    const inspects = world.engine.calls.inspect;
    release();
    await world.clock.settle();
    expect(world.engine.calls.inspect).toBe(inspects);
    expect(life.get(id)).toMatchObject({ restartCount: 0, observed: { state: "ready" } });
  });

  test("removes a container that turns up after its runtime has ended", async () => {
    const { world, life, id } = await startIn(createWorld());
    const plan = world.engine.containers.get(id)?.plan;
    life.stop(id);
    await world.clock.settle();
    if (plan) await world.engine.create(plan);
    await world.clock.advance(30_000);
    expect(world.engine.containers.size).toBe(0);
    expect(life.state(id)).toBe("stopped");
  });

  test("goes on after an engine that fails it", async () => {
    const { world, life, id } = await startIn(createWorld());
    world.isDeaf = true;
    world.engine.crash(id, 1);
    world.engine.failOn("list", new Error("unreadable"), 1);
    await world.clock.advance(30_000);
    expect(life.state(id)).toBe("ready");
    await world.clock.advance(30_000);
    expect(life.state(id)).toBe("failed");
  });
});

/** Begins a process of that world, which starts one runtime, and goes on until its signal ends it. */
async function untilEnded(world: World) {
  const life = world.begin();
  const shutdown = new AbortController();
  await life.adopt(shutdown.signal);
  const running = life.run(shutdown.signal);
  const { id } = await life.start(order());
  await world.clock.settle();
  const end = (): Promise<void> => {
    shutdown.abort();
    return running;
  };
  return { life, id, end };
}

test("run() ends with its signal: of a step that ends after it nothing is written, as the registry may be closed", async () => {
  const world = createWorld();
  const release = world.hold("create");
  const { life, id, end } = await untilEnded(world);
  await end();
  world.registry.setAway(true);
  release();
  await world.clock.settle();
  expect(world.engine.containers.has(id)).toBe(true);
  expect(life.log).toEqual([]);
});

test("run() ends with its signal, and no step is taken after that", async () => {
  const world = createWorld();
  world.answers = () => false;
  const { life, id, end } = await untilEnded(world);
  expect(life.state(id)).toBe("booting");
  await end();
  world.answers = () => true;
  await world.clock.advance(10_000);
  expect(life.state(id)).toBe("booting");
  life.stop(id);
  await world.clock.advance(10_000);
  expect(world.engine.containers.has(id)).toBe(true);
  // The next process finds what was asked.
  const heir = await world.beginAndRun();
  expect(world.engine.containers.has(id)).toBe(false);
  expect(heir.state(id)).toBe("stopped");
});
