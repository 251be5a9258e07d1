import { createRing } from "@remote-runtime/ring";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { choose } from "./choose.ts";
import { createFleet, type Fleet, type FleetReplica, type Holding } from "./fleet.ts";
import type { GroupHint } from "./groups.ts";
import type { Placing } from "./scene.ts";

const IMAGE = "docker.io/library/python:3";
const IDS = ["a", "b", "c", "d"];
const ring = createRing(IDS.map((id) => ({ id, weight: 1 })));
const [HOME = "", SECOND = "", THIRD = "", FOURTH = ""] = ring.order(IMAGE);

type Differing = Partial<FleetReplica> & { holding?: Holding };

const has: Differing = { holding: "image" };
const pulls: Differing = { holding: "pull" };
const full: Differing = { load: 40 };
const draining: Differing = { draining: true };

/** The four replicas, with what differs from an idle one. */
function among(changes: Record<string, Differing>, asksAll = false): Fleet {
  const replicas = IDS.map((id) => {
    const { holding: _, ...change } = changes[id] ?? {};
    return { id, engineId: `engine-${id}`, weight: 1, load: 0, draining: false, ...change };
  });
  const holders = () => IDS.filter((id) => changes[id]?.holding);
  const holding = (id: string): Holding => changes[id]?.holding ?? "nothing";
  return createFleet({ replicas, ring, holding, ...(asksAll ? {} : { holders }) });
}

const chosen = (fleet: Fleet, placing: Partial<Placing> = {}) =>
  choose({ image: IMAGE, fleet, ...placing });

const group = (hint: Partial<GroupHint>): GroupHint => ({
  replicaId: undefined,
  formerReplicaId: undefined,
  expiresAtMs: 0,
  remaining: 1,
  usualSize: 1,
  usualTotal: 0,
  foundShare: 0,
  reserved: () => 0,
  reservedTotal: 0,
  ...hint,
});

describe("choose()", () => {
  test.each<[string, Record<string, Differing>, string, string]>([
    ["nobody has the image", {}, "home", HOME],
    ["another has it", { [THIRD]: has }, "cached", THIRD],
    ["two have it", { [THIRD]: has, [SECOND]: has }, "cached", SECOND],
    ["another pulls it", { [THIRD]: pulls }, "pulling", THIRD],
    ["one has it, an earlier one pulls it", { [SECOND]: pulls, [THIRD]: has }, "cached", THIRD],
    [
      "who has it is full, another pulls it",
      { [SECOND]: { ...has, ...full }, [THIRD]: pulls },
      "pulling",
      THIRD,
    ],
    ["who has it is full", { [SECOND]: { ...has, ...full } }, "home", HOME],
    ["the home is full", { [HOME]: full }, "spill", SECOND],
    ["home and second are full", { [HOME]: full, [SECOND]: full }, "spill", THIRD],
    [
      "the home is full, the second nearly",
      { [HOME]: full, [SECOND]: { load: 13 } },
      "spill",
      THIRD,
    ],
    ["the home drains", { [HOME]: draining }, "home", SECOND],
    ["who has it drains", { [THIRD]: { ...has, ...draining } }, "home", HOME],
    [
      "the neighbour on its engine has it",
      { [THIRD]: { ...has, engineId: "x" }, [SECOND]: { engineId: "x" } },
      "cached",
      SECOND,
    ],
    [
      "who has it drains, its neighbour does not",
      { [SECOND]: { ...has, ...draining, engineId: "x" }, [FOURTH]: { engineId: "x" } },
      "cached",
      FOURTH,
    ],
  ])("when %s", (_when, changes, kind, replicaId) => {
    expect(chosen(among(changes))).toEqual({ kind, replicaId });
    expect(chosen(among(changes, true))).toEqual({ kind, replicaId });
  });

  test("takes draining ones when all are, and nobody when there is nobody", () => {
    const fleet = among(Object.fromEntries(IDS.map((id) => [id, draining])));
    expect(chosen(fleet)).toEqual({ kind: "home", replicaId: HOME });
    expect(chosen(fleet, { except: new Set(IDS) })).toBeUndefined();
    expect(chosen(fleet, { except: new Set([HOME]) })?.replicaId).toBe(SECOND);
  });

  test("takes a replica that the ring does not know yet", () => {
    const replica = { id: "new", engineId: "e", weight: 1, load: 0, draining: false };
    const fleet = createFleet({ replicas: [replica], ring, holding: () => "nothing" });
    expect(chosen(fleet)?.replicaId).toBe("new");
  });

  test("spills nothing while each could have a handful", () => {
    let load = 0;
    while (chosen(among({ [HOME]: { load } }))?.kind === "home") load += 1;
    expect(load).toBe(8);
  });

  test("lets a replica of twice the weight have twice as many", () => {
    const most = (weight: number, change: Differing = {}): number => {
      let load = 0;
      const others = Object.fromEntries(IDS.map((id) => [id, { load: 100 }]));
      const fleet = among({ ...others, [HOME]: { weight, ...change } });
      for (; chosen(fleet)?.replicaId === HOME; load += 1) fleet.setLoad(HOME, load + 1);
      return load;
    };
    // 1.25 of a quarter, and of two fifths, of all of them.
    expect(most(1)).toBe(Math.ceil((1.25 * (300 + 136 + 1)) / 4));
    expect(most(2)).toBe(Math.ceil((1.25 * 2 * (300 + 300 + 1)) / 5));
  });

  test("gives replicas of one engine its capacity once", () => {
    const shared = { engineId: "x", weight: 2 };
    const fleet = among({ [HOME]: shared, [SECOND]: shared });
    expect(fleet.order(IMAGE).map(({ weight }) => weight)).toEqual([2, 2, 2, 2]);
    const alone = among({ [HOME]: shared, [SECOND]: { ...shared, engineId: "y" } });
    expect(alone.member(HOME)?.weight).toBe(2);
  });
});

