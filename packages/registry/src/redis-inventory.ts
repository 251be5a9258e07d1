import { setImmediate as nextTurn } from "node:timers/promises";
import { createImagesSink, type ImagesSink } from "./images-sink.ts";
import { heldImage } from "./images-text.ts";
import type { HeldImage, Inventory } from "./image-inventory.ts";
import { parseJson } from "./parse-entry.ts";
import { VERSION_FIELD } from "./redis-inventory-scripts.ts";
import type { RedisLink } from "./redis-link.ts";

/** To read, parse and keep a part takes a millisecond or two; requests are answered between. */
const IMAGES_PER_READ = 500;
/** A list that changes while its parts are read is read again, at last in one piece. */
const TRIES_IN_PARTS = 3;

export async function readInventory(link: RedisLink, key: string): Promise<Inventory | undefined> {
  const sink = createImagesSink();
  const version = await copyInventory(link, key, sink);
  return version === undefined ? undefined : { version, images: sink.images };
}

export async function copyInventory(
  link: RedisLink,
  key: string,
  into: ImagesSink,
): Promise<number | undefined> {
  for (let tries = 0; tries < TRIES_IN_PARTS; tries += 1) {
    into.clear();
    const version = await readVersion(link, key);
    if (version === 0) return undefined;
    await copyParts(link, key, into);
    if (version === (await readVersion(link, key))) return version;
  }
  into.clear();
  // Without the method's own way to make an object of it, which takes as long as all the rest.
  const reply = await link.call((redis) => redis.call("HGETALL", key));
  const fields: unknown[] = Array.isArray(reply) ? reply : [];
  let version = 0;
  for (let at = 0; at < fields.length; at += 2 * IMAGES_PER_READ) {
    const part = fields.slice(at, at + 2 * IMAGES_PER_READ);
    version ||= versionIn(part);
    into.set(imagesIn(part));
    await nextTurn();
  }
  return version === 0 ? undefined : version;
}

async function readVersion(link: RedisLink, key: string): Promise<number> {
  return parseVersion(await link.call((redis) => redis.hget(key, VERSION_FIELD)));
}

async function copyParts(link: RedisLink, key: string, into: ImagesSink): Promise<void> {
  let cursor = "0";
  do {
    const from = cursor;
    const part = await link.call((redis) => redis.hscan(key, from, "COUNT", IMAGES_PER_READ));
    cursor = part[0];
    into.set(imagesIn(part[1]));
  } while (cursor !== "0");
}

/** Of fields and values by turns; an image that does not parse is left out. */
function imagesIn(fields: readonly unknown[]): [string, HeldImage][] {
  const images: [string, HeldImage][] = [];
  for (let i = 0; i < fields.length; i += 2) {
    const [field, text] = [fields[i], fields[i + 1]];
    if (typeof field !== "string" || typeof text !== "string" || field === VERSION_FIELD) continue;
    const image = heldImage(parseJson(text));
    if (image) images.push([field, image]);
  }
  return images;
}

/** 0 where it is not among them. */
function versionIn(fields: readonly unknown[]): number {
  const at = fields.findIndex((field, i) => i % 2 === 0 && field === VERSION_FIELD);
  const text = at < 0 ? undefined : fields[at + 1];
  return typeof text === "string" ? parseVersion(text) : 0;
}

/** 0 where there is none. */
export function parseVersion(text: string | null | undefined): number {
  return /^\d+$/.test(text ?? "") ? Number(text) : 0;
}
