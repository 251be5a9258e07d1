import type { Clock } from "./clock.ts";

/** Long enough for the next of a burst of starts to come, short beside the making of a container. */
const PAUSE_MS = 10;
const MOST_PAUSES = 5;

/**
 * Holds work back until nobody has come with more of it for 10 ms, at most 50 ms: the engine takes every core for the
 * first container, and whoever came in the same moment would wait for an answer behind it.
 */
export function createLull(clock: Pick<Clock, "sleep">): (begin: () => void) => void {
  const { signal } = new AbortController();
  let held: (() => void)[] = [];

  async function hold(): Promise<void> {
    for (let pause = 0, seen = 0; pause < MOST_PAUSES && held.length > seen; pause += 1) {
      seen = held.length;
      await clock.sleep(PAUSE_MS, signal);
    }
    const all = held;
    held = [];
    for (const begin of all) begin();
  }

  return (begin) => {
    held.push(begin);
    if (held.length === 1) void hold();
  };
}
