import { createSignalRepetition } from "@remote-runtime/server/signal-repetition";

/**
 * Aborts at the first SIGINT or SIGTERM, so that what was started can be ended; the second one ends the process at once. One
 * press of Ctrl-C under npm is one.
 */
export function interruption(): AbortSignal {
  const controller = new AbortController();
  const repeats = createSignalRepetition({ now: () => performance.now() });
  const onSignal = (name: NodeJS.Signals): void => {
    if (repeats(name)) return;
    if (controller.signal.aborted) {
      process.off("SIGINT", onSignal).off("SIGTERM", onSignal);
      process.kill(process.pid, name);
      return;
    }
    controller.abort(new Error(`ended by ${name}`));
  };
  process.on("SIGINT", onSignal).on("SIGTERM", onSignal);
  return controller.signal;
}
