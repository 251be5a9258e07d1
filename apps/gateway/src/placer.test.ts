import { randomUUID } from "node:crypto";
import { ServiceError } from "@remote-runtime/protocol";
import { createMemoryRegistry, type Registry, type ReplicaInfo } from "@remote-runtime/registry";
import { exampleReplica } from "@remote-runtime/registry/testing";
import { systemClock } from "@remote-runtime/runtime";
import { createLog } from "@remote-runtime/server";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { createDirectory } from "./directory.ts";
import { createPlacer, type PlacerOptions } from "./placer.ts";

const IMAGE = "docker.io/library/python:3";
const REPLICAS = ["one", "two", "three", "four"];
const log = createLog({ name: "test", level: "silent" });

const info = (id: string): ReplicaInfo => exampleReplica(id, { engineId: `engine of ${id}` });

async function createRegistry(): Promise<Registry> {
  const registry = createMemoryRegistry({ now: Date.now });
  for (const id of REPLICAS) await registry.announce(info(id), 1e9);
  return registry;
}

/** What a gateway has of its own, at one registry or another. */
async function createOne(registry: Registry, options: Partial<PlacerOptions> = {}) {
  const kinds: string[] = [];
  const clock = { now: () => 1_000_000, sleep: systemClock.sleep };
  const directory = createDirectory({ registry, clock, log });
  await directory.refresh();
  const placer = createPlacer({
    directory,
    caller: { isSilent: () => false, hasSilent: () => false },
    registry,
    gatewayId: randomUUID(),
    clock,
    onPlaced: ({ kind }) => kinds.push(kind),
    ...options,
  });
  const placed = async (image = IMAGE): Promise<string> => (await placer.place(image)).replica.id;
  return { directory, placer, placed, kinds };
}

describe("createPlacer()", () => {
  test("sends the starts of an image together, though each of them adds to the load", async () => {
    const { placed, kinds } = await createOne(await createRegistry());
    const ids = await Promise.all(Array.from({ length: 8 }, () => placed()));
    expect(new Set(ids).size).toBe(1);
    expect(new Set(kinds)).toEqual(new Set(["home"]));
  });

  test("follows what another gateway has decided, whatever it would have chosen itself", async () => {
    const registry = await createRegistry();
    const [first, second] = [await createOne(registry), await createOne(registry)];
    const home = first.placer.preview(IMAGE).id;
    const elsewhere = REPLICAS.find((id) => id !== home) ?? "";
    await registry.shareGroup(IMAGE, elsewhere, 60_000);
    expect([await first.placed(), await second.placed()]).toEqual([elsewhere, elsewhere]);
  });

  test("decides once for many starts that come at the same time at two gateways", async () => {
    const registry = await createRegistry();
    let asked = 0;
    const counting: PlacerOptions["registry"] = {
      ...registry,
      shareGroup: async (...input) => {
        asked += 1;
        return registry.shareGroup(...input);
      },
    };
    const options = { registry: counting };
    const [first, second] = [
      await createOne(registry, options),
      await createOne(registry, options),
    ];
    const starts = Array.from({ length: 5 }, () => [first.placed(), second.placed()]).flat();
    expect(new Set(await Promise.all(starts)).size).toBe(1);
    expect(asked).toBe(2);
  });

  test("counts a group's starts at all gateways alike, and tells of many at once", async () => {
    const registry = await createRegistry();
    let [told, now] = [0, 1_000_000];
    const options: Partial<PlacerOptions> = {
      clock: { now: () => now, sleep: systemClock.sleep },
      registry: {
        ...registry,
        async tellStarts(...input) {
          await registry.tellStarts(...input);
          told += 1;
        },
      },
    };
    const gateways = [await createOne(registry, options), await createOne(registry, options)];
    for (const { placer } of gateways) {
      const end = registry.onChange((change) => {
        if (change.kind === "group" || change.kind === "starts") placer.hear(change);
      });
      onTestFinished(end);
    }
    for (const { placed } of [...gateways, ...gateways, ...gateways]) await placed();
    await vi.waitFor(() => expect(told).toBe(2));
    // The group is over, and was one of six.
    now += 300_000;
    for (const { placer } of gateways) {
      const { reason } = placer.explain("docker.io/library/other:1").explanation;
      expect(reason).toContain("room for the 6 starts that are expected");
    }
  });

  test("sends a session to one replica from any gateway while the registry is away, whatever each knows of loads", async () => {
    const away: PlacerOptions["registry"] = {
      tellStarts: async () => undefined,
      async shareGroup() {
        throw new ServiceError("unavailable", "away");
      },
    };
    const registry = await createRegistry();
    const held = new Map([[IMAGE, { createdAt: 1_000, sizeBytes: 5_000 }]]);
    for (const id of ["one", "two"]) await registry.publishInventory(id, held);
    const first = await createOne(registry, { registry: away });
    const second = await createOne(registry, { registry: away });
    first.directory.snapshot().fleet.setLoad("one", 1_000);
    second.directory.snapshot().fleet.setLoad("two", 1_000);
    const taken = new Set<string>();
    for (let i = 0; i < 20; i += 1) {
      const options = { sessionId: `session ${i}` };
      const { replica } = await first.placer.place(IMAGE, options);
      expect((await second.placer.place(IMAGE, options)).replica.id).toBe(replica.id);
      taken.add(replica.id);
    }
    expect(taken).toEqual(new Set(["one", "two"]));
  });

  test("counts a start before its replica announces it", async () => {
    const { directory, placed } = await createOne(await createRegistry());
    const id = await placed();
    expect(directory.snapshot().fleet.member(id)?.load).toBe(1);
    await directory.refresh();
    expect(directory.snapshot().fleet.member(id)?.load).toBe(1);
  });

  test("passes over those that were tried, and those that do not answer while others do", async () => {
    const silent = new Set(["one", "two"]);
    const { placer } = await createOne(await createRegistry(), {
      caller: { isSilent: ({ id }) => silent.has(id), hasSilent: () => true },
    });
    const except = new Set(["three"]);
    expect(placer.preview(IMAGE, { except }).id).toBe("four");
    const others = new Set(["three", "four"]);
    expect(silent).toContain(placer.preview(IMAGE, { except: others }).id);
    const last = new ServiceError("unavailable", "the last one");
    expect(() => placer.preview(IMAGE, { except: new Set(REPLICAS), last })).toThrow(last);
  });

  test("takes one that does not answer before one that drains, and that one where there is no other", async () => {
    const registry = await createRegistry();
    for (const id of ["three", "four"]) await registry.setDraining(id, true);
    const silent = new Set(["one", "two", "three"]);
    const { placer } = await createOne(registry, {
      caller: { isSilent: ({ id }) => silent.has(id), hasSilent: () => true },
    });
    expect(["one", "two"]).toContain(placer.preview(IMAGE).id);
    expect(placer.preview(IMAGE, { except: new Set(["one", "two"]) }).id).toBe("four");
    silent.delete("two");
    expect(placer.preview(IMAGE).id).toBe("two");
  });
});
