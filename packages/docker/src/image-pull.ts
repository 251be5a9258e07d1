import { ServiceError } from "@remote-runtime/protocol";
import type { Docker } from "./create-docker.ts";
import { jsonLines } from "./json-lines.ts";
import { createPullProgress, PullMessage } from "./pull-progress.ts";
import { findCredential, type CredentialSource } from "./registry-credential.ts";
import { registryError } from "./registry-error.ts";

/** A pull of which the engine says nothing for so long is given up. */
const SILENCE_MS = 10 * 60_000;
const PROGRESS_EVERY_MS = 500;

export type PullOptions = {
  docker: Docker;
  reference: string;
  onProgress: (progress: string) => void;
  signal: AbortSignal;
  credentials: CredentialSource;
  now: () => number;
};

/**
 * Ends when the engine holds the image. `not_found`: no registry has it, or not for us. `unavailable`: the registry or the
 * engine does not answer, ten minutes of silence, or `signal` aborted. Progress comes at most twice a second.
 */
export async function pullImage({
  docker,
  reference,
  onProgress,
  signal,
  credentials,
  now,
}: PullOptions): Promise<void> {
  const { credential, problem } = await findCredential(reference, credentials);
  const silence = new AbortController();
  const timer = setTimeout(() => silence.abort(), SILENCE_MS);
  timer.unref();
  const report = throttle(onProgress, now);
  try {
    const stream = await docker.createImage(credential, {
      fromImage: withTag(reference),
      abortSignal: AbortSignal.any([signal, silence.signal]),
    });
    const progress = createPullProgress(now);
    for await (const value of jsonLines(stream)) {
      timer.refresh();
      const message = PullMessage.parse(value);
      if (message.error !== undefined) throw new Error(message.error);
      report(progress.add(message));
    }
    signal.throwIfAborted();
  } catch (error) {
    if (signal.aborted)
      throw new ServiceError("unavailable", `pull of ${reference}: given up`, { cause: error });
    if (silence.signal.aborted) {
      throw new ServiceError(
        "unavailable",
        `pull of ${reference}: the engine was silent for ${SILENCE_MS / 60_000} min`,
      );
    }
    throw registryError(`pull of ${reference}`, error, problem);
  } finally {
    clearTimeout(timer);
  }
}

/** Without a tag the engine would fetch every one there is. */
function withTag(reference: string): string {
  const name = reference.slice(reference.lastIndexOf("/") + 1);
  return /[:@]/.test(name) ? reference : `${reference}:latest`;
}

function throttle(
  onProgress: (progress: string) => void,
  now: () => number,
): (progress: string) => void {
  let last = { text: "", at: Number.NEGATIVE_INFINITY };
  return (text) => {
    if (text === last.text || now() - last.at < PROGRESS_EVERY_MS) return;
    last = { text, at: now() };
    onProgress(text);
  };
}
