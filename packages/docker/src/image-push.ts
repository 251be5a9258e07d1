import { canonicalReference } from "@remote-runtime/image";
import { ServiceError } from "@remote-runtime/protocol";
import { Readable } from "node:stream";
import { dialEngine } from "./engine-dial.ts";
import { imagePath } from "./image-path.ts";
import type { PullOptions } from "./image-pull.ts";
import { followTransfer } from "./image-transfer.ts";
import { findCredential } from "./registry-credential.ts";
import { registryError } from "./registry-error.ts";

/** Ends when the registry has the image under this one tag. Errors and progress are those of a pull. */
export async function pushImage(options: PullOptions): Promise<void> {
  const { docker, reference, credentials } = options;
  const { credential, problem } = await findCredential(reference, credentials);
  const what = `push of ${reference}`;
  const { repository, tag } = partsOf(reference);
  await followTransfer({
    ...options,
    what,
    async open(abortSignal) {
      const answer = await dialEngine(docker, {
        method: "POST",
        path: `/images/${repository}/push?`,
        options: { tag },
        // The engine wants the header, also of somebody who has no credential.
        authconfig: credential ?? {},
        abortSignal,
        isStream: true,
        statusCodes: { 200: true, 404: "no such image", 500: "server error" },
      });
      if (answer instanceof Readable) return answer;
      throw new ServiceError("unavailable", `${what}: the engine gave no answer`);
    },
    errorOf: (error) => registryError(what, error, { reference, problem }),
  });
}

function partsOf(reference: string): { repository: string; tag: string } {
  const name = imagePath(canonicalReference(reference));
  const colon = name.lastIndexOf(":");
  if (name.includes("@") || colon < name.lastIndexOf("/")) {
    throw new ServiceError("bad_request", `push of ${reference}: only a tag can be pushed`);
  }
  return { repository: name.slice(0, colon), tag: name.slice(colon + 1) };
}
