import { canonicalReference } from "./canonical-reference.ts";

const FROM = /^[ \t]*FROM[ \t]+(?:--\S+[ \t]+)*(\S+)(?:[ \t]+AS[ \t]+(\S+))?/gim;
const NO_IMAGE = "scratch";
/** Nobody has so many; all others are left to the engine. */
const MOST_NAMES = 100;

/**
 * Canonical references of the images that a Dockerfile begins from, as far as they can be read without building: names with
 * a variable in them are left out, and so are its own stages, and what comes after a hundred names.
 */
export function buildBaseImages(dockerfile: string): string[] {
  const stages = new Set<string>([NO_IMAGE]);
  const names = new Set<string>();
  for (const [, name = "", stage] of dockerfile.matchAll(FROM)) {
    if (names.size === MOST_NAMES) break;
    if (!stages.has(name.toLowerCase()) && !name.includes("$")) names.add(name);
    if (stage !== undefined) stages.add(stage.toLowerCase());
  }
  return [...new Set([...names].flatMap((name) => canonicalOrNone(name) ?? []))];
}

/** The engine says what is wrong with a name. */
function canonicalOrNone(name: string): string | undefined {
  try {
    return canonicalReference(name);
  } catch {
    return undefined;
  }
}
