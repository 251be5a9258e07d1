import type { Docker } from "./create-docker.ts";
import { followTransfer } from "./image-transfer.ts";
import { findCredential, type CredentialSource } from "./registry-credential.ts";
import { registryError } from "./registry-error.ts";

export type PullOptions = {
  docker: Docker;
  reference: string;
  onProgress: (progress: string, bytes: number) => void;
  signal: AbortSignal;
  credentials: CredentialSource;
  now: () => number;
};

/**
 * Ends when the engine holds the image. `not_found`: no registry has it, or not for us. `disk_full`. RegistryAwayError: the registry does
 * not answer. `unavailable`: the engine does not answer, ten minutes of silence, or `signal` aborted. Progress comes at most
 * twice a second.
 */
export async function pullImage(options: PullOptions): Promise<void> {
  const { docker, reference, credentials } = options;
  const { credential, problem } = await findCredential(reference, credentials);
  const what = `pull of ${reference}`;
  await followTransfer({
    ...options,
    what,
    open: (abortSignal) =>
      docker.createImage(credential, { fromImage: withTag(reference), abortSignal }),
    errorOf: (error) => registryError(what, error, { reference, problem }),
  });
}

/** Without a tag the engine would fetch every one there is. */
function withTag(reference: string): string {
  const name = reference.slice(reference.lastIndexOf("/") + 1);
  return /[:@]/.test(name) ? reference : `${reference}:latest`;
}
