import { canonicalReference } from "./canonical-reference.ts";

/** Names as an engine lists them, canonical; without those that nobody can ask for: `<none>:<none>`, or what its older rules let through. */
export function canonicalNames(references: readonly string[]): string[] {
  return references.flatMap((reference) => {
    try {
      return [canonicalReference(reference)];
    } catch {
      return [];
    }
  });
}
