import { expect, onTestFinished, test, vi } from "vitest";
import type { Change } from "./change.ts";
import { eventually, FOREVER_MS, type RegistryFixture } from "./contract-fixture.ts";
import { exampleImages, exampleReplica } from "./example.ts";
import type { Registry } from "./registry.ts";

/** The part of the contract about the word of changes. */
export function describeChangeContract(make: () => Promise<RegistryFixture>): void {
  test("onChange() tells of replicas what they say, once", async () => {
    await using fixture = await make();
    const { registry, other } = fixture;
    const { told, all } = await listen(other, registry);
    const info = exampleReplica("r1", { instance: "one", pulling: ["a:1"] });
    await registry.announce(info, FOREVER_MS);
    await registry.announce(info, FOREVER_MS);
    await registry.announce({ ...info, instance: "two" }, FOREVER_MS);
    await registry.announce({ ...info, load: 1 }, FOREVER_MS);
    await registry.withdraw("r1", "two");
    await registry.withdraw("r1", "one");
    await registry.withdraw("r1", "one");
    await all();
    expect(told).toEqual([
      { kind: "replica", replica: info },
      { kind: "replica", replica: { ...info, load: 1 } },
      { kind: "left", replicaId: "r1" },
    ]);
  });

  test("onChange() tells of inventories what leads from one version to the next", async () => {
    await using fixture = await make();
    const { registry, other } = fixture;
    const { told, all } = await listen(other, registry);
    const replicaId = 'r"1';
    await registry.publishInventory(replicaId, exampleImages(["a:1", "b:1"]));
    const version = (await registry.inventory(replicaId))?.version ?? Number.NaN;
    const change = { added: exampleImages(["c:1"]), removed: ["a:1"] };
    await registry.changeInventory(replicaId, change);
    await registry.changeInventory(replicaId, change);
    await registry.publishInventory(replicaId, exampleImages(["c:1"]));
    await registry.publishInventory(replicaId, exampleImages(["c:1"]));
    await all();
    const kind = "inventory";
    expect(told).toEqual([
      { kind, replicaId, version, change: undefined },
      { kind, replicaId, version: version + 1, change },
      { kind, replicaId, version: version + 2, change: { added: new Map(), removed: ["b:1"] } },
    ]);
  });

  test("onChange() tells of drains and groups when they change", async () => {
    await using fixture = await make();
    const { registry, other } = fixture;
    const { told, all } = await listen(other, registry);
    await registry.setDraining("r1", true);
    await registry.setDraining("r1", true);
    await registry.setDraining("r1", false);
    await registry.setDraining("r1", false);
    await registry.shareGroup("a:1", "r1", FOREVER_MS);
    await registry.shareGroup("a:1", "r1", FOREVER_MS);
    await registry.shareGroup("a:1", "r2", FOREVER_MS);
    await registry.shareGroup("a:1", "r1", FOREVER_MS, "r1");
    await registry.shareGroup("a:1", "r2", FOREVER_MS, "r1");
    await all();
    expect(told).toEqual([
      { kind: "drain", replicaId: "r1", draining: true },
      { kind: "drain", replicaId: "r1", draining: false },
      // For a replica that would write again what was wished before a loss.
      { kind: "drain", replicaId: "r1", draining: false },
      { kind: "group", image: "a:1", replicaId: "r1" },
      { kind: "group", image: "a:1", replicaId: "r2" },
    ]);
  });

  test("onChange() tells of all starts that are told, however many at once", async () => {
    await using fixture = await make();
    const { registry, other } = fixture;
    const { told, all } = await listen(other, registry);
    const starts = Array.from({ length: 1_000 }, (_, at) => {
      return { image: `docker.io/${"long".repeat(100)}:${at}`, replicaId: "r1", count: at };
    });
    await registry.tellStarts("g1", starts, FOREVER_MS);
    await all();
    const parts = told.map((change) => (change.kind === "starts" ? change : undefined));
    expect(parts.flatMap((part) => part?.starts)).toEqual(starts);
    expect(new Set(parts.map((part) => part?.by))).toEqual(new Set(["g1"]));
  });

  test("onChange() ends for the one listener whose end was called", async () => {
    await using fixture = await make();
    const { registry, other } = fixture;
    const [ended, going] = [vi.fn<() => void>(), vi.fn<() => void>()];
    const end = other.onChange(ended);
    other.onChange(going);
    end();
    await registry.announce(exampleReplica("r1"), FOREVER_MS);
    await eventually(async () => expect(going).toHaveBeenCalled());
    expect(ended).not.toHaveBeenCalled();
  });
}

/** What is told from now on, and a wait until all of it has come. */
async function listen(
  listening: Registry,
  telling: Registry,
): Promise<{ told: Change[]; all: () => Promise<void> }> {
  const told: Change[] = [];
  const heard = new Set<string>();
  let marks = 0;
  onTestFinished(
    listening.onChange((change) => {
      // A connection has just been made: that is no change of the test's.
      if (change.kind === "unknown") return;
      if (change.kind === "drain" && change.replicaId.startsWith("mark")) {
        heard.add(change.replicaId);
      } else told.push(change);
    }),
  );
  /** Messages come in order: what was told before a mark is here when the mark is. */
  async function all(): Promise<void> {
    const own: string[] = [];
    await eventually(async () => {
      const mark = `mark ${(marks += 1)}`;
      own.push(mark);
      await telling.setDraining(mark, true);
      expect(own.some((each) => heard.has(each))).toBe(true);
    });
  }
  await all();
  return { told, all };
}
