/** Less than that changes no decision. */
const NEGLIGIBLE = 1e-6;

/** How likely at least `least` of `count` come, when each of them does with that probability: a binomial distribution. */
export function atLeast({
  least,
  count,
  probability,
}: {
  least: number;
  /** Need not be whole. */
  count: number;
  /** 0 to 1. */
  probability: number;
}): number {
  if (least <= 0) return 1;
  if (count < least || probability <= 0) return 0;
  if (probability >= 1) return 1;
  const odds = Math.log(probability / (1 - probability));
  // By its logarithm: with thousands to come the first terms are too small for a number.
  let term = count * Math.log1p(-probability);
  let more = 1;
  for (let come = 0; come < least; come += 1) {
    more -= Math.exp(term);
    if (more < NEGLIGIBLE) return 0;
    term += odds + Math.log((count - come) / (come + 1));
  }
  return more;
}
