import type { Clock, Log } from "@remote-runtime/runtime";

/** A firewall lets none through; anything less may be a moment's trouble. */
const MISSES = 3;
const MISSING_FOR_MS = 2_000;
/** What one sandbox does may be its own doing; of so many none answers only where the way is closed. */
const SILENT_SANDBOXES = 3;
const CLOSED_FOR_MS = 60_000;
const MOST_REMEMBERED = 1_000;

export type PublishedPathOptions = {
  /** Where a published port can be dialled, for use in URLs; `null`: not from this process. */
  host: string | null;
  clock: Pick<Clock, "now">;
  log: Pick<Log, "warn">;
};

/** Whether this process reaches sandboxes at the ports that the engine publishes, as far as it knows by now. */
export interface PublishedPath {
  /** Where to dial them; `null`: nowhere, or not for now. */
  host(): string | null;
  /** A sandbox has answered at its port, whatever it said. */
  answered(id: string): void;
  /**
   * It has not, although it answered 200 on another way; whether that way is enough for it from now on, which is so after
   * three times in a row over two seconds. Once three sandboxes have come to that and none has answered meanwhile, no port is
   * dialled for a minute.
   */
  missed(id: string, port: number): boolean;
}

/** Begins with what was found out when the server started, and learns from each probe. */
export function createPublishedPath({ host, clock, log }: PublishedPathOptions): PublishedPath {
  const missing = new Map<string, { times: number; since: number }>();
  const silent = new Set<string>();
  let closedUntil = Number.NEGATIVE_INFINITY;

  function remember(id: string): { times: number; since: number } {
    const known = missing.get(id) ?? { times: 0, since: clock.now() };
    missing.set(id, known);
    // One that ended while it was asked is never asked again.
    const [oldest] = missing.keys();
    if (oldest !== undefined && missing.size > MOST_REMEMBERED) missing.delete(oldest);
    return known;
  }

  return {
    host: () => (clock.now() < closedUntil ? null : host),
    answered(id) {
      missing.delete(id);
      silent.clear();
    },
    missed(id, port) {
      const known = remember(id);
      known.times += 1;
      if (known.times < MISSES || clock.now() - known.since < MISSING_FOR_MS) return false;
      missing.delete(id);
      silent.add(id);
      log.warn(
        { runtime: id, url: `http://${host}:${port}` },
        "a sandbox answers this server, but not at its published port: it counts as ready all the same; open SANDBOX_PORT_RANGE in the firewall of the engine's host, or clients may not reach it either",
      );
      if (silent.size < SILENT_SANDBOXES) return true;
      silent.clear();
      closedUntil = clock.now() + CLOSED_FOR_MS;
      log.warn(
        { sandboxes: SILENT_SANDBOXES, seconds: CLOSED_FOR_MS / 1000 },
        "no sandbox answers at its published port: for this time those with a port of their own count as ready once they answer this server",
      );
      return true;
    },
  };
}
