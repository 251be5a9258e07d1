/** What the order depends on. Of two images the one with the larger `lastUse` was used later. */
export type Evictable = {
  isHomed: boolean;
  /** Its latest starts went elsewhere, so another disk got it later than this one used it. */
  hasMoved: boolean;
  lastUse: number;
};

/**
 * The order in which images are given up when a disk is full: what is not homed here first, as its next start goes
 * elsewhere; then what is, but another disk has too since its latest starts; each by its last use, what was used least
 * recently first. What is equal keeps its order.
 */
export function evictionOrder<Image extends Evictable>(images: Iterable<Image>): Image[] {
  return [...images].toSorted(
    (one, other) => worthOf(one) - worthOf(other) || one.lastUse - other.lastUse,
  );
}

function worthOf({ isHomed, hasMoved }: Evictable): number {
  if (!isHomed) return 0;
  return hasMoved ? 1 : 2;
}
