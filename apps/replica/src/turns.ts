/** Lets so many in at once; the others wait, first come, first served. */
export interface Turns {
  isFree(): boolean;
  /** How many wait. */
  waiting(): number;
  /** Ends when it is one's turn; answers what gives it back, to be called once. Rejects with the signal's reason. */
  take(signal: AbortSignal): Promise<() => void>;
}

export function createTurns(most: number): Turns {
  const queue = new Set<() => void>();
  let taken = 0;

  function giveBack(): void {
    const [next] = queue;
    // The turn goes from hand to hand.
    if (next) next();
    else taken -= 1;
  }

  return {
    isFree: () => taken < most,
    waiting: () => queue.size,
    async take(signal) {
      signal.throwIfAborted();
      if (taken < most) {
        taken += 1;
        return giveBack;
      }
      await new Promise<void>((resolve, reject) => {
        const next = (): void => {
          queue.delete(next);
          signal.removeEventListener("abort", onAbort);
          resolve();
        };
        const onAbort = (): void => {
          queue.delete(next);
          reject(signal.reason);
        };
        queue.add(next);
        signal.addEventListener("abort", onAbort, { once: true });
      });
      return giveBack;
    },
  };
}
