import { createMemoryRegistry, type ReplicaInfo } from "@remote-runtime/registry";
import { exampleReplica } from "@remote-runtime/registry/testing";
import { systemClock } from "@remote-runtime/runtime";
import { createManualClock } from "@remote-runtime/runtime/testing";
import { createLog } from "@remote-runtime/server";
import { describe, expect, test } from "vitest";
import { createDirectory } from "./directory.ts";

const PYTHON = new Map([["docker.io/library/python:3", { createdAt: 1_000, sizeBytes: 5_000 }]]);
const log = createLog({ name: "test", level: "silent" });

const replica = (id: string, changes: Partial<ReplicaInfo> = {}): ReplicaInfo =>
  exampleReplica(id, { internalUrl: `http://${id}`, engineId: "engine", ...changes });

function create(answering: ReadonlySet<string> = new Set()) {
  let now = 1_000_000;
  const registry = createMemoryRegistry({ now: () => now });
  const clock = { now: () => now, sleep: systemClock.sleep };
  const directory = createDirectory({
    registry,
    clock,
    log,
    answers: async ({ id }) => answering.has(id),
  });
  const pass = async (ms: number): Promise<void> => {
    now += ms;
    await directory.refresh();
  };
  return { registry, directory, pass };
}

describe("createDirectory()", () => {
  test("follows what the registry announces, without being asked", async () => {
    const { registry, directory } = create();
    const ending = new AbortController();
    const running = directory.run(ending.signal);
    await registry.announce(replica("one"), 60_000);
    await expect.poll(() => [...directory.snapshot().replicas.keys()]).toEqual(["one"]);
    await registry.announce(replica("two"), 60_000);
    await expect.poll(() => [...directory.snapshot().replicas.keys()]).toEqual(["one", "two"]);
    ending.abort();
    await running;
  });

  test("drops a replica that the registry has not any more, and tells how long it has been gone", async () => {
    const { registry, directory, pass } = create();
    await registry.announce(replica("one"), 2_000);
    for (const id of ["two", "three"]) await registry.announce(replica(id), 1e9);
    await pass(0);
    expect(directory.absentMs("one")).toBe(0);
    await pass(2_000);
    expect([...directory.snapshot().replicas.keys()]).toEqual(["three", "two"]);
    expect(directory.absent().map(({ id }) => id)).toEqual(["one"]);
    await pass(5_000);
    expect(directory.absentMs("one")).toBe(5_000);
    await registry.announce(replica("one"), 2_000);
    await pass(0);
    expect(directory.absent()).toEqual([]);
    expect(directory.absentMs("one")).toBe(0);
  });

  test("shows a replica that is gone for a day, and knows it as gone after that", async () => {
    const { registry, directory, pass } = create();
    await registry.announce(replica("one"), 2_000);
    await pass(0);
    await pass(2_000);
    await pass(24 * 3_600_000 - 1);
    expect(directory.absent().map(({ id }) => id)).toEqual(["one"]);
    await pass(1);
    expect(directory.absent()).toEqual([]);
    expect(directory.absentMs("one")).toBeGreaterThanOrEqual(24 * 3_600_000);
  });

  test("goes by the later one of two announcements of one process, however late the other one is read", async () => {
    const { registry, directory } = create();
    const ending = new AbortController();
    const running = directory.run(ending.signal);
    const load = (): number | undefined => directory.snapshot().replicas.get("one")?.load;
    const said = (instance: string, loadVersion: number, told: number): ReplicaInfo =>
      replica("one", { instance, loadVersion, load: told });
    await registry.announce(said("first", 1, 1), 1e9);
    await expect.poll(load).toBe(1);
    const late = await registry.replicas();
    await registry.announce(said("first", 2, 2), 1e9);
    await expect.poll(load).toBe(2);
    const { replicas } = registry;
    registry.replicas = async () => late;
    await directory.refresh();
    expect(load()).toBe(2);
    await registry.announce(said("first", 1, 1), 1e9);
    await registry.announce(said("second", 1, 3), 1e9, "first");
    registry.replicas = replicas;
    await directory.refresh();
    expect(load()).toBe(3);
    ending.abort();
    await running;
  });

  test("keeps replicas that answer, however long a registry that takes no writes lacks them", async () => {
    const answering = new Set(["one", "two"]);
    const { registry, directory, pass } = create(answering);
    for (const id of ["one", "two", "three", "four"]) await registry.announce(replica(id), 2_000);
    await pass(0);
    const known = () => [...directory.snapshot().replicas.keys()].toSorted();
    for (let seconds = 0; seconds < 60; seconds += 1) await pass(1_000);
    expect(known()).toEqual(["one", "two"]);
    // What they have is not lost.
    expect(directory.absentMs("one")).toBeLessThan(10_000);
    expect(directory.absentMs("three")).toBeGreaterThan(50_000);
    answering.delete("one");
    for (let seconds = 0; seconds < 6; seconds += 1) await pass(1_000);
    expect(known()).toEqual(["two"]);
    await registry.announce(replica("one"), 2_000);
    await pass(0);
    expect(known()).toEqual(["one", "two"]);
  });

  test("keeps replicas and their images for a while when the registry loses many at once", async () => {
    const { registry, directory, pass } = create();
    for (const id of ["one", "two", "three"]) await registry.announce(replica(id), 1e9);
    await registry.publishInventory("one", PYTHON);
    await pass(0);
    for (const id of ["one", "two", "three"]) await registry.withdraw(id, "");
    await pass(0);
    await registry.announce(replica("two"), 1e9);
    await pass(4_999);
    expect([...directory.snapshot().replicas.keys()].toSorted()).toEqual(["one", "three", "two"]);
    expect([...directory.snapshot().images("one")]).toEqual([...PYTHON]);
    await pass(1);
    expect([...directory.snapshot().replicas.keys()]).toEqual(["two"]);
  });

  test("counts no absence of a replica that the registry lacks as long as it answers", async () => {
    const answering = new Set(["one"]);
    const { registry, directory, pass } = create(answering);
    for (const id of ["one", "two"]) await registry.announce(replica(id), 1e9);
    await pass(0);
    await registry.withdraw("one", "");
    const absences: number[] = [];
    for (let second = 0; second < 20; second += 1) {
      await pass(1_000);
      absences.push(directory.absentMs("one"));
    }
    expect(new Set(absences)).toEqual(new Set([0]));
    answering.clear();
    await pass(10_000);
    expect(directory.absentMs("one")).toBeGreaterThanOrEqual(5_000);
  });

  test("is unsettled for ten seconds, at first and after many vanished, but not after one", async () => {
    const { registry, directory, pass } = create();
    for (const id of ["one", "two", "three"]) await registry.announce(replica(id), 1e9);
    await pass(0);
    expect(directory.isSettled()).toBe(false);
    await pass(10_000);
    expect(directory.isSettled()).toBe(true);
    await registry.withdraw("one", "");
    await pass(0);
    expect(directory.isSettled()).toBe(true);
    for (const id of ["two", "three"]) await registry.withdraw(id, "");
    await pass(0);
    expect(directory.isSettled()).toBe(false);
    await pass(10_000);
    expect(directory.isSettled()).toBe(true);
  });

  test("does not count the time without the registry as an absence of its replicas", async () => {
    const { registry, directory, pass } = create();
    for (const id of ["one", "two", "three"]) await registry.announce(replica(id), 1e9);
    await pass(0);
    await registry.withdraw("one", "");
    await pass(0);
    await pass(1_000);
    await registry.close();
    await pass(600_000);
    expect(directory.absentMs("one")).toBe(1_000);
    expect(directory.absentMs("two")).toBe(0);
    expect(directory.isSettled()).toBe(false);
    expect([...directory.snapshot().replicas.keys()]).toEqual(["three", "two"]);
  });

  test("keeps its ring, which remembers what it was asked, while its members are the same", async () => {
    const { registry, directory, pass } = create();
    await registry.announce(replica("one"), 1e9);
    await pass(0);
    const { ring } = directory.snapshot();
    await registry.announce(replica("one", { load: 5 }), 1e9);
    await pass(0);
    expect(directory.snapshot().replicas.get("one")?.load).toBe(5);
    expect(directory.snapshot().ring).toBe(ring);
    await registry.announce(replica("one", { weight: 4 }), 1e9);
    await pass(0);
    expect(directory.snapshot().ring).not.toBe(ring);
  });

  test("remembers where a runtime is only if its id does not tell", async () => {
    const { registry, directory, pass } = create();
    await registry.announce(replica("one"), 1e9);
    await pass(0);
    directory.remember("abcdaaaaaaaaaaaa", "one");
    expect(directory.remembers("abcdaaaaaaaaaaaa")).toBe(false);
    await registry.announce(replica("two"), 1e9);
    await pass(0);
    directory.remember("abcdaaaaaaaaaaaa", "two");
    expect(directory.remembers("abcdaaaaaaaaaaaa")).toBe(true);
    expect(directory.replicasOf("abcdaaaaaaaaaaaa").map(({ id }) => id)).toEqual(["two", "one"]);
  });

  test("refresh() waits for images 3 s at most, and takes them in when they come", async () => {
    const clock = createManualClock();
    const registry = createMemoryRegistry({ now: clock.now });
    await registry.announce(replica("one"), 1e9);
    await registry.publishInventory("one", PYTHON);
    const slow = Promise.withResolvers<void>();
    const directory = createDirectory({
      registry: {
        ...registry,
        async copyInventory(id, into) {
          await slow.promise;
          return registry.copyInventory(id, into);
        },
      },
      clock,
      log,
    });
    let isOver = false;
    const refreshing = directory.refresh().then(() => void (isOver = true));
    await clock.advance(2_999);
    expect(isOver).toBe(false);
    await clock.advance(1);
    await refreshing;
    expect([...directory.snapshot().replicas.keys()]).toEqual(["one"]);
    expect(directory.snapshot().images("one").size).toBe(0);
    slow.resolve();
    await expect.poll(() => directory.snapshot().images("one").size).toBe(1);
  });

  test("reads images once more, and at once, when a change came while they were read", async () => {
    const clock = createManualClock();
    const registry = createMemoryRegistry({ now: clock.now });
    for (const id of ["one", "two"]) await registry.announce(replica(id), 1e9);
    await registry.publishInventory("one", PYTHON);
    const slow = Promise.withResolvers<void>();
    let [readings, versions] = [0, 0];
    const directory = createDirectory({
      registry: {
        ...registry,
        async inventoryVersions() {
          versions += 1;
          return registry.inventoryVersions();
        },
        async copyInventory(id, into) {
          readings += 1;
          if (readings === 1) await slow.promise;
          return registry.copyInventory(id, into);
        },
      },
      clock,
      log,
    });
    const refreshing = directory.refresh();
    await clock.settle();
    expect(readings).toBe(1);
    await registry.publishInventory("two", PYTHON);
    const again = directory.refresh();
    await clock.settle();
    slow.resolve();
    await Promise.all([refreshing, again]);
    expect(directory.snapshot().images("two").size).toBe(1);
    expect(versions).toBe(2);
  });
});
