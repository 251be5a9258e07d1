import { ServiceError } from "@remote-runtime/protocol";

/** A reference as part of an address: what the grammar of references forbids must not lead elsewhere in the engine's API. */
export function imagePath(reference: string): string {
  if (
    !/^[a-zA-Z0-9][\w./:@+-]*$/.test(reference) ||
    reference.includes("..") ||
    reference.includes("//")
  ) {
    throw new ServiceError("bad_request", `${JSON.stringify(reference)} is no image reference`);
  }
  return reference;
}
