import { expect, test } from "vitest";
import {
  eventually,
  FOREVER_MS,
  replicaIds,
  SOON_MS,
  type RegistryFixture,
} from "./contract-fixture.ts";
import { exampleImages, exampleReplica } from "./example.ts";

/** The part of the contract about replicas, and where starts may go. */
export function describePresenceContract(make: () => Promise<RegistryFixture>): void {
  describeReplicas(make);
  describeInstances(make);
  describeWishes(make);
}

function describeReplicas(make: () => Promise<RegistryFixture>): void {
  test("announce() shows the replica to others, by id, the last words counting", async () => {
    await using fixture = await make();
    const { registry, other } = fixture;
    await registry.announce(exampleReplica("r2"), FOREVER_MS);
    await registry.announce(exampleReplica("r1"), FOREVER_MS);
    const latest = exampleReplica("r2", { load: 7, draining: true, publicUrl: "https://r2" });
    await registry.announce(latest, FOREVER_MS);
    expect(await other.replicas()).toEqual([exampleReplica("r1"), latest]);
  });

  test("announce() is forgotten after its time unless it is renewed", async () => {
    await using fixture = await make();
    const { registry, elapse } = fixture;
    await registry.announce(exampleReplica("renewed"), SOON_MS);
    await registry.announce(exampleReplica("renewed"), FOREVER_MS);
    await registry.announce(exampleReplica("silent"), SOON_MS);
    expect(await replicaIds(registry)).toEqual(["renewed", "silent"]);
    elapse(SOON_MS);
    await eventually(async () => expect(await replicaIds(registry)).toEqual(["renewed"]));
    await registry.announce(exampleReplica("silent"), FOREVER_MS);
    expect(await replicaIds(registry)).toEqual(["renewed", "silent"]);
  });

  test("withdraw() takes the replica and its inventory away", async () => {
    await using fixture = await make();
    const { registry, other } = fixture;
    await registry.announce(exampleReplica("r1", { instance: "one" }), FOREVER_MS);
    await registry.publishInventory("r1", exampleImages(["docker.io/library/python:3"]));
    await registry.withdraw("r1", "one");
    expect(await other.replicas()).toEqual([]);
    expect(await other.inventory("r1")).toBeUndefined();
    await registry.announce(exampleReplica("r1"), FOREVER_MS);
    expect(await other.inventoryVersions()).toEqual(new Map());
  });

  test("replicasOfEngine() knows those that are gone too", async () => {
    await using fixture = await make();
    const { registry, other } = fixture;
    expect(await registry.replicasOfEngine("engine-1")).toEqual([]);
    await registry.announce(exampleReplica("r2"), FOREVER_MS);
    await registry.announce(exampleReplica("r1"), FOREVER_MS);
    await registry.announce(exampleReplica("r3", { engineId: "engine-2" }), FOREVER_MS);
    await registry.withdraw("r1", "");
    expect(await other.replicasOfEngine("engine-1")).toEqual(["r1", "r2"]);
  });
}

function describeInstances(make: () => Promise<RegistryFixture>): void {
  const one = exampleReplica("r1", { instance: "one", internalUrl: "http://10.0.0.1:8000" });
  const two = exampleReplica("r1", { instance: "two", internalUrl: "http://10.0.0.2:8000" });

  test("announce() gives an id to one instance and tells the others who has it", async () => {
    await using fixture = await make();
    const { registry, other } = fixture;
    expect(await registry.announce(one, FOREVER_MS)).toBeUndefined();
    expect(await other.announce(two, FOREVER_MS)).toEqual(one);
    expect(await other.announce(two, FOREVER_MS, "three")).toEqual(one);
    expect(await registry.announce({ ...one, load: 1 }, FOREVER_MS)).toBeUndefined();
    expect(await other.replicas()).toEqual([{ ...one, load: 1 }]);
    expect(await other.announce(two, FOREVER_MS, "one")).toBeUndefined();
    expect(await registry.replicas()).toEqual([two]);
    expect(await registry.announce(one, FOREVER_MS)).toEqual(two);
  });

  test("announce() of twenty that replace the same instance has one winner", async () => {
    await using fixture = await make();
    const { registry, other } = fixture;
    await registry.announce(one, FOREVER_MS);
    const announced = await Promise.all(
      Array.from({ length: 20 }, (_, i) => {
        const instance = `instance-${i}`;
        return (i % 2 ? registry : other).announce({ ...one, instance }, FOREVER_MS, "one");
      }),
    );
    const winners = announced.flatMap((rival, i) => (rival ? [] : [`instance-${i}`]));
    expect(winners).toEqual((await registry.replicas()).map(({ instance }) => instance));
    expect(new Set(announced.flatMap((rival) => rival?.instance ?? []))).toEqual(new Set(winners));
  });

  test("announce() takes an id whose time is over, and one that names no instance", async () => {
    await using fixture = await make();
    const { registry, other, elapse } = fixture;
    await registry.announce(one, SOON_MS);
    elapse(SOON_MS);
    await eventually(async () => expect(await other.announce(two, FOREVER_MS)).toBeUndefined());
    await registry.withdraw("r1", "two");
    await registry.announce({ ...one, instance: "" }, FOREVER_MS);
    expect(await other.announce(two, FOREVER_MS)).toBeUndefined();
  });

  test("withdraw() leaves the entry of another instance", async () => {
    await using fixture = await make();
    const { registry, other } = fixture;
    await registry.announce(one, FOREVER_MS);
    await other.announce(two, FOREVER_MS, "one");
    await other.publishInventory("r1", exampleImages(["a:1"]));
    await registry.withdraw("r1", "one");
    await registry.withdraw("r1", "");
    expect(await registry.replicas()).toEqual([two]);
    expect((await registry.inventory("r1"))?.images).toEqual(exampleImages(["a:1"]));
  });
}

