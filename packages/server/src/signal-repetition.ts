export type SignalRepetitionOptions = {
  /** Milliseconds of a clock that does not jump. */
  now: () => number;
  /** How long after a signal that counted the same one does not count. Default 500 ms. */
  withinMs?: number;
};

/**
 * Tells whether a signal only repeats the last one that counted. Ctrl-C reaches what npm has started twice: the terminal sends
 * it to every process in the foreground, and npm passes on what it got. Another signal, or the same one later, is meant.
 */
export function createSignalRepetition({
  now,
  withinMs = 500,
}: SignalRepetitionOptions): (signal: string) => boolean {
  let last: { signal: string; at: number } | undefined;
  return (signal) => {
    const at = now();
    if (last?.signal === signal && at - last.at < withinMs) return true;
    last = { signal, at };
    return false;
  };
}
