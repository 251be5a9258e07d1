import type { Fleet } from "@remote-runtime/placement";

/** Images by the replica that is to have them. An image stands with so many replicas as there shall be copies, if there are so many. */
export type PrefetchHomes = ReadonlyMap<string, readonly string[]>;

/** The first replicas in the ring's order of each image, without those that drain, and one of each engine. */
export function prefetchHomes(
  fleet: Pick<Fleet, "order">,
  images: Iterable<string>,
  copies: number,
): PrefetchHomes {
  const homes = new Map<string, string[]>();
  for (const image of images) {
    const engines = new Set<string>();
    for (const { id, engineId, draining } of fleet.order(image)) {
      if (engines.size === copies) break;
      if (draining || engines.has(engineId)) continue;
      engines.add(engineId);
      const given = homes.get(id) ?? [];
      given.push(image);
      homes.set(id, given);
    }
  }
  return homes;
}
