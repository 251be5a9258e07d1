import { createRing } from "@remote-runtime/ring";
import { describe, expect, test } from "vitest";
import { createHomes } from "./homes.ts";
import { replicaInfo } from "./replica-info-example.ts";

const IMAGES = Array.from({ length: 300 }, (_, at) => `docker.io/library/image-${at}:1`);

describe("createHomes()", () => {
  test("has every image at home, and leads, before it has seen anybody", () => {
    const homes = createHomes({ replicaId: "b", engineId: "engine" });
    expect([IMAGES.every(homes.isHomed), homes.leads()]).toEqual([true, true]);
  });

  test("has at home what the ring gives to any replica of its engine", () => {
    const homes = createHomes({ replicaId: "b", engineId: "engine" });
    homes.see([replicaInfo("a"), replicaInfo("b"), replicaInfo("c", { engineId: "other" })]);
    // Two on one engine share its weight.
    const ring = createRing([
      { id: "a", weight: 1 },
      { id: "b", weight: 1 },
      { id: "c", weight: 2 },
    ]);
    const expected = IMAGES.filter((image) => ring.order(image)[0] !== "c");
    expect(IMAGES.filter(homes.isHomed)).toEqual(expected);
    expect(expected.length).toBeGreaterThan(100);
    expect(homes.leads()).toBe(false);
  });

  test("takes over the images of one that drains, as gateways send their starts on", () => {
    const homes = createHomes({ replicaId: "b", engineId: "engine" });
    homes.see([replicaInfo("a", { engineId: "other", draining: true }), replicaInfo("b")]);
    expect([IMAGES.every(homes.isHomed), homes.leads()]).toEqual([true, true]);
  });
});
