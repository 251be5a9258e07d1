import type { Clock, Log } from "@remote-runtime/runtime";

/** A firewall lets none through; anything less may be a moment's trouble of one sandbox. */
const MISSES = 3;
const MISSING_FOR_MS = 2_000;

export type PublishedPathOptions = {
  /** Where a published port can be dialled, for use in URLs; `null`: not from this process. */
  host: string | null;
  clock: Pick<Clock, "now">;
  log: Pick<Log, "warn">;
};

/** Whether this process reaches sandboxes at the ports that the engine publishes, as far as it knows by now. */
export interface PublishedPath {
  /** Where to dial them; `null`: nowhere, or not any more. */
  host(): string | null;
  /** A port has answered, whatever it said. */
  answered(): void;
  /** A port has not, although its sandbox answered 200 on another way. Given up after three in a row over two seconds. */
  missed(port: number): void;
}

/** Begins with what was found out when the server started, and learns from each probe. */
export function createPublishedPath({ host, clock, log }: PublishedPathOptions): PublishedPath {
  let known = host;
  let misses = 0;
  let since = 0;
  return {
    host: () => known,
    answered() {
      misses = 0;
    },
    missed(port) {
      if (known === null) return;
      if (misses === 0) since = clock.now();
      misses += 1;
      if (misses < MISSES || clock.now() - since < MISSING_FOR_MS) return;
      log.warn(
        { url: `http://${known}:${port}` },
        "a sandbox answers this server, but not at its published port: from now on those with a port of their own count as ready once they answer this server; open SANDBOX_PORT_RANGE in the firewall of the engine's host, or clients may not reach them either",
      );
      known = null;
    },
  };
}
