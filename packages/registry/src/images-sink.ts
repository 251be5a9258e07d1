import type { HeldImage } from "./image-inventory.ts";

/** What takes images in parts, and keeps them in a way of its own. */
export interface ImagesSink {
  /** Forgets what came so far: it is read once more. */
  clear(): void;
  set(images: readonly (readonly [string, HeldImage])[]): void;
}

/** One that just keeps them. */
export function createImagesSink(): ImagesSink & { readonly images: Map<string, HeldImage> } {
  const images = new Map<string, HeldImage>();
  return {
    images,
    clear: () => images.clear(),
    set(part) {
      for (const [name, image] of part) images.set(name, image);
    },
  };
}
