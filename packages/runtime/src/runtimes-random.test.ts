import { ServiceError } from "@remote-runtime/protocol";
import type { RuntimeRecord } from "@remote-runtime/registry";
import fc from "fast-check";
import { expect, test } from "vitest";
import type { FakeEngineMethod } from "./fake-engine.ts";
import { createWorld, IMAGE, order, REPLICA, type Life, type World } from "./runtimes-fixture.ts";
import { isLive } from "./view.ts";

const OTHER_IMAGE = "elsewhere/tool:1";
const ABSENT_IMAGE = "absent:1";
const MOST_STARTING = 1;
const MOST_RUNNING = 2;

type Stage = { world: World; life: Life; ids: string[] };
type Command = (stage: Stage) => Promise<void> | void;
type Commands = fc.Arbitrary<[string, Command]>;

/** As fc.oneof, with the type that each of them has to have. */
const oneOf = (...all: Commands[]): Commands => fc.oneof(...all);

const some = fc.nat({ max: 7 });
const METHODS: readonly FakeEngineMethod[] = [
  "create",
  "start",
  "stop",
  "remove",
  "inspect",
  "list",
  "logs",
  "pull",
  "image",
  "images",
];
const methods = fc.constantFrom(...METHODS);
const codes = fc.constantFrom("unavailable", "timeout", "bad_request", "not_found", "conflict");
/** Things that are away are so for a part of the time. */
const isAway = fc.constantFrom(true, false, false);

function pick({ ids }: Stage, index: number): string {
  return ids[index % Math.max(ids.length, 1)] ?? "none";
}

function runningOf(stage: Stage, index: number): string | undefined {
  const id = pick(stage, index);
  return stage.world.engine.containers.get(id)?.state.kind === "running" ? id : undefined;
}

/** One whose files are gone refuses. */
function resume({ life }: Stage, id: string): void {
  try {
    life.resume(id);
  } catch (error) {
    expect(error).toMatchObject({ code: "conflict" });
  }
}

const starts: Commands = fc
  .record({
    session: fc.nat({ max: 3 }),
    image: fc.constantFrom(IMAGE, IMAGE, IMAGE, OTHER_IMAGE, OTHER_IMAGE, ABSENT_IMAGE),
    urlForm: fc.constantFrom("path" as const, "port" as const),
    policy: fc.constantFrom("IfNotPresent" as const, "Always" as const),
  })
  .map(({ session, image, urlForm, policy }) => [
    `start session ${session} ${image} ${urlForm} ${policy}`,
    (stage) => {
      const spec = { image, imagePullPolicy: policy };
      stage.life.start(order({ sessionId: `s${session}`, urlForm, spec })).then(
        ({ id }) => stage.ids.includes(id) || stage.ids.push(id),
        (error: unknown) => expect(error).toMatchObject({ code: "conflict" }),
      );
    },
  ]);

const passing: Commands = fc
  .constantFrom(0, 10, 300, 1_500, 6_000, 31_000)
  .map((ms) => [`advance ${ms}`, ({ world }) => world.clock.advance(ms)]);

const commands: Commands = oneOf(
  some.map((index) => [`stop ${index}`, (stage) => void stage.life.stop(pick(stage, index))]),
  some.map((index) => [`pause ${index}`, (stage) => void stage.life.pause(pick(stage, index))]),
  some.map((index) => [`resume ${index}`, (stage) => resume(stage, pick(stage, index))]),
);

const accidents: Commands = oneOf(
  fc
    .record({ index: some, exitCode: fc.constantFrom(0, 1, 137), oomKilled: fc.boolean() })
    .map(({ index, exitCode, oomKilled }) => [
      `crash ${index} with ${exitCode} ${oomKilled}`,
      (stage) => {
        const id = runningOf(stage, index);
        if (id !== undefined) stage.world.engine.crash(id, exitCode, { oomKilled });
      },
    ]),
  some.map((index) => [
    `remove the container ${index}`,
    (stage) => stage.world.engine.remove(pick(stage, index)).catch(() => undefined),
  ]),
  isAway.map((away) => [`engine away ${away}`, ({ world }) => world.engine.setAway(away)]),
  isAway.map((away) => [`registry away ${away}`, ({ world }) => world.registry.setAway(away)]),
  fc.constant([
    "registry lost",
    ({ world, life }) => {
      world.registry.lose();
      void life.republish();
    },
  ]),
  isAway.map((isDeaf) => [`deaf ${isDeaf}`, ({ world }) => void (world.isDeaf = isDeaf)]),
  fc
    .record({ method: methods, code: codes, times: fc.integer({ min: 1, max: 3 }) })
    .map(({ method, code, times }) => [
      `fail ${method} with ${code} ${times} times`,
      ({ world }) => world.engine.failOn(method, new ServiceError(code, "chance"), times),
    ]),
  fc
    .oneof(methods, fc.constantFrom("putRecord", "claimSession", "record"))
    .map((method) => [`mute ${method}`, ({ world }) => void (world.muted = method)]),
  fc
    .nat({ max: 3 })
    .map((port) => [`take port ${port}`, ({ world }) => world.engine.takePort(20_000 + port)]),
  fc.constant(["remove image", ({ world }) => world.engine.removeImage(OTHER_IMAGE)]),
  fc.constant([
    "the engine restarts",
    ({ world, ids }) => {
      world.engine.setAway(true);
      for (const id of ids) {
        if (world.engine.containers.get(id)?.state.kind === "running") world.engine.crash(id, 137);
      }
      world.engine.setAway(false);
    },
  ]),
  fc.constant([
    "kill",
    async (stage) => {
      stage.life.kill();
      // What it has sent arrives before another process is there.
      await stage.world.clock.advance(1_000);
      stage.life = begin(stage.world);
    },
  ]),
);

