import { createRing } from "@remote-runtime/ring";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { choose } from "./choose.ts";
import { createFleet } from "./fleet.ts";
import { createGroups, type Groups, type Moment } from "./groups.ts";

const at = (now: number, totalLoad = 100): Moment => ({ now, totalLoad });

function startMany(groups: Groups, image: string, count: number, now = 0): void {
  for (let start = 0; start < count; start += 1) groups.started(image, "a", at(now));
}

describe("createGroups()", () => {
  test("keeps a group for the window since its last start", () => {
    const groups = createGroups({ windowMs: 100 });
    startMany(groups, "one", 1, 0);
    startMany(groups, "one", 1, 90);
    expect(groups.hint("one", at(189))).toMatchObject({ replicaId: "a", expiresAtMs: 190 });
    expect(groups.hint("one", at(190)).replicaId).toBeUndefined();
  });

  test("learns how large groups are, and expects the rest of each", () => {
    const groups = createGroups({ windowMs: 100 });
    expect(groups.hint("one", at(0))).toMatchObject({ remaining: 1, usualSize: 1 });
    startMany(groups, "one", 16, 0);
    expect(groups.hint("two", at(100))).toMatchObject({ remaining: 16, usualSize: 16 });
    startMany(groups, "two", 5, 100);
    expect(groups.hint("two", at(100))).toMatchObject({ replicaId: "a", remaining: 11 });
    // What is expected of other groups only.
    expect(groups.hint("two", at(100)).reserved("a")).toBe(0);
    expect(groups.hint("three", at(100)).reserved("a")).toBe(11);
    expect(groups.hint("three", at(200)).reserved("a")).toBe(0);
    // Nine tenths of 16 and one of 5.
    expect(groups.hint("three", at(200)).usualSize).toBe(15);
  });

  test("takes groups to be as large as those that go on, while none has ended", () => {
    const groups = createGroups({ windowMs: 100 });
    for (const image of ["one", "two", "three"]) startMany(groups, image, 4, 0);
    expect(groups.hint("four", at(0))).toMatchObject({ remaining: 4, usualSize: 4 });
    startMany(groups, "one", 4, 50);
    // A start of these 16 is in a group of 8, 4 or 4: 96 / 16.
    expect(groups.hint("four", at(50)).usualSize).toBe(6);
    expect(groups.hint("four", at(100)).usualSize).toBe(4);
  });

  test("learns how many groups find their image at home", () => {
    const groups = createGroups();
    const found = () => groups.hint("any", at(0)).foundShare;
    expect(found()).toBe(0);
    for (let group = 0; group < 200; group += 1) groups.began(group % 4 === 0);
    expect(found()).toBeGreaterThan(0.2);
    expect(found()).toBeLessThan(0.3);
  });

  test("moves what is expected with a group that is sent elsewhere", () => {
    const groups = createGroups({ windowMs: 100 });
    startMany(groups, "one", 16, 0);
    startMany(groups, "two", 4, 100);
    groups.follow("two", "b", at(150));
    const { reserved } = groups.hint("three", at(150));
    expect([reserved("a"), reserved("b")]).toEqual([0, 12]);
    expect(groups.hint("two", at(249)).replicaId).toBe("b");
  });

  test("counts the starts of other gateways, until their replica announces them beside what it has", () => {
    const groups = createGroups({ windowMs: 100 });
    startMany(groups, "one", 8);
    groups.heard("one", "a", 8, at(0));
    expect(groups.hint("two", at(100)).usualSize).toBe(16);
    groups.heard("two", "b", 3, at(100));
    startMany(groups, "two", 1, 110);
    expect(groups.hint("two", at(110))).toMatchObject({ remaining: 12, replicaId: "a" });
    const comingTo = (replicaId: string) => groups.hint("three", at(110)).reserved(replicaId);
    expect([comingTo("a"), comingTo("b")]).toEqual([12 + 8, 3]);
    groups.announced("a");
    groups.announced("b");
    expect([comingTo("a"), comingTo("b")]).toEqual([12, 0]);
    expect(groups.hint("three", at(110)).reservedTotal).toBe(12);
  });

  test("leaves a group where it is when another gateway tells that it sent starts elsewhere", () => {
    const groups = createGroups();
    startMany(groups, "one", 1);
    groups.heard("one", "b", 1, at(0));
    expect(groups.hint("one", at(0)).replicaId).toBe("a");
  });

  test("ends all groups with the step, however soon the next one comes", () => {
    const groups = createGroups();
    startMany(groups, "one", 16);
    startMany(groups, "two", 10);
    expect(groups.hint("two", at(1, 13))).toMatchObject({ replicaId: "a" });
    expect(groups.hint("three", at(1, 12))).toMatchObject({ usualSize: 15, reservedTotal: 0 });
    // The others may still have that on record.
    const next = { replicaId: undefined, formerReplicaId: "a", remaining: 15 };
    expect(groups.hint("two", at(1, 12))).toMatchObject(next);
    groups.started("two", "b", at(1, 12));
    const going = { replicaId: "b", formerReplicaId: undefined, remaining: 14 };
    expect(groups.hint("two", at(1, 13))).toMatchObject(going);
  });

  test("remembers the most there was, what is expected included, for its time", () => {
    const groups = createGroups({ windowMs: 100, memoryMs: 1_000 });
    for (let load = 0; load < 16; load += 1) groups.started("one", "a", at(500, load));
    groups.started("two", "a", at(700, 15));
    expect(groups.hint("any", at(700, 16)).usualTotal).toBe(31);
    expect(groups.hint("any", at(1_999, 16)).usualTotal).toBe(31);
    expect(groups.hint("any", at(2_000, 16)).usualTotal).toBe(0);
  });

  test("forgets the group that started least recently when there are too many", () => {
    const groups = createGroups({ maxGroups: 2 });
    for (const image of ["one", "two", "one", "three", "four"]) startMany(groups, image, 1);
    groups.hint("any", at(0));
    const known = ["one", "two", "three", "four"].filter(
      (image) => groups.hint(image, at(0)).replicaId,
    );
    expect(known).toEqual(["three", "four"]);
  });
});