describe("choose() for a group", () => {
  const loads = (load: number) => Object.fromEntries(IDS.map((id) => [id, { load }]));

  test("counts the whole group, and what is expected, against what there usually is", () => {
    const hint = { remaining: 16, usualSize: 16, usualTotal: 512 };
    const when = (load: number, reserved: number) =>
      chosen(among({ ...loads(110), [HOME]: { load } }), {
        group: group({ ...hint, reserved: (id) => (id === HOME ? reserved : 0) }),
      });
    // A quarter of 512 is 128: ten groups of 16 are 1.25 of it, and not quite a quarter of one may be miscounted.
    expect(when(147, 0)?.kind).toBe("home");
    expect(when(148, 0)?.kind).toBe("spill");
    expect(when(100, 47)?.kind).toBe("home");
    expect(when(100, 48)?.kind).toBe("spill");
  });

  test("rounds up to whole groups where the hard limit allows it", () => {
    // A quarter of 128 is two groups: 1.25 of it two and a half, 1.5 three.
    const hint = { remaining: 16, usualSize: 16, usualTotal: 128 };
    const when = (load: number) =>
      chosen(among({ ...loads(20), [HOME]: { load } }), { group: group(hint) });
    expect(when(35)?.kind).toBe("home");
    expect(when(36)?.kind).toBe("spill");
  });

  test("keeps the home's room for what it has when more of that will come than fits", () => {
    const hint = group({ remaining: 16, usualSize: 16, usualTotal: 512, foundShare: 0.2 });
    const when = (load: number) =>
      chosen(among({ ...loads(20), [HOME]: { load }, [FOURTH]: { load: 10 } }), { group: hint });
    // Twenty groups or so are to come, one of them for something that the home has: the last place is for that.
    expect(when(96)).toEqual({ kind: "home", replicaId: HOME });
    expect(when(144)).toEqual({ kind: "spill", replicaId: FOURTH });
    const fleet = among({ ...loads(20), [HOME]: { load: 144 }, [FOURTH]: { load: 10 } });
    const after = (reservedTotal: number, foundShare: number) =>
      chosen(fleet, { group: group({ ...hint, reservedTotal, foundShare }) })?.kind;
    // With six to come it depends on what they find; with less than one nothing is kept.
    expect([after(200, 0.2), after(200, 0.02), after(290, 0.9)]).toEqual(["spill", "home", "home"]);
    // Somebody would have to leave anyway, but nothing is ever there.
    expect([after(0, 0.02), after(0, 0)]).toEqual(["spill", "home"]);
    const held = among({ ...loads(20), [HOME]: { load: 144, ...has } });
    expect(chosen(held, { group: hint })).toEqual({ kind: "cached", replicaId: HOME });
    const last = among({ ...loads(120), [HOME]: { load: 144 } });
    expect(chosen(last, { group: hint })).toEqual({ kind: "home", replicaId: HOME });
  });

  test("stays together up to the hard limit, wherever the image is", () => {
    const hint = group({ replicaId: THIRD, usualTotal: 400 });
    const when = (load: number) =>
      chosen(among({ ...loads(50), [HOME]: has, [THIRD]: { load } }), { group: hint });
    expect(when(149)).toEqual({ kind: "spill", replicaId: THIRD });
    expect(when(150)).toEqual({ kind: "cached", replicaId: HOME });
  });

  test("leaves a replica that drains, is gone or is excepted", () => {
    const hint = group({ replicaId: THIRD });
    const gone = group({ replicaId: "gone" });
    const home = { kind: "home", replicaId: HOME };
    expect(chosen(among({ [THIRD]: draining }), { group: hint })).toEqual(home);
    expect(chosen(among({}), { group: hint, except: new Set([THIRD]) })).toEqual(home);
    expect(chosen(among({}), { group: gone })).toEqual(home);
  });

  test("takes the least loaded when nobody has room", () => {
    const hint = group({ remaining: 500, usualSize: 1 });
    const fleet = among({ ...loads(300), [FOURTH]: { load: 299 } });
    expect(chosen(fleet, { group: hint })?.replicaId).toBe(FOURTH);
  });
});

