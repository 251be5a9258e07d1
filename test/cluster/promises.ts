/** What clients were promised, and what was seen against it. */
export interface Promises {
  /** Live runtimes by session, as /start answered them. */
  readonly kept: Map<string, string>;
  /** Ids of the runtimes whose stop was answered. */
  readonly stopped: Set<string>;
  /** How often each thing went as it should. */
  readonly good: { starts: number; reads: number; stops: number; looks: number };
  /** What nobody may see, the first of it. */
  readonly failures: readonly string[];
  fail(what: string): void;
}

const MOST_FAILURES = 20;

export function createPromises(): Promises {
  const failures: string[] = [];
  return {
    kept: new Map(),
    stopped: new Set(),
    good: { starts: 0, reads: 0, stops: 0, looks: 0 },
    failures,
    fail(what) {
      if (failures.length < MOST_FAILURES) failures.push(`${new Date().toISOString()} ${what}`);
    },
  };
}
