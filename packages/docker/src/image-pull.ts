import { ServiceError } from "@remote-runtime/protocol";
import type Dockerode from "dockerode";
import type { Docker } from "./create-docker.ts";
import { engineReason, isDiskFull, statusCode } from "./engine-error.ts";
import { jsonLines } from "./json-lines.ts";
import { createPullProgress, PullMessage } from "./pull-progress.ts";
import { registryCredential, type CredentialSource } from "./registry-credential.ts";

/** A pull of which the engine says nothing for so long is given up. */
const SILENCE_MS = 10 * 60_000;
const PROGRESS_EVERY_MS = 500;

const UNREACHABLE =
  /no such host|server misbehaving|dial tcp|connection re(fused|set)|network is unreachable|no route to host|timeout|TLS handshake|EOF|toomanyrequests|rate limit|certificate|http: server gave HTTP response/i;
const ABSENT =
  /manifest unknown|manifest for .* not found|no matching manifest|not found|does not exist|denied|unauthorized|authentication required|no basic auth|insufficient_scope/i;

export type PullOptions = {
  docker: Docker;
  reference: string;
  onProgress: (progress: string) => void;
  signal: AbortSignal;
  credentials: CredentialSource;
  now: () => number;
};

/**
 * Ends when the engine holds the image. `not_found`: no registry has it, or not for us. `disk_full`. `unavailable`: the registry or the
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
    throw pullError(reference, error, problem);
  } finally {
    clearTimeout(timer);
  }
}

/** Without a tag the engine would fetch every one there is. */
function withTag(reference: string): string {
  const name = reference.slice(reference.lastIndexOf("/") + 1);
  return /[:@]/.test(name) ? reference : `${reference}:latest`;
}

/** Most images need no credential, so one that cannot be read is a problem only if the pull then fails. */
async function findCredential(
  reference: string,
  source: CredentialSource,
): Promise<{ credential?: Dockerode.AuthConfig | undefined; problem?: string }> {
  try {
    return { credential: await registryCredential(reference, source) };
  } catch (error) {
    return { problem: `; tried without a credential, because ${engineReason(error)}` };
  }
}

function pullError(reference: string, error: unknown, problem = ""): ServiceError {
  const reason = engineReason(error);
  const message = `pull of ${reference}: ${reason}${problem}`;
  if (isDiskFull(reason)) return new ServiceError("disk_full", message, { cause: error });
  if (UNREACHABLE.test(reason)) return new ServiceError("unavailable", message, { cause: error });
  if (statusCode(error) === 404 || ABSENT.test(reason))
    return new ServiceError("not_found", message, { cause: error });
  if (statusCode(error) === 400) return new ServiceError("bad_request", message, { cause: error });
  return new ServiceError("unavailable", message, { cause: error });
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
