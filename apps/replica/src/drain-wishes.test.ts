import { createMemoryRegistry } from "@remote-runtime/registry";
import { describe, expect, test } from "vitest";
import { createDrainWishes } from "./drain-wishes.ts";

const ID = "replica-1";

function build() {
  // What it holds after it has lost everything.
  const registry = createMemoryRegistry({ now: () => 0 });
  const wishes = createDrainWishes({ registry });
  return { registry, wishes };
}

describe("createDrainWishes()", () => {
  test("does not believe a reading that a loss came before, and writes again what was read earlier, of others as well", async () => {
    const { registry, wishes } = build();
    wishes.believe(new Set([ID, "other"]));
    const read = await wishes.read();
    wishes.hear({ kind: "lost" });
    wishes.believe(read);
    expect(await wishes.read()).toEqual(new Set([ID, "other"]));
    expect(await registry.drains()).toEqual(new Set([ID, "other"]));
  });

  test("lets what the operator says after the loss count", async () => {
    const { wishes } = build();
    wishes.hear({ kind: "drain", replicaId: ID, draining: true });
    wishes.hear({ kind: "drain", replicaId: "other", draining: true });
    wishes.hear({ kind: "lost" });
    wishes.hear({ kind: "drain", replicaId: ID, draining: false });
    expect(await wishes.read()).toEqual(new Set(["other"]));
  });

  test("writes nothing of what was not wished, or is not any more", async () => {
    const { wishes } = build();
    wishes.hear({ kind: "lost" });
    expect(await wishes.read()).toEqual(new Set());
    wishes.believe(new Set([ID]));
    wishes.believe(new Set());
    wishes.hear({ kind: "lost" });
    expect(await wishes.read()).toEqual(new Set());
  });

  test("tries again when the registry did not take it", async () => {
    const { registry } = build();
    let isAway = true;
    const setDraining: typeof registry.setDraining = async (id, draining) => {
      if (isAway) throw new Error("away");
      await registry.setDraining(id, draining);
    };
    const wishes = createDrainWishes({ registry: { setDraining, drains: registry.drains } });
    wishes.believe(new Set([ID]));
    wishes.hear({ kind: "lost" });
    await expect(wishes.read()).rejects.toThrow("away");
    isAway = false;
    expect(await wishes.read()).toEqual(new Set([ID]));
  });
});
