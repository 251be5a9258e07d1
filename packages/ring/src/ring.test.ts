import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createRing, type Ring, type RingMember } from "./ring.ts";

const KEYS = Array.from({ length: 20_000 }, (_, i) => `docker.io/swebench/repo-${i % 500}:v${i}`);

const members = (count: number): RingMember[] =>
  Array.from({ length: count }, (_, index) => ({ id: `replica-${index + 1}`, weight: 1 }));

const home = (ring: Ring, key: string): string | undefined => ring.order(key)[0];

/** How many of these each word stands for. */
function counted(words: readonly (string | undefined)[]): Map<string | undefined, number> {
  const counts = new Map<string | undefined, number>();
  for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1);
  return counts;
}

/** How far from what is expected, in standard deviations of what chance alone does. */
function deviation(count: number, share: number, of: number): number {
  return Math.abs(count - share * of) / Math.sqrt(of * share * (1 - share));
}

const weight = fc.double({ min: 0.1, max: 1_000, noNaN: true });
const anyMembers = fc.uniqueArray(
  fc.record({ id: fc.stringMatching(/^[a-z0-9][a-z0-9.:-]{0,20}$/), weight }),
  { selector: ({ id }) => id, minLength: 1, maxLength: 12 },
);
const anyKeys = fc.array(fc.string(), { minLength: 1, maxLength: 20 });

const without = (order: readonly string[], id: string): string[] =>
  order.filter((other) => other !== id);

describe("createRing()", () => {
  test("gives each of 8 members its share of the keys", () => {
    for (const keys of [KEYS, KEYS.slice(0, 2_000)]) {
      const ring = createRing(members(8));
      const counts = counted(keys.map((key) => home(ring, key)));
      expect(counts.size).toBe(8);
      expect(Math.max(...counts.values()) / (keys.length / 8)).toBeLessThanOrEqual(1.25);
    }
  });

  test("moves a ninth of the keys to a ninth member, and none between the others", () => {
    const [before, after] = [createRing(members(8)), createRing(members(9))];
    const moved = KEYS.filter((key) => home(before, key) !== home(after, key));
    expect(moved.length / KEYS.length).toBeLessThanOrEqual(0.12);
    expect(new Set(moved.map((key) => home(after, key)))).toEqual(new Set(["replica-9"]));
  });

  test("keeps the order of the others when a member leaves, however heavy it was", () => {
    fc.assert(
      fc.property(anyMembers, anyKeys, fc.nat(), (all, keys, at) => {
        const leaver = all[at % all.length]?.id ?? "";
        const [ring, rest] = [createRing(all), createRing(all.filter(({ id }) => id !== leaver))];
        for (const key of keys) expect(rest.order(key)).toEqual(without(ring.order(key), leaver));
      }),
    );
  });

  test("moves a member whose weight changes up or down in the orders, and no other", () => {
    fc.assert(
      fc.property(anyMembers, anyKeys, fc.nat(), weight, (all, keys, at, changed) => {
        const place = at % all.length;
        const { id, weight: former } = all[place] ?? { id: "", weight: 0 };
        const [before, after] = [
          createRing(all),
          createRing(all.with(place, { id, weight: changed })),
        ];
        for (const key of keys) {
          const [from, to] = [before.order(key), after.order(key)];
          expect(without(to, id)).toEqual(without(from, id));
          const rise = Math.sign(from.indexOf(id) - to.indexOf(id));
          expect([0, Math.sign(changed - former)]).toContain(rise);
        }
      }),
    );
  });

  test("orders every member once, the same in whatever order they are listed", () => {
    fc.assert(
      fc.property(anyMembers, anyKeys, (all, keys) => {
        const [ring, other] = [createRing(all), createRing(all.toReversed())];
        for (const key of keys) {
          const order = ring.order(key);
          expect(order.toSorted()).toEqual(all.map(({ id }) => id).toSorted());
          expect(other.order(key)).toEqual(order);
          // Asked for by itself, and where all places are known.
          for (const { ids, home: homeOf } of [createRing(all), ring]) {
            expect(ids[homeOf(key)]).toBe(order[0]);
          }
        }
      }),
    );
  });

  test("gives keys by weight, whatever the unit of the weights", () => {
    const weights = { tiny: 0.1, small: 0.5, middle: 1, large: 3, huge: 64 };
    const sum = Object.values(weights).reduce((a, b) => a + b);
    for (const unit of [1, 1e-6, 64 * 1024 ** 3]) {
      const list = Object.entries(weights).map(([id, each]) => ({ id, weight: each * unit }));
      const ring = createRing(list);
      const counts = counted(KEYS.map((key) => home(ring, key)));
      for (const [id, each] of Object.entries(weights)) {
        expect(deviation(counts.get(id) ?? 0, each / sum, KEYS.length), id).toBeLessThan(4);
      }
    }
  });

  test("has no second home that goes with the first: what a member leaves is shared by all", () => {
    const ring = createRing(members(10));
    const pairs = counted(KEYS.map((key) => ring.order(key).slice(0, 2).join()));
    expect(pairs.size).toBe(90);
    for (const [pair, count] of pairs) {
      expect(deviation(count, 1 / 90, KEYS.length), pair).toBeLessThan(4.5);
    }
  });

  test("tells similar ids apart, and similar keys", () => {
    const ids = ["a", "b", "aa", "ab", "ba", "a-1", "a-11", "10.0.0.1:8000", "10.0.0.2:8000"];
    const ring = createRing(ids.map((id) => ({ id, weight: 1 })));
    const keys = Array.from({ length: 9_000 }, (_, i) => "x".repeat(i % 90) + i);
    const counts = counted(keys.map((key) => home(ring, key)));
    for (const id of ids) {
      expect(deviation(counts.get(id) ?? 0, 1 / ids.length, keys.length), id).toBeLessThan(4);
    }
  });

  test("gives the orders that gateways of other releases give", () => {
    const list = [
      { id: "replica-0", weight: 8 },
      { id: "replica-1", weight: 8 },
      { id: "replica-2", weight: 64 },
      { id: "replica-3", weight: 1.5 },
    ];
    const ring = createRing(list);
    const orders = ["docker.io/library/debian:12", "docker.io/swebench/a:latest", "", "ü"].map(
      (key) =>
        ring
          .order(key)
          .map((id) => id.slice(-1))
          .join(""),
    );
    expect(orders).toEqual(["2013", "0213", "2013", "2103"]);
  });

  test("has no home for any key without members", () => {
    const ring = createRing([]);
    expect(ring.home("a")).toBe(-1);
    expect(ring.order("a")).toEqual([]);
    expect(ring.home("a")).toBe(-1);
  });

  test("answers the same for a key that was asked long ago", () => {
    const ring = createRing(members(3));
    const first = KEYS.map((key) => ring.order(key));
    expect(KEYS.map((key) => ring.ids[ring.home(key)])).toEqual(first.map(([id]) => id));
    expect(KEYS.map((key) => ring.order(key))).toEqual(first);
  });
});
