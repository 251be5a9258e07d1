import { createHash } from "node:crypto";
import { canonicalReference, MARK_REPOSITORY } from "@remote-runtime/image";

/** The tag that stands beside a reference that was brought; every server makes the same one. */
export function markOf(reference: string): string {
  const hash = createHash("sha256").update(canonicalReference(reference)).digest("hex");
  return `${MARK_REPOSITORY}:${hash.slice(0, 32)}`;
}

export function isMark(name: string): boolean {
  return name.startsWith(`${MARK_REPOSITORY}:`);
}
