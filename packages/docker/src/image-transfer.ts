import { ServiceError } from "@remote-runtime/protocol";
import { jsonLines } from "./json-lines.ts";
import { createPullProgress, PullMessage } from "./pull-progress.ts";

/** A transfer of which the engine says nothing for so long is given up. */
const SILENCE_MS = 10 * 60_000;
const PROGRESS_EVERY_MS = 500;

export type TransferOptions = {
  /** Begins the messages of errors, e.g. `pull of python:3`. */
  what: string;
  /** Begins it; the engine tells of it in lines of JSON until it is done. */
  open: (signal: AbortSignal) => Promise<AsyncIterable<Buffer | string>>;
  /** Of what the engine has said. */
  errorOf: (error: unknown) => ServiceError;
  onProgress: (progress: string, bytes: number) => void;
  signal: AbortSignal;
  now: () => number;
};

/**
 * Follows a transfer of an image to its end. Throws `unavailable` after ten minutes of silence or when `signal` aborts.
 * Progress comes at most twice a second, and at the end.
 */
export async function followTransfer(options: TransferOptions): Promise<void> {
  const { what, open, errorOf, onProgress, signal, now } = options;
  const silence = new AbortController();
  const timer = setTimeout(() => silence.abort(), SILENCE_MS);
  timer.unref();
  const report = throttle(onProgress, now);
  try {
    const stream = await open(AbortSignal.any([signal, silence.signal]));
    const progress = createPullProgress(now);
    for await (const value of jsonLines(stream)) {
      timer.refresh();
      const message = PullMessage.parse(value);
      if (message.error !== undefined) throw new Error(message.error);
      report.now(progress.add(message), progress.bytes());
    }
    report.last();
    signal.throwIfAborted();
  } catch (error) {
    if (signal.aborted)
      throw new ServiceError("unavailable", `${what}: given up`, { cause: error });
    if (silence.signal.aborted) {
      throw new ServiceError(
        "unavailable",
        `${what}: the engine was silent for ${SILENCE_MS / 60_000} min`,
      );
    }
    throw errorOf(error);
  } finally {
    clearTimeout(timer);
  }
}

function throttle(
  onProgress: (progress: string, bytes: number) => void,
  now: () => number,
): { now(progress: string, bytes: number): void; last(): void } {
  let told = { text: "", at: Number.NEGATIVE_INFINITY };
  let latest: [progress: string, bytes: number] = ["", 0];
  return {
    now(text, bytes) {
      latest = [text, bytes];
      if (text === told.text || now() - told.at < PROGRESS_EVERY_MS) return;
      told = { text, at: now() };
      onProgress(text, bytes);
    },
    last() {
      if (latest[0] !== told.text) onProgress(...latest);
    },
  };
}
