import type { HeldImage, Images, ImagesSink } from "@remote-runtime/registry";
import type { ImageNames } from "./image-names.ts";

const NUMBERS_PER_IMAGE = 2;

/**
 * Images of one replica, their numbers side by side. A gateway knows half a million: an object and two boxed numbers for
 * each would be what the garbage collector mostly looks through.
 */
export class PackedImages implements Images, ImagesSink {
  readonly #names: ImageNames;
  /** By the number of the name. */
  readonly #places = new Map<number, number>();
  /** Places of images that are gone. */
  readonly #free: number[] = [];
  #numbers = new Float64Array();

  constructor(names: ImageNames) {
    this.#names = names;
  }

  get size(): number {
    return this.#places.size;
  }

  has(name: string): boolean {
    return this.hasId(this.#names.idOf(name) ?? -1);
  }

  /** Whether it holds the image whose name has that number. */
  hasId(id: number): boolean {
    return this.#places.has(id);
  }

  get(name: string): HeldImage | undefined {
    const place = this.#places.get(this.#names.idOf(name) ?? -1);
    return place === undefined ? undefined : this.#at(place);
  }

  /** Returns the numbers of the names, in their order. */
  set(images: readonly (readonly [string, HeldImage])[]): number[] {
    const ids = this.#names.take(images.map(([name]) => name));
    ids.forEach((id, i) => {
      const image = images[i]?.[1];
      if (image) this.#put(id, image);
    });
    return ids;
  }

  /** Returns the number of the name that it did hold; it may soon be another name's. */
  delete(name: string): number | undefined {
    const id = this.#names.idOf(name) ?? -1;
    const place = this.#places.get(id);
    if (place === undefined) return undefined;
    this.#free.push(place);
    this.#places.delete(id);
    this.#names.release(id);
    return id;
  }

  /** Gives all names back. */
  clear(): void {
    for (const id of this.#places.keys()) this.#names.release(id);
    this.#places.clear();
    this.#free.length = 0;
  }

  ids(): MapIterator<number> {
    return this.#places.keys();
  }

  *keys(): MapIterator<string> {
    for (const id of this.#places.keys()) yield this.#names.nameOf(id);
  }

  *values(): MapIterator<HeldImage> {
    for (const place of this.#places.values()) yield this.#at(place);
  }

  *entries(): MapIterator<[string, HeldImage]> {
    for (const [id, place] of this.#places) yield [this.#names.nameOf(id), this.#at(place)];
  }

  [Symbol.iterator](): MapIterator<[string, HeldImage]> {
    return this.entries();
  }

  forEach(visit: (image: HeldImage, name: string, images: Images) => void): void {
    for (const [name, image] of this) visit(image, name, this);
  }

  #put(id: number, { createdAt, sizeBytes }: HeldImage): void {
    const held = this.#places.get(id);
    // It keeps each name once.
    if (held !== undefined) this.#names.release(id);
    const place = held ?? this.#free.pop() ?? this.#places.size;
    const at = place * NUMBERS_PER_IMAGE;
    if (at >= this.#numbers.length) this.#grow();
    this.#places.set(id, place);
    this.#numbers[at] = createdAt;
    this.#numbers[at + 1] = sizeBytes;
  }

  #at(place: number): HeldImage {
    const at = place * NUMBERS_PER_IMAGE;
    return { createdAt: this.#numbers[at] ?? 0, sizeBytes: this.#numbers[at + 1] ?? 0 };
  }

  #grow(): void {
    const larger = new Float64Array(2 * this.#numbers.length + NUMBERS_PER_IMAGE);
    larger.set(this.#numbers);
    this.#numbers = larger;
  }
}
