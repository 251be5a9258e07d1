import { createSignalRepetition } from "./signal-repetition.ts";

/** The part of `process` that a shutdown uses. */
export interface ShutdownProcess {
  on(signal: "SIGTERM" | "SIGINT", listener: (signal: "SIGTERM" | "SIGINT") => void): unknown;
  off(signal: "SIGTERM" | "SIGINT", listener: (signal: "SIGTERM" | "SIGINT") => void): unknown;
  exit(code: number): void;
}

export type ShutdownOptions = {
  log: { info(message: string): void; error(message: string): void };
  /** How long to go on with the work at hand after the first signal. Default 0: not at all. */
  graceMs?: number;
  /** How long everything may take to end after that. Default 10 s. */
  timeoutMs?: number;
  /** Milliseconds; tells a second signal from the first one's echo. Default the process' own clock. */
  now?: () => number;
  process?: ShutdownProcess;
};

export interface Shutdown extends Disposable {
  /** Aborts at the first SIGTERM or SIGINT: no new work from now on. */
  readonly leaving: AbortSignal;
  /** Aborts when it is time to end: with `leaving`, or at the end of the grace. */
  readonly signal: AbortSignal;
  /** Ends the grace before its time, as nothing is left to do. No effect before the first signal. */
  finish(): void;
}

/**
 * Turns SIGTERM and SIGINT into AbortSignals. The process then ends by itself when nothing is left to do; it is ended with
 * code 1 `timeoutMs` after the grace. A second signal ends the grace; another one, or the second without a grace, ends the
 * process at once. The same signal again within half a second is not a second one. Disposing takes the listeners off.
 */
export function createShutdown({
  log,
  graceMs = 0,
  timeoutMs = 10_000,
  now = () => performance.now(),
  process: target = process,
}: ShutdownOptions): Shutdown {
  const leaving = new AbortController();
  const ending = new AbortController();
  const repeats = createSignalRepetition({ now });
  let grace: NodeJS.Timeout | undefined;
  let lastResort: NodeJS.Timeout | undefined;

  function end(why: string): void {
    if (ending.signal.aborted) return;
    clearTimeout(grace);
    log.info(`${why}: shutting down`);
    lastResort = setTimeout(() => {
      log.error(`still busy ${timeoutMs} ms after ${why}: exiting`);
      target.exit(1);
    }, timeoutMs);
    lastResort.unref();
    ending.abort(new Error(`shut down by ${why}`));
  }

  const onSignal = (signal: "SIGTERM" | "SIGINT"): void => {
    if (repeats(signal)) return;
    if (ending.signal.aborted) {
      log.error(`${signal} again: exiting at once`);
      target.exit(1);
      return;
    }
    if (leaving.signal.aborted) {
      end(`${signal} again`);
      return;
    }
    leaving.abort(new Error(`told to end by ${signal}`));
    if (graceMs === 0) {
      end(signal);
      return;
    }
    log.info(`${signal}: going on with the work at hand for ${graceMs / 1000} s at most`);
    grace = setTimeout(() => end("the end of the grace"), graceMs);
    grace.unref();
  };

  target.on("SIGTERM", onSignal);
  target.on("SIGINT", onSignal);

  return {
    leaving: leaving.signal,
    signal: ending.signal,
    finish() {
      if (leaving.signal.aborted) end("the end of the work");
    },
    [Symbol.dispose]() {
      clearTimeout(grace);
      clearTimeout(lastResort);
      target.off("SIGTERM", onSignal);
      target.off("SIGINT", onSignal);
    },
  };
}
