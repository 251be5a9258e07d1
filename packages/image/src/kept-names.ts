/** Names of images that must stay for a while. */
export interface KeptNames {
  /** From now on, until the answer is called, and so many milliseconds longer. Default 0. */
  keep(names: readonly string[]): (lingerMs?: number) => void;
  names(): string[];
}

/** Of what lingers; whoever keeps has limits of its own. */
const MOST_LINGERING = 1_000;

/** `now`: milliseconds, of any clock that goes on. */
export function createKeptNames(now: () => number): KeptNames {
  const kept = new Set<readonly string[]>();
  const lingering = new Map<readonly string[], number>();

  return {
    keep(names) {
      const own = [...names];
      kept.add(own);
      return (lingerMs = 0) => {
        if (!kept.delete(own) || lingerMs <= 0) return;
        lingering.set(own, now() + lingerMs);
        const [oldest] = lingering.keys();
        if (oldest && lingering.size > MOST_LINGERING) lingering.delete(oldest);
      };
    },
    names() {
      for (const [names, until] of lingering) if (now() >= until) lingering.delete(names);
      return [...kept, ...lingering.keys()].flat();
    },
  };
}
