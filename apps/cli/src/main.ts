#!/usr/bin/env node
import { setTimeout as sleep } from "node:timers/promises";
import { createSignalRepetition } from "@remote-runtime/server/signal-repetition";
import { exitCodes } from "./exit-error.ts";
import { run } from "./run.ts";

/** A command runs to its end though nobody reads what it prints any more, as in `remote-runtime stop --all --yes | head -1`. */
function ignoreClosedPipe(error: NodeJS.ErrnoException): void {
  if (error.code !== "EPIPE") throw error;
}

const interrupt = new AbortController();
const repeats = createSignalRepetition({ now: () => performance.now() });
process.on("SIGINT", (signal) => {
  if (repeats(signal)) return;
  if (interrupt.signal.aborted) process.exit(exitCodes.interrupted);
  interrupt.abort();
});
process.stdout.on("error", ignoreClosedPipe);
process.stderr.on("error", ignoreClosedPipe);

process.exitCode = await run(process.argv.slice(2), {
  env: process.env,
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  signal: interrupt.signal,
  now: Date.now,
  sleep: (ms, signal) => sleep(ms, undefined, { signal }),
});
