import { isBelow } from "./publisher.ts";
import type { Mirror } from "./mirror.ts";
import { mirrored } from "./mirror.ts";

/**
 * Where an image can be had: from its own registry, under another name from a mirror of it, from other replicas' engines.
 * With `isShared`, one engine at a time asks its own registry, and the others wait for a copy of what it gets.
 */
export type ImageSource =
  | { kind: "registry"; isShared: boolean }
  | { kind: "mirror"; reference: string }
  | { kind: "siblings" };

/**
 * The sources of an image in the order in which they are asked (decisions/0016): near ones before the public registry, of
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
  // Under a digest an archive cannot name an image.
  const isCopied = !fresh && !name.includes("@");
  const siblings: ImageSource[] = isCopied ? [{ kind: "siblings" }] : [];
  if (folder !== undefined && isBelow(name, folder)) {
    return [{ kind: "registry", isShared: false }, ...siblings];
  }
  const near = mirrored(name, mirrors).map((reference): ImageSource => ({
    kind: "mirror",
    reference,
  }));
  return [...near, ...siblings, { kind: "registry", isShared: isCopied }];
}