function describeWishes(make: () => Promise<RegistryFixture>): void {
  test("setDraining() stays through withdrawals and announcements until it is taken back", async () => {
    await using fixture = await make();
    const { registry, other } = fixture;
    await other.setDraining("r1", true);
    await other.setDraining("r2", true);
    await registry.announce(exampleReplica("r1"), FOREVER_MS);
    await registry.withdraw("r1", "");
    await registry.announce(exampleReplica("r1"), FOREVER_MS);
    expect(await registry.drains()).toEqual(new Set(["r1", "r2"]));
    await registry.setDraining("r1", false);
    await registry.setDraining("r3", false);
    expect(await other.drains()).toEqual(new Set(["r2"]));
  });

  test("shareGroup() gives an image to the first, for its time", async () => {
    await using fixture = await make();
    const { registry, other, elapse } = fixture;
    expect(await registry.shareGroup("a:1", "r1", FOREVER_MS)).toBe("r1");
    expect(await other.shareGroup("a:1", "r2", FOREVER_MS)).toBe("r1");
    expect(await other.shareGroup("b:1", "r2", SOON_MS)).toBe("r2");
    // Others do not prolong it.
    expect(await other.shareGroup("b:1", "r3", FOREVER_MS)).toBe("r2");
    elapse(SOON_MS);
    await eventually(async () => {
      expect(await registry.shareGroup("b:1", "r3", FOREVER_MS)).toBe("r3");
    });
    expect(await registry.shareGroup("a:1", "r3", FOREVER_MS)).toBe("r1");
  });

  test("shareGroup() by the holder begins its time anew", async () => {
    await using fixture = await make();
    const { registry, other, elapse } = fixture;
    await registry.shareGroup("a:1", "r1", SOON_MS);
    await registry.shareGroup("b:1", "r1", SOON_MS);
    await registry.shareGroup("c:1", "r1", SOON_MS);
    expect(await other.shareGroup("a:1", "r1", FOREVER_MS)).toBe("r1");
    expect(await other.shareGroup("b:1", "r1", FOREVER_MS, "r1")).toBe("r1");
    elapse(SOON_MS);
    await eventually(async () => {
      expect(await registry.shareGroup("c:1", "r2", FOREVER_MS)).toBe("r2");
    });
    expect(await registry.shareGroup("a:1", "r2", FOREVER_MS)).toBe("r1");
    expect(await registry.shareGroup("b:1", "r2", FOREVER_MS)).toBe("r1");
  });

  test("shareGroup() replaces the named holder and no other", async () => {
    await using fixture = await make();
    const { registry, other } = fixture;
    expect(await registry.shareGroup("a:1", "r1", FOREVER_MS, "r9")).toBe("r1");
    expect(await other.shareGroup("a:1", "r2", FOREVER_MS, "r9")).toBe("r1");
    expect(await other.shareGroup("a:1", "r2", FOREVER_MS, "r1")).toBe("r2");
    expect(await registry.shareGroup("a:1", "r3", FOREVER_MS, "r1")).toBe("r2");
  });

  test("tellStarts() begins the time of their groups anew, whoever has them, and makes none", async () => {
    await using fixture = await make();
    const { registry, other, elapse } = fixture;
    await registry.shareGroup("a:1", "r1", SOON_MS);
    await registry.shareGroup("b:1", "r1", SOON_MS);
    const starts = ["a:1", "c:1"].map((image) => ({ image, replicaId: "r2", count: 3 }));
    await other.tellStarts("g1", starts, FOREVER_MS);
    await other.tellStarts("g1", [], FOREVER_MS);
    elapse(SOON_MS);
    await eventually(async () => {
      expect(await registry.shareGroup("b:1", "r3", FOREVER_MS)).toBe("r3");
    });
    expect(await registry.shareGroup("a:1", "r3", FOREVER_MS)).toBe("r1");
    expect(await registry.shareGroup("c:1", "r3", FOREVER_MS)).toBe("r3");
  });

  test("shareGroup() of twenty at once has one winner", async () => {
    await using fixture = await make();
    const { registry, other } = fixture;
    const shares = Array.from({ length: 20 }, (_, i) =>
      (i % 2 ? registry : other).shareGroup("a:1", `r${i}`, FOREVER_MS),
    );
    expect(new Set(await Promise.all(shares)).size).toBe(1);
  });
}
