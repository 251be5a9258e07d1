/** What the order depends on. Of two images the one with the larger `lastUse` was used later. */
export type Evictable = { isHomed: boolean; lastUse: number };

/**
 * The order in which images are given up when a disk is full: what is not homed here first, as its next start goes
 * elsewhere, then what was used least recently. What is equal keeps its order.
 */
export function evictionOrder<Image extends Evictable>(images: Iterable<Image>): Image[] {
  return [...images].toSorted(
    (one, other) => Number(one.isHomed) - Number(other.isHomed) || one.lastUse - other.lastUse,
  );
}
