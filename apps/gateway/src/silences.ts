import type { Clock } from "@remote-runtime/runtime";

/** Servers that did not answer a moment ago, by address, as a replica that came back elsewhere is another matter. */
export interface Silences {
  /** It did not answer just now. */
  mark(url: string): void;
  /** It has answered. */
  end(url: string): void;
  /** Whether it did not answer within the last 2 s. */
  has(url: string): boolean;
  /** Whether any has not. */
  any(): boolean;
  /**
   * To be called before it is asked: one that has not answered since is silent for the others while this caller finds out
   * whether it does again.
   */
  probe(url: string): void;
}

const SILENCE_MS = 2_000;
/** So long it is remembered that one has not answered since: whoever is there is asked more often. */
const REMEMBERED_MS = 60_000;
const MOST_SILENT = 1_000;

export function createSilences({ now }: Pick<Clock, "now">): Silences {
  const untilOf = new Map<string, number>();

  function has(url: string): boolean {
    const until = untilOf.get(url);
    return until !== undefined && now() < until;
  }

  function mark(url: string): void {
    if (untilOf.size >= MOST_SILENT) untilOf.clear();
    // Behind the others: they stand in the order of their ends.
    untilOf.delete(url);
    untilOf.set(url, now() + SILENCE_MS);
  }

  return {
    mark,
    has,
    end: (url) => void untilOf.delete(url),
    any() {
      for (const [url, until] of untilOf) {
        if (now() < until + REMEMBERED_MS) break;
        untilOf.delete(url);
      }
      return untilOf.size > 0;
    },
    probe(url) {
      if (untilOf.has(url)) mark(url);
    },
  };
}
