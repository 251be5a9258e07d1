import { findPlace, joinPoints, type Circle } from "./circle.ts";
import { pointOf, pointsOf } from "./point.ts";
import type { RingMember } from "./ring-member.ts";
import { vnodesOf } from "./vnode.ts";

export interface Ring {
  /** All members in the key's order of preference, each once: its home first. Empty without members. */
  order(key: string): readonly string[];
}

/** Orders that are kept of those asked last, and up to as many older ones: what one training step works with. */
const KEPT_ORDERS = 5000;

/**
 * Spreads keys over members by weight, so that a member that joins or leaves changes the home of its own share of the
 * keys only. The same members, whose ids differ, give the same ring in every process, in whatever order they are listed.
 */
export function createRing(members: readonly RingMember[]): Ring {
  const sorted = members.toSorted((a, b) => (a.id < b.id ? -1 : 1));
  const ids = sorted.map(({ id }) => id);
  const circle = joinPoints(vnodesOf(sorted).map(({ id, vnodes }) => pointsOf(id, vnodes)));
  // Two generations: a Map that loses its oldest entry at each new one is slow to find it.
  let recent = new Map<string, readonly string[]>();
  let older: ReadonlyMap<string, readonly string[]> = new Map();

  return {
    order(key) {
      const known = recent.get(key);
      if (known) return known;
      const order = older.get(key) ?? walk(circle, ids, key);
      if (recent.size === KEPT_ORDERS) [older, recent] = [recent, new Map()];
      recent.set(key, order);
      return order;
    },
  };
}

/** Once round from the key on, until all have been met. */
function walk(circle: Circle, ids: readonly string[], key: string): readonly string[] {
  const { owners } = circle;
  // Of its full length at once: one that grows by each of them costs twice as much.
  const order = [...ids];
  const met = new Uint8Array(ids.length);
  let count = 0;
  let place = findPlace(circle, pointOf(key));
  for (let left = owners.length; left > 0 && count < ids.length; left -= 1) {
    const owner = owners[place] ?? 0;
    if (met[owner] === 0) {
      met[owner] = 1;
      order[count] = ids[owner] ?? "";
      count += 1;
    }
    place = place + 1 === owners.length ? 0 : place + 1;
  }
  return order;
}
