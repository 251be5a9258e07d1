import { createRing } from "@remote-runtime/ring";
import { describe, expect, test } from "vitest";
import { choose } from "./choose.ts";
import { explain } from "./explain.ts";
import { createFleet, type Holding } from "./fleet.ts";
import { createGroups } from "./groups.ts";

const IMAGE = "docker.io/library/python:3";
const ring = createRing(["a", "b", "c"].map((id) => ({ id, weight: 1 })));
const [HOME = "", SECOND = "", THIRD = ""] = ring.order(IMAGE);

function fleetOf(loads: Record<string, number>, holdings: Record<string, Holding> = {}) {
  const replicas = ["a", "b", "c"].map((id) => {
    return { id, engineId: id, weight: 1, load: loads[id] ?? 0, draining: false };
  });
  return createFleet({ replicas, ring, holding: (id) => holdings[id] ?? "nothing" });
}

describe("explain()", () => {
  test.each([
    [
      {},
      {},
      `${HOME} is the image's home and has room for one more: 0 of 8 runtimes, so few that nothing is moved for balance.`,
    ],
    [
      { [HOME]: 60 },
      {},
      `${HOME} is the image's home but has no room, and ${SECOND} has room for one more: 0 of 26 runtimes.`,
    ],
    [
      { [HOME]: 60 },
      { [THIRD]: "image" as const },
      `${THIRD} has the image and room for one more: 0 of 26 runtimes.`,
    ],
    [
      { [HOME]: 60 },
      { [THIRD]: "pull" as const },
      `${THIRD} is pulling the image and has room for one more: 0 of 26 runtimes.`,
    ],
  ])("says why with loads %o and images at %o", (loads, holdings, reason) => {
    const fleet = fleetOf(loads, holdings);
    const explanation = explain({ image: IMAGE, fleet });
    expect(explanation?.reason).toBe(reason);
    const { kind, replicaId } = explanation ?? {};
    expect({ kind, replicaId }).toEqual(choose({ image: IMAGE, fleet }));
  });

  test("tells of the group, and of each candidate in the ring's order", () => {
    const groups = createGroups();
    groups.started(IMAGE, SECOND, { now: 0, totalLoad: 29 });
    const fleet = fleetOf({ [SECOND]: 30 }, { [THIRD]: "image" });
    expect(
      explain({ image: IMAGE, fleet, group: groups.hint(IMAGE, { now: 1, totalLoad: 30 }) }),
    ).toEqual({
      kind: "cached",
      replicaId: THIRD,
      reason: expect.stringContaining(`${SECOND}, where its group went, cannot take it; ${THIRD}`),
      candidates: [HOME, SECOND, THIRD].map((replicaId) => ({
        replicaId,
        holds: replicaId === THIRD ? "image" : "nothing",
        load: replicaId === SECOND ? 30 : 0,
        softLimit: Math.ceil((1.25 * 31) / 3),
        hardLimit: (1.5 * 31) / 3,
      })),
    });
    fleet.setLoad(SECOND, 10);
    const together = explain({
      image: IMAGE,
      fleet,
      group: groups.hint(IMAGE, { now: 1, totalLoad: 10 }),
    });
    expect(together?.reason).toBe(
      `The starts of this image go together to ${SECOND}: 10 of at most 15 runtimes.`,
    );
  });
});
