import { isBelow } from "./publisher.ts";
import type { Mirror } from "./mirror.ts";
import { mirrored } from "./mirror.ts";

/** Where an image can be had: from its own registry, under another name from a mirror of it, from other replicas' engines. */
export type ImageSource =
  | { kind: "registry" }
  | { kind: "mirror"; reference: string }
  | { kind: "siblings" };

/**
 * The sources of an image in the order in which they are asked (decisions/0017): near ones before the public registry, of
 * which each image is wanted once. `fresh` says that what the registry has now is wanted, and no copy. Pure.
 */
export function imageSources(
  name: string,
  {
    folder,
    mirrors,
    fresh,
  }: { folder: string | undefined; mirrors: readonly Mirror[]; fresh: boolean },
): ImageSource[] {
  const registry: ImageSource = { kind: "registry" };
  // Under a digest an archive cannot name an image.
  const siblings: ImageSource[] = fresh || name.includes("@") ? [] : [{ kind: "siblings" }];
  if (folder !== undefined && isBelow(name, folder)) return [registry, ...siblings];
  const near = mirrored(name, mirrors).map((reference): ImageSource => ({
    kind: "mirror",
    reference,
  }));
  return [...near, ...siblings, registry];
}
