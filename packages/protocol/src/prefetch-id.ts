import { createHash } from "node:crypto";

export const PREFETCH_ID = /^[a-z0-9-]{1,64}$/;

/** The same list, in whatever order, is the same prefetch: whoever asks for it again joins the one that is under way. */
export function prefetchIdOf(images: readonly string[], copies: number): string {
  const hash = createHash("sha256").update(String(copies));
  for (const image of [...new Set(images)].toSorted()) hash.update(`\n${image}`);
  return hash.digest("hex").slice(0, 16);
}
