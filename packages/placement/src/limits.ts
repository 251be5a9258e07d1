/** How much more than its share of all load, by weight, a replica gets. */
export type Bounds = {
  /** From there on an image that comes anew goes elsewhere. Default 1.25. */
  soft: number;
  /** From there on a group that goes together goes elsewhere too. At least `soft`. Default 1.5. */
  hard: number;
};

export const DEFAULT_BOUNDS: Bounds = { soft: 1.25, hard: 1.5 };

/** So many runtimes on a replica of mean weight crowd nobody: until then no image is pulled a second time for balance. */
export const FREE_RUNTIMES = 8;

/** Part of a group by which the learnt numbers may be wrong before a whole group more is let in: to the nearest … */
const SOFT_SLACK = 0.5;
/** … and where it is the last that is let in. */
const HARD_SLACK = 0.25;
/** The same where it is about what an even spread needs, which is better known than any bound is meant. */
const EVEN_SLACK = 0.05;

export type Limits = { soft: number; hard: number };

/**
 * So much of a whole group may be counted beyond the limit: starts that another gateway has told of are counted twice for a
 * moment, and the learnt numbers are wrong by a little. It lets in no group more where all are of one size.
 */
export function toleranceOf(groupSize: number): number {
  return HARD_SLACK * (1 - 1 / groupSize) * groupSize;
}

/**
 * Runtimes that a replica may have, where `mean` is its share of all by weight (the usual total, if that is more than
 * there is now), and `freeShare` the same of FREE_RUNTIMES a replica. Groups come whole, so the soft limit is rounded
 * to whole groups, up as far as the hard one allows. The hard one lets in as many whole groups as somebody has to take when
 * they are spread evenly, and one group fits everywhere.
 */
export function limitsOf({
  mean,
  freeShare,
  groupSize,
  bounds,
}: {
  mean: number;
  freeShare: number;
  groupSize: number;
  bounds: Bounds;
}): Limits {
  // Nothing is learnt of single starts, so they need no slack.
  const slack = 1 - 1 / groupSize;
  const whole = (groups: number): number => groups * groupSize;
  const softest = Math.max(bounds.soft * mean, freeShare, groupSize);
  const even = whole(Math.ceil(mean / groupSize - EVEN_SLACK));
  const hardest = Math.max(bounds.hard * mean, freeShare, groupSize, even);
  const hard = Math.max(hardest, whole(Math.floor(hardest / groupSize + HARD_SLACK * slack)));
  const rounded = whole(Math.ceil(softest / groupSize - SOFT_SLACK * slack));
  return { soft: Math.max(softest, Math.min(rounded, hard)), hard };
}
