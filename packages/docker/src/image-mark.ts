import { createHash } from "node:crypto";
import { canonicalReference } from "@remote-runtime/image";

/** Of the tags that say which images servers of ours brought. */
const REPOSITORY = "openhands-brought";

/** The tag that stands beside a reference that was brought; every server makes the same one. */
export function markOf(reference: string): string {
  const hash = createHash("sha256").update(canonicalReference(reference)).digest("hex");
  return `${REPOSITORY}:${hash.slice(0, 32)}`;
}

export function isMark(name: string): boolean {
  return name.startsWith(`${REPOSITORY}:`);
}