const anything: Commands = fc.oneof(
  { weight: 3, arbitrary: starts },
  { weight: 3, arbitrary: passing },
  { weight: 3, arbitrary: commands },
  { weight: 2, arbitrary: accidents },
);

function begin(world: World): Life {
  const life = world.begin({ maxStarting: MOST_STARTING, maxRunning: MOST_RUNNING });
  const { signal } = new AbortController();
  void life.adopt(signal).then(() => life.run(signal));
  return life;
}

/** Everything answers again, and there is time for all that is due. */
async function quiesce({ world }: Stage): Promise<void> {
  world.isDeaf = false;
  world.muted = null;
  for (const method of METHODS) world.engine.failOn(method, new Error("over"), 0);
  world.registry.setAway(false);
  world.engine.setAway(false);
  await world.clock.advance(200_000);
}

function expectOrder({ world, life }: Stage): void {
  const known = life.list("alice");
  const describe = JSON.stringify(
    known.map(({ id, desired, observed }) => [id, desired, observed]),
  );
  const running = known.filter(({ observed }) => observed.state === "ready");
  const waiting = known.filter(({ observed }) => observed.state === "queued");
  for (const { desired, observed, verdict } of known) {
    const settled =
      desired === "running"
        ? ["ready", "failed", "queued"]
        : ["none", "pulling", "created", "paused", "failed"];
    expect(settled, describe).toContain(observed.state);
    expect(verdict === null, describe).toBe(observed.state !== "failed");
  }
  expect(life.counts(), describe).toEqual({
    waiting: waiting.length,
    starting: 0,
    running: running.length,
    memoryBytes: running.length,
    live: running.length + waiting.length,
    kept: expect.any(Number),
    known: known.length,
  });
  // Those that were adopted run, however many they are.
  if (waiting.length > 0) expect(running.length, describe).toBeGreaterThanOrEqual(MOST_RUNNING);
  const sessions = known.filter(isLive).map(({ sessionId }) => sessionId);
  expect(new Set(sessions).size, describe).toBe(sessions.length);
  expectContainers(world, known, describe);
}

function expectContainers({ engine }: World, known: RuntimeRecord[], describe: string): void {
  const byId = new Map(known.map((record) => [record.id, record]));
  for (const [id, { state }] of engine.containers) {
    const record = byId.get(id);
    const allowed: Record<string, string[]> = {
      running: ["ready"],
      created: ["created", "queued", "failed"],
      exited: ["paused", "queued", "failed"],
    };
    expect(allowed[state.kind], `${id} ${describe}`).toContain(record?.observed.state);
    const isKept = record?.observed.state !== "failed" || record.readyAt !== null;
    expect(isKept, `${id} is kept`).toBe(true);
  }
  for (const { id, observed } of known) {
    const kind = engine.containers.get(id)?.state.kind;
    if (observed.state === "ready") expect(kind, id).toBe("running");
    if (observed.state === "paused") expect(kind, id).toBe("exited");
  }
}

async function expectRegistry({ world, life }: Stage): Promise<void> {
  for (const record of life.list("alice")) {
    const written = await world.registry.record(record.id);
    // A place in the line is written when the runtime gets it, and not at each move of the line.
    if (record.observed.state === "queued") expect(written?.desired).toBe("running");
    else expect(written, record.id).toEqual(record);
    if (isLive(record)) expect(await world.registry.sessionHolder(record)).toBe(record.id);
  }
  for (const { id, desired } of await world.registry.recordsOfReplica(REPLICA)) {
    if (desired !== "stopped") expect(life.get(id), `${id} is on record`).toBeDefined();
  }
}

test("whatever is asked and whatever fails, at rest everything is as it should be", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(anything, { maxLength: 40, size: "max" }),
      fc.array(fc.nat({ max: 400 }), { maxLength: 8 }),
      async (sequence, delays) => {
        const world = createWorld({
          pull: async (reference) => {
            if (reference === ABSENT_IMAGE) throw new ServiceError("not_found", "no such image");
            await world.clock.sleep(2_000, new AbortController().signal);
          },
        });
        let calls = 0;
        world.delayMs = () => delays[(calls += 1) % Math.max(delays.length, 1)] ?? 0;
        const stage: Stage = { world, life: begin(world), ids: [] };
        await world.clock.settle();
        try {
          for (const [, command] of sequence) await command(stage);
          await quiesce(stage);
          expectOrder(stage);
          await expectRegistry(stage);
          await expectAllToEnd(stage);
        } catch (error) {
          throw new Error(sequence.map(([name]) => name).join("; "), { cause: error });
        } finally {
          stage.life.kill();
        }
      },
    ),
    { numRuns: 150 },
  );
});

async function expectAllToEnd(stage: Stage): Promise<void> {
  for (const { id } of stage.life.list("alice")) stage.life.stop(id);
  await stage.world.clock.advance(60_000);
  expect([...stage.world.engine.containers.keys()]).toEqual([]);
  expect(stage.life.counts()).toEqual({
    waiting: 0,
    starting: 0,
    running: 0,
    memoryBytes: 0,
    live: 0,
    kept: 0,
    known: 0,
  });
}