describe("choose() with createGroups()", () => {
  test("keeps any step within the hard limit, and each of its groups in one place", () => {
    const step = fc.record({
      replicas: fc.integer({ min: 1, max: 12 }),
      images: fc.integer({ min: 1, max: 40 }),
      groupSize: fc.integer({ min: 1, max: 24 }),
      found: fc.double({ min: 0, max: 1, noNaN: true }),
      seed: fc.array(fc.nat(), { minLength: 20, maxLength: 20 }),
    });
    fc.assert(
      fc.property(step, ({ replicas: count, images, groupSize, found, seed }) => {
        const replicas = Array.from({ length: count }, (_, index) => {
          return { id: `r${index}`, engineId: `e${index}`, weight: 1, load: 0, draining: false };
        });
        const ring = createRing(replicas);
        const groups = createGroups({ windowMs: 10 });
        const names = Array.from(
          { length: images * groupSize },
          (_, index) => `image-${index % images}`,
        );
        const shuffled = names
          .map((name, index) => ({
            name,
            key: ((seed[index % 20] ?? 0) * (index + 1)) % 1009,
          }))
          .toSorted((a, b) => a.key - b.key);
        // As with homes that have some images: room is kept for those.
        const isFound = (name: string): boolean => names.indexOf(name) < images * found;
        // The first step teaches, the second is looked at.
        for (const now of [0, 1_000]) {
          const fleet = createFleet({ replicas, ring, holding: () => "nothing" });
          const went = new Map<string, Set<string>>();
          for (const { name } of shuffled) {
            const moment = { now, totalLoad: fleet.totalLoad() };
            if (groups.hint(name, moment).replicaId === undefined) groups.began(isFound(name));
            const group = groups.hint(name, moment);
            const id = choose({ image: name, fleet, group })?.replicaId ?? "";
            groups.started(name, id, moment);
            fleet.setLoad(id, (fleet.member(id)?.load ?? 0) + 1);
            went.set(name, (went.get(name) ?? new Set()).add(id));
          }
          if (now === 0) continue;
          const mean = (images * groupSize) / count;
          const even = Math.ceil(mean / groupSize) * groupSize;
          const most = Math.max(1.5 * mean + groupSize / 4, even, 8);
          for (const { id } of replicas) expect(fleet.member(id)?.load).toBeLessThanOrEqual(most);
          for (const replicasOf of went.values()) expect(replicasOf.size).toBe(1);
        }
      }),
      { numRuns: 60 },
    );
  });
});
