import { evictionOrder } from "@remote-runtime/placement";
import { canonicalNames } from "./canonical-names.ts";
import type { StoredImage } from "./disk-engine.ts";
import type { EvictionScope } from "./disk-policy.ts";

/** What keeps images, and puts them in order; names are canonical references. */
export type Keeping = {
  scope: EvictionScope;
  /** Content ids that containers have. */
  inUse: ReadonlySet<string>;
  /** Names and content ids: being pulled or built, wanted by a start that waits, or copied from. */
  wanted: ReadonlySet<string>;
  /** Asked of content ids and digests as well. */
  isPinned: (name: string) => boolean;
  isHomed: (name: string) => boolean;
  /** Whether the latest starts of the image went to another engine. */
  hasMoved: (name: string) => boolean;
  /** Of a content id; 0: not known. */
  lastUsedAt: (id: string) => number;
  /** Whether an image without a name will not get one any more: what is being pulled or built gets it last. */
  dangles: (id: string) => boolean;
};

/** Of all images those that may be removed now, in the order in which they are to be. Pure. */
export function evictable(images: Iterable<StoredImage>, keeping: Keeping): StoredImage[] {
  const candidates = [...images].flatMap((image) => {
    if (!isOurs(image, keeping) || keeping.inUse.has(image.id)) return [];
    if (!image.isBrought && image.names.length === 0 && !keeping.dangles(image.id)) return [];
    const names = canonicalNames(image.names);
    if ([image.id, ...names].some((one) => keeping.wanted.has(one))) return [];
    // What has no name left can never be asked for.
    const lastUse = names.length === 0 ? 0 : keeping.lastUsedAt(image.id);
    const asked = askedBy(names);
    // One name whose starts still come here is enough.
    const hasMoved = asked.length > 0 && asked.every(keeping.hasMoved);
    return [{ image, isHomed: asked.some(keeping.isHomed), hasMoved, lastUse }];
  });
  return evictionOrder(candidates).map(({ image }) => image);
}

/** Whether it may be removed once nobody uses it or waits for it. Pure. */
export function isOurs(
  { id, names, digests = [], isBrought }: StoredImage,
  { scope, isPinned }: Pick<Keeping, "scope" | "isPinned">,
): boolean {
  if (scope === "none" || [id, ...canonicalNames(names), ...digests].some(isPinned)) return false;
  // Nobody can ask for what has no name.
  return isBrought || names.length === 0 || scope === "any";
}

/** Starts name a tag, unless there is none: the digest beside it has another home, to which nothing comes. */
function askedBy(names: readonly string[]): readonly string[] {
  const tags = names.filter((name) => !name.includes("@"));
  return tags.length > 0 ? tags : names;
}
