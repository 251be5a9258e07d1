import { expect, test } from "vitest";
import {
  eventually,
  FOREVER_MS,
  replicaIds,
  SOON_MS,
  type RegistryFixture,
} from "./contract-fixture.ts";
import { exampleImages, exampleReplica } from "./example.ts";
import { createImagesSink } from "./images-sink.ts";
import type { Registry } from "./registry.ts";

/** The part of the contract about what engines hold. */
export function describeInventoryContract(make: () => Promise<RegistryFixture>): void {
  describeContents(make);
  describeLife(make);
}

function describeContents(make: () => Promise<RegistryFixture>): void {
  test("publishInventory() replaces the list of one replica", async () => {
    await using fixture = await make();
    const { registry, other } = fixture;
    await registry.publishInventory("r1", exampleImages(["a:1", "b:1"]));
    await registry.publishInventory("r2", new Map());
    const large = exampleImages(["b:1"], { sizeBytes: 1e13, createdAt: 1_700_000_000_000.5 });
    const images = new Map([...large, ...exampleImages(["c:1"])]);
    await registry.publishInventory("r1", images);
    expect((await other.inventory("r1"))?.images).toEqual(images);
    expect((await other.inventory("r2"))?.images).toEqual(new Map());
    expect(await other.inventory("r3")).toBeUndefined();
  });

  test("copyInventory() gives what inventory() has to a sink, in place of what that had", async () => {
    await using fixture = await make();
    const { registry, other } = fixture;
    const names = Array.from({ length: 1_200 }, (_, i) => `image-${i}:1`);
    await registry.publishInventory("r1", exampleImages(names));
    const sink = createImagesSink();
    sink.set([...exampleImages(["other:1"])]);
    expect(await other.copyInventory("r1", sink)).toBe(await versionOf(registry, "r1"));
    expect(sink.images).toEqual(exampleImages(names));
    expect(await other.copyInventory("r2", sink)).toBeUndefined();
  });

  test("heldBy() says of one image which of the asked replicas have it", async () => {
    await using fixture = await make();
    const { registry, other } = fixture;
    const own = exampleImages(["a:1"], { sizeBytes: 7, createdAt: 8 });
    await registry.publishInventory("r1", own);
    await registry.publishInventory("r2", exampleImages(["a:1", "b:1"]));
    await registry.publishInventory("r3", exampleImages(["b:1"]));
    await registry.publishInventory("r4", exampleImages(["a:1"]));
    const held = await other.heldBy("a:1", ["r1", "r2", "r3", "r9"]);
    expect(held).toEqual(
      new Map([
        ["r1", { sizeBytes: 7, createdAt: 8 }],
        ["r2", exampleImages(["a:1"]).get("a:1")],
      ]),
    );
    await registry.changeInventory("r1", { added: new Map(), removed: ["a:1"] });
    expect(await other.heldBy("a:1", ["r1"])).toEqual(new Map());
    expect(await other.heldBy("version", ["r2"])).toEqual(new Map());
    expect(await other.heldBy("a:1", [])).toEqual(new Map());
  });

  test("changeInventory() adds, replaces and removes", async () => {
    await using fixture = await make();
    const { registry, other } = fixture;
    await registry.publishInventory("r1", exampleImages(["a:1", "b:1", "c:1"]));
    const newer = exampleImages(["b:1", "d:1"], { sizeBytes: 7 });
    const change = { added: newer, removed: ["a:1", "b:1", "missing:1"] };
    expect(await other.changeInventory("r1", change)).toBe(true);
    const expected = new Map([...exampleImages(["c:1"]), ...newer]);
    expect((await registry.inventory("r1"))?.images).toEqual(expected);
  });

  test("changeInventory() can empty a list, and change an empty one", async () => {
    await using fixture = await make();
    const { registry } = fixture;
    await registry.publishInventory("r1", exampleImages(["a:1"]));
    expect(await registry.changeInventory("r1", { added: new Map(), removed: ["a:1"] })).toBe(true);
    expect((await registry.inventory("r1"))?.images).toEqual(new Map());
    const added = exampleImages(["b:1"]);
    expect(await registry.changeInventory("r1", { added, removed: [] })).toBe(true);
    expect((await registry.inventory("r1"))?.images).toEqual(added);
  });

  test("changeInventory() changes nothing where no list is", async () => {
    await using fixture = await make();
    const { registry } = fixture;
    const change = { added: exampleImages(["a:1"]), removed: [] };
    expect(await registry.changeInventory("r1", change)).toBe(false);
    expect(await registry.inventory("r1")).toBeUndefined();
  });

  test("the version grows by one with each change, and not without one", async () => {
    await using fixture = await make();
    const { registry, other } = fixture;
    await registry.announce(exampleReplica("r1"), FOREVER_MS);
    await registry.publishInventory("r1", exampleImages(["a:1"]));
    const first = await versionOf(other, "r1");
    // The time in ms, and no number that was cut to fewer digits.
    expect(first).toBeGreaterThan(1_600_000_000_000);
    expect(await other.inventoryVersions()).toEqual(new Map([["r1", first]]));
    await registry.publishInventory("r1", exampleImages(["a:1"]));
    await registry.changeInventory("r1", { added: exampleImages(["a:1"]), removed: ["x:1"] });
    expect(await versionOf(other, "r1")).toBe(first);
    await registry.changeInventory("r1", { added: exampleImages(["b:1"]), removed: [] });
    expect(await versionOf(other, "r1")).toBe(first + 1);
    await registry.publishInventory("r1", exampleImages(["b:1"]));
    expect(await versionOf(other, "r1")).toBe(first + 2);
    expect(await other.inventoryVersions()).toEqual(new Map([["r1", first + 2]]));
    // Nothing of it stays, then nothing is there and nothing comes.
    await registry.publishInventory("r1", new Map());
    await registry.publishInventory("r1", new Map());
    expect(await other.inventory("r1")).toEqual({ version: first + 3, images: new Map() });
    await registry.publishInventory("r1", exampleImages(["c:1"]));
    await registry.publishInventory("r1", exampleImages(["d:1"]));
    expect(await other.inventory("r1")).toEqual({
      version: first + 5,
      images: exampleImages(["d:1"]),
    });
  });
}

