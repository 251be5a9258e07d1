import { setImmediate as nextTurn } from "node:timers/promises";
import { ServiceError } from "@remote-runtime/protocol";
import { createMemoryRegistry, type HeldImage } from "@remote-runtime/registry";
import { describe, expect, test, vi } from "vitest";
import { createInventories } from "./inventories.ts";

const image: HeldImage = { createdAt: 1_000, sizeBytes: 5_000 };
const images = (...names: string[]) => new Map(names.map((name) => [name, image]));

async function create(...names: string[]) {
  const registry = createMemoryRegistry({ now: () => 1_000 });
  await registry.publishInventory("one", images(...names));
  const copy = vi.spyOn(registry, "copyInventory");
  const inventories = createInventories({
    copyInventory: (id, into) => registry.copyInventory(id, into),
    // The memory registry names the versions of announced replicas only.
    inventoryVersions: async () =>
      new Map([["one", (await registry.inventory("one"))?.version ?? 0]]),
  });
  await inventories.refresh(new Set(["one"]));
  copy.mockClear();
  const version = (await registry.inventory("one"))?.version ?? 0;
  return { registry, inventories, copy, version };
}

const names = ({ of }: { of: (id: string) => ReadonlyMap<string, unknown> }) =>
  [...of("one").keys()].toSorted();

describe("createInventories()", () => {
  test("follows changes that follow on each other, without reading again", async () => {
    const { inventories, version } = await create("a", "b");
    const change = { added: images("c"), removed: ["a"] };
    const told = { kind: "inventory", replicaId: "one", change } as const;
    expect(inventories.apply({ ...told, version: version + 1 })).toBe("applied");
    expect(names(inventories)).toEqual(["b", "c"]);
    expect(["a", "b", "c"].map((image) => inventories.holders(image))).toEqual([
      [],
      ["one"],
      ["one"],
    ]);
    // It came twice.
    expect(inventories.apply({ ...told, version: version + 1 })).toBe("applied");
    expect(names(inventories)).toEqual(["b", "c"]);
  });

  test("is behind after a gap, a change that tells nothing, and one of an unknown replica", async () => {
    const { inventories, version } = await create("a");
    const change = { added: images("c"), removed: [] };
    const told = { kind: "inventory", replicaId: "one", version: version + 1, change } as const;
    expect(inventories.apply({ ...told, version: version + 2 })).toBe("behind");
    expect(inventories.apply({ ...told, change: undefined })).toBe("behind");
    expect(inventories.apply({ ...told, replicaId: "two" })).toBe("behind");
    expect(names(inventories)).toEqual(["a"]);
  });

  test("keeps what it knew when reading breaks off, and reads it another time", async () => {
    const { registry, inventories, copy } = await create("a");
    await registry.publishInventory("one", images("a", "z"));
    copy.mockImplementationOnce(async (_, into) => {
      into.set([...images("z")]);
      throw new ServiceError("unavailable", "the registry has gone");
    });
    await expect(inventories.refresh(new Set(["one"]))).rejects.toThrow("has gone");
    expect(names(inventories)).toEqual(["a"]);
    expect(inventories.holders("z")).toEqual([]);
    await inventories.refresh(new Set(["one"]));
    expect(names(inventories)).toEqual(["a", "z"]);
    expect(["a", "z"].map((image) => inventories.holders(image))).toEqual([["one"], ["one"]]);
  });

  test("reads what has another version, and forgets who is not there any more", async () => {
    const { registry, inventories } = await create("a");
    await registry.publishInventory("one", images("z"));
    await inventories.refresh(new Set(["one"]));
    expect(names(inventories)).toEqual(["z"]);
    await inventories.refresh(new Set());
    expect(names(inventories)).toEqual([]);
    expect(inventories.holders("z")).toEqual([]);
  });

  test("reads those of many replicas two at a time, and all that can be read", async () => {
    const ids = Array.from({ length: 40 }, (_, i) => `replica-${i}`);
    let [reading, most] = [0, 0];
    const inventories = createInventories({
      inventoryVersions: async () => new Map(ids.map((id) => [id, 1])),
      async copyInventory(id, into) {
        reading += 1;
        most = Math.max(most, reading);
        await nextTurn();
        reading -= 1;
        if (id === "replica-3") throw new ServiceError("unavailable", "no answer in time");
        into.set([...images(`only:${id}`, "all:1")]);
        return 1;
      },
    });
    await expect(inventories.refresh(new Set(ids))).rejects.toThrow("no answer in time");
    expect(most).toBe(2);
    const read = ids.filter((id) => id !== "replica-3");
    expect(ids.filter((id) => inventories.of(id).size === 2)).toEqual(read);
    expect(inventories.holders("all:1").toSorted()).toEqual(read.toSorted());
  });
});