const anyReplicas = fc.uniqueArray(
  fc.record({
    id: fc.stringMatching(/^[a-z]{1,6}$/),
    weight: fc.double({ min: 0.5, max: 16, noNaN: true }),
    load: fc.nat({ max: 200 }),
    draining: fc.boolean(),
    engineId: fc.constantFrom("x", "y", "z"),
    holding: fc.constantFrom<Holding>("image", "pull", "nothing"),
  }),
  { selector: ({ id }) => id, minLength: 1, maxLength: 10 },
);

const anyHint = fc.record({
  /** Which of the replicas the group goes to; beyond the last: one that is gone. */
  at: fc.option(fc.nat({ max: 12 })),
  remaining: fc.integer({ min: 1, max: 64 }),
  usualSize: fc.integer({ min: 1, max: 64 }),
  usualTotal: fc.nat({ max: 2_000 }),
  foundShare: fc.double({ min: 0, max: 1, noNaN: true }),
  /** Starts of other groups that are to come to each of the replicas, in their order. */
  toCome: fc.array(fc.nat({ max: 64 }), { maxLength: 10 }),
});

type AnyHint = typeof anyHint extends fc.Arbitrary<infer Value> ? Value : never;
type AnyReplica = FleetReplica & { holding: Holding };

const anyReplicasAndHint = fc.tuple(anyReplicas, anyHint);

/** Nobody has the image, most of the step is to come, and some are nearly full already: a home keeps its room. */
const stepBegun: fc.Arbitrary<[AnyReplica[], AnyHint]> = fc
  .tuple(
    fc.array(fc.constantFrom(10, 20, 110, 144), { minLength: 4, maxLength: 8 }),
    fc.nat({ max: 8 }),
    fc.double({ min: 0.2, max: 1, noNaN: true }),
    fc.array(fc.nat({ max: 16 }), { maxLength: 8 }),
  )
  .map(([loads, drainingAt, foundShare, toCome]): [AnyReplica[], AnyHint] => {
    const replicas = loads.map((load, at): AnyReplica => {
      const draining = at === drainingAt;
      return { id: `r${at}`, engineId: `e${at}`, weight: 1, load, draining, holding: "nothing" };
    });
    const usualTotal = 128 * replicas.length;
    return [replicas, { at: null, remaining: 16, usualSize: 16, usualTotal, foundShare, toCome }];
  });