async function versionOf(registry: Registry, replicaId: string): Promise<number> {
  return (await registry.inventory(replicaId))?.version ?? Number.NaN;
}

function describeLife(make: () => Promise<RegistryFixture>): void {
  test("publishInventory() before the announcement counts with it, and ends with it", async () => {
    await using fixture = await make();
    const { registry, elapse } = fixture;
    await registry.publishInventory("r1", exampleImages(["a:1"]));
    expect(await registry.inventoryVersions()).toEqual(new Map());
    await registry.announce(exampleReplica("r1"), SOON_MS);
    expect([...(await registry.inventoryVersions()).keys()]).toEqual(["r1"]);
    elapse(SOON_MS);
    await eventually(async () => expect(await registry.inventory("r1")).toBeUndefined());
    await registry.announce(exampleReplica("r1"), FOREVER_MS);
    expect(await registry.inventoryVersions()).toEqual(new Map());
    const change = { added: exampleImages(["a:1"]), removed: [] };
    expect(await registry.changeInventory("r1", change)).toBe(false);
  });

  test("a list that is stored again after its end has a version of its own", async () => {
    await using fixture = await make();
    const { registry, elapse } = fixture;
    await registry.announce(exampleReplica("r1"), SOON_MS);
    await registry.publishInventory("r1", exampleImages(["a:1"]));
    await registry.publishInventory("r1", exampleImages(["a:1", "b:1"]));
    const before = await versionOf(registry, "r1");
    elapse(SOON_MS);
    await eventually(async () => expect(await registry.inventory("r1")).toBeUndefined());
    await registry.publishInventory("r1", exampleImages(["c:1"]));
    expect(await versionOf(registry, "r1")).toBeGreaterThan(before);
  });

  test("announce() keeps the inventory for as long as it is renewed", async () => {
    await using fixture = await make();
    const { registry, elapse } = fixture;
    await registry.announce(exampleReplica("r1"), SOON_MS);
    await registry.publishInventory("r1", exampleImages(["a:1"]));
    await registry.changeInventory("r1", { added: exampleImages(["b:1"]), removed: [] });
    await registry.announce(exampleReplica("r1"), FOREVER_MS);
    await registry.announce(exampleReplica("silent"), SOON_MS);
    elapse(SOON_MS);
    await eventually(async () => expect(await replicaIds(registry)).toEqual(["r1"]));
    expect((await registry.inventory("r1"))?.images).toEqual(exampleImages(["a:1", "b:1"]));
  });
}
