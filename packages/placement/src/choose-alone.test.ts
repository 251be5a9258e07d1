import { createRing } from "@remote-runtime/ring";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { chooseAlone } from "./choose-alone.ts";
import { createFleet, type Fleet, type FleetReplica } from "./fleet.ts";

const IMAGE = "docker.io/library/python:3";
const SESSIONS = Array.from({ length: 40 }, (_, i) => `session-${i}`);

type AnyReplica = FleetReplica & { isHolder: boolean };

const anyReplicas = fc.uniqueArray(
  fc.record({
    id: fc.stringMatching(/^[a-z]{1,6}$/),
    weight: fc.constant(1),
    load: fc.nat({ max: 200 }),
    draining: fc.boolean(),
    engineId: fc.uuid(),
    isHolder: fc.boolean(),
  }),
  { selector: ({ id }) => id, minLength: 1, maxLength: 10 },
);

function fleetOf(replicas: readonly AnyReplica[]): Fleet {
  const holders = new Set(replicas.filter(({ isHolder }) => isHolder).map(({ id }) => id));
  return createFleet({
    replicas,
    ring: createRing(replicas),
    holding: (id) => (holders.has(id) ? "image" : "nothing"),
  });
}

function placesOf(replicas: readonly AnyReplica[], except?: ReadonlySet<string>) {
  const fleet = fleetOf(replicas);
  return SESSIONS.map((session) => chooseAlone({ image: IMAGE, fleet, except }, session));
}

describe("chooseAlone() among any replicas", () => {
  test("takes no dead one, and none that drains while another lives", () => {
    fc.assert(
      fc.property(anyReplicas, fc.array(fc.nat({ max: 9 })), (replicas, deadAt) => {
        const dead = new Set(deadAt.flatMap((place) => replicas[place]?.id ?? []));
        const living = replicas.filter(({ id }) => !dead.has(id));
        const anyStays = living.some(({ draining }) => !draining);
        for (const choice of placesOf(replicas, dead)) {
          const taken = living.find(({ id }) => id === choice?.replicaId);
          expect(taken === undefined).toBe(living.length === 0);
          expect(taken?.draining === true && anyStays).toBe(false);
        }
      }),
    );
  });

  test("comes to the same at gateways that know other loads, and list the replicas otherwise", () => {
    fc.assert(
      fc.property(anyReplicas, fc.nat({ max: 200 }), (replicas, load) => {
        const elsewhere = replicas.map((replica) => ({ ...replica, load })).toReversed();
        expect(placesOf(elsewhere)).toEqual(placesOf(replicas));
      }),
    );
  });

  test("moves only what was on the one that leaves", () => {
    fc.assert(
      fc.property(anyReplicas, fc.nat(), (all, at) => {
        const replicas = all.map((replica) => ({ ...replica, draining: false }));
        const leaver = replicas[at % replicas.length];
        const rest = replicas.filter((replica) => replica !== leaver);
        // Where its image is gone with it, all go home.
        fc.pre(leaver?.isHolder === false || rest.some(({ isHolder }) => isHolder));
        const after = placesOf(rest);
        placesOf(replicas).forEach((before, session) => {
          if (before?.replicaId !== leaver?.id)
            expect(after[session]?.replicaId).toBe(before?.replicaId);
        });
      }),
    );
  });
});