function hintFor(replicas: readonly AnyReplica[], { at, toCome, ...hint }: AnyHint): GroupHint {
  const ids = replicas.map(({ id }) => id);
  const reserved = (id: string): number => toCome[ids.indexOf(id)] ?? 0;
  return group({
    ...hint,
    replicaId: at === null ? undefined : (ids[at] ?? "gone"),
    reserved,
    reservedTotal: ids.reduce((sum, id) => sum + reserved(id), 0),
  });
}

/** Which of the replicas do not answer. */
const anyDead = fc.uniqueArray(fc.nat({ max: 9 }), { maxLength: 10 });

function fleetOf(replicas: readonly AnyReplica[]): Fleet {
  const holdings = new Map(replicas.map(({ id, holding }) => [id, holding]));
  const holding = (id: string): Holding => holdings.get(id) ?? "nothing";
  return createFleet({ replicas, ring: createRing(replicas), holding });
}

describe("choose() among any replicas", () => {
  test("takes no dead one, and none that drains while another lives, the same at all gateways", () => {
    fc.assert(
      fc.property(fc.oneof(anyReplicasAndHint, stepBegun), anyDead, ([replicas, any], deadAt) => {
        const dead = new Set(deadAt.flatMap((place) => replicas[place]?.id ?? []));
        const living = replicas.filter(({ id }) => !dead.has(id));
        const hint = hintFor(replicas, any);
        const choiceOf = (all: typeof replicas, except: ReadonlySet<string>) =>
          choose({
            image: IMAGE,
            fleet: fleetOf(all),
            group: hint,
            except,
          });
        // One does not answer, and later the registry has it not any more.
        for (const [all, except] of [
          [replicas, dead] as const,
          [living, new Set<string>()] as const,
        ]) {
          const choice = choiceOf(all, except);
          const taken = living.find(({ id }) => id === choice?.replicaId);
          expect(taken === undefined).toBe(living.length === 0);
          expect(taken?.draining === true && living.some((each) => !each.draining)).toBe(false);
          expect(choiceOf(all.toReversed(), except)).toEqual(choice);
        }
      }),
    );
  });

  test("keeps each within the bound of its share, start by start", () => {
    fc.assert(
      fc.property(anyReplicas, fc.integer({ min: 1, max: 300 }), (all, starts) => {
        const replicas = all.map((each) => ({
          ...each,
          engineId: each.id,
          load: 0,
          draining: false,
        }));
        const fleet = createFleet({
          replicas,
          ring: createRing(replicas),
          holding: () => "nothing",
        });
        for (let start = 0; start < starts; start += 1) {
          const id = choose({ image: `docker.io/swebench/${start % 7}:1`, fleet })?.replicaId ?? "";
          fleet.setLoad(id, (fleet.member(id)?.load ?? 0) + 1);
        }
        expect(fleet.totalLoad()).toBe(starts);
        const weight = replicas.reduce((sum, replica) => sum + replica.weight, 0);
        for (const { id, weight: own } of replicas) {
          const most = Math.max(1, Math.max(1.25 * starts, 8 * replicas.length) * (own / weight));
          expect(fleet.member(id)?.load).toBeLessThanOrEqual(Math.ceil(most));
        }
      }),
      { numRuns: 50 },
    );
  });

  test("moves an image that nobody has only from who leaves, and only to who joins", () => {
    fc.assert(
      fc.property(anyReplicas, fc.nat(), fc.string(), (all, at, image) => {
        const replicas = all.map((each) => ({ ...each, weight: 1, load: 0, draining: false }));
        const other = replicas[at % replicas.length];
        const rest = replicas.filter((each) => each !== other);
        fc.pre(rest.length > 0);
        const homeIn = (members: readonly FleetReplica[]) =>
          choose({
            image,
            fleet: createFleet({
              replicas: members.map((each) => ({ ...each, engineId: each.id })),
              ring: createRing(members),
              holding: () => "nothing",
            }),
          })?.replicaId;
        const [without, withIt] = [homeIn(rest), homeIn(replicas)];
        expect([without, other?.id]).toContain(withIt);
      }),
    );
  });
});
