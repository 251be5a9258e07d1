import { z } from "zod";
import type { HeldImage, Images } from "./image-inventory.ts";
import { parseEntry } from "./parse-entry.ts";

const ImagesByReference = z.record(z.string(), z.unknown());

/** Images as JSON, for one value that holds them all. */
export function imagesToText(images: Images): string {
  const entries = [...images].map(([reference, { createdAt, sizeBytes }]) => [
    reference,
    { createdAt, sizeBytes },
  ]);
  return JSON.stringify(Object.fromEntries(entries));
}

/** The way back; an image that another version wrote in a way of its own is left out. */
export function parseImages(text: unknown): Images | undefined {
  const entries = parseEntry(ImagesByReference, text);
  return entries && heldImages(Object.entries(entries));
}

/** Those of the entries whose values are images. */
export function heldImages(entries: Iterable<[string, unknown]>): Images {
  const images = new Map<string, HeldImage>();
  for (const [reference, value] of entries) {
    const image = heldImage(value);
    if (image) images.set(reference, image);
  }
  return images;
}

/** Without those that are none. */
export function heldImagesOf(
  entries: readonly (readonly [string, HeldImage | undefined])[],
): Map<string, HeldImage> {
  return new Map(entries.flatMap(([id, image]) => (image ? [[id, image] as const] : [])));
}

/** By hand, as gateways read half a million of them: a schema takes longer than all the rest. */
export function heldImage(value: unknown): HeldImage | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  if (!("createdAt" in value) || !("sizeBytes" in value)) return undefined;
  const { createdAt, sizeBytes } = value;
  if (!isFiniteNumber(createdAt) || !isFiniteNumber(sizeBytes)) return undefined;
  return { createdAt, sizeBytes };
}

function isFiniteNumber(value: unknown): value is number {
  return Number.isFinite(value);
}
