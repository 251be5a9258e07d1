import { createMemoryRegistry } from "@remote-runtime/registry";
import { describe, expect, test } from "vitest";
import { createDrainWish } from "./drain-wish.ts";

const ID = "replica-1";

function build() {
  // What it holds after it has lost everything.
  const registry = createMemoryRegistry({ now: () => 0 });
  const wish = createDrainWish({ registry, replicaId: ID });
  return { registry, wish };
}

describe("createDrainWish()", () => {
  test("does not believe a reading that a loss came before, and writes again what was read earlier", async () => {
    const { registry, wish } = build();
    wish.believe(new Set([ID, "other"]));
    const read = await wish.read();
    wish.hear({ kind: "lost" });
    wish.believe(read);
    expect(await wish.read()).toEqual(new Set([ID]));
    expect(await registry.drains()).toEqual(new Set([ID]));
  });

  test("lets what the operator says after the loss count", async () => {
    const { wish } = build();
    wish.hear({ kind: "drain", replicaId: ID, draining: true });
    wish.hear({ kind: "lost" });
    wish.hear({ kind: "drain", replicaId: "other", draining: false });
    wish.hear({ kind: "drain", replicaId: ID, draining: false });
    expect(await wish.read()).toEqual(new Set());
  });

  test("writes nothing of what was not wished, or is another's to say", async () => {
    const { wish } = build();
    wish.hear({ kind: "drain", replicaId: "other", draining: true });
    wish.hear({ kind: "lost" });
    expect(await wish.read()).toEqual(new Set());
    wish.believe(new Set([ID]));
    wish.believe(new Set());
    wish.hear({ kind: "lost" });
    expect(await wish.read()).toEqual(new Set());
  });

  test("tries again when the registry did not take it", async () => {
    const { registry } = build();
    let isAway = true;
    const setDraining: typeof registry.setDraining = async (id, draining) => {
      if (isAway) throw new Error("away");
      await registry.setDraining(id, draining);
    };
    const wish = createDrainWish({
      registry: { setDraining, drains: registry.drains },
      replicaId: ID,
    });
    wish.believe(new Set([ID]));
    wish.hear({ kind: "lost" });
    await expect(wish.read()).rejects.toThrow("away");
    isAway = false;
    expect(await wish.read()).toEqual(new Set([ID]));
  });
});
