import { ServiceError } from "@remote-runtime/protocol";
import type { Docker } from "./create-docker.ts";
import { dialEngine } from "./engine-dial.ts";
import { imagePath } from "./image-path.ts";
import { findCredential, type CredentialSource } from "./registry-credential.ts";
import { isRefusal, registryError } from "./registry-error.ts";

/**
 * Whether the image's registry has it, for us, asked by the engine itself: on its way, with its trust, and with our
 * credential. Throws RegistryAwayError when the registry does not answer, `forbidden` when it does not let us see the image,
 * `unavailable` when the engine does not answer.
 */
export async function isImagePublished(
  reference: string,
  {
    docker,
    credentials,
    signal,
  }: { docker: Docker; credentials: CredentialSource; signal: AbortSignal },
): Promise<boolean> {
  const path = `/distribution/${imagePath(reference)}/json`;
  const { credential, problem } = await findCredential(reference, credentials);
  try {
    await dialEngine(docker, {
      method: "GET",
      path,
      authconfig: credential,
      abortSignal: signal,
      statusCodes: { 200: true, 401: "unauthorized", 404: "no such image", 500: "server error" },
    });
    return true;
  } catch (error) {
    const failure = registryError(`question for ${reference}`, error, { reference, problem });
    if (failure.code === "not_found" && isRefusal(error, reference)) {
      throw new ServiceError("forbidden", failure.message, { cause: error });
    }
    if (failure.code === "not_found" || failure.code === "bad_request") return false;
    throw failure;
  }
}
