import type { HeldImage } from "@remote-runtime/registry";
import { expect, test } from "vitest";
import { ImageNames } from "./image-names.ts";
import { PackedImages } from "./packed-images.ts";

const image = (i: number): HeldImage => ({ createdAt: 1.7e12 + i, sizeBytes: 4e9 - i / 2 });

test("PackedImages holds what a Map does, whatever is set and deleted", () => {
  const map = new Map(["a", "b", "c"].map((name, i) => [name, image(i)]));
  const names = new ImageNames();
  const packed = new PackedImages(names);
  packed.set([...map]);
  for (let i = 0; i < 500; i += 1) {
    // In 500 steps each of 16 names is set, replaced, deleted and set again.
    const name = `name-${(i * 7 + (i >> 4)) % 16}`;
    if (i % 5 < 3) {
      map.set(name, image(i));
      expect(packed.set([[name, image(i)]])).toEqual([names.idOf(name)]);
    } else {
      const id = names.idOf(name);
      expect(packed.delete(name)).toBe(map.delete(name) ? id : undefined);
    }
    expect(packed.has(name)).toBe(map.has(name));
    expect(packed.get(name)).toEqual(map.get(name));
    expect(packed.size).toBe(map.size);
    expect([...packed]).toEqual([...map]);
  }
  expect([...packed.keys()]).toEqual([...map.keys()]);
  expect([...packed.values()]).toEqual([...map.values()]);
  const visited: [string, HeldImage][] = [];
  packed.forEach((each, name) => visited.push([name, each]));
  expect(visited).toEqual([...map]);
  expect(names.size).toBe(map.size);
  packed.clear();
  expect([packed.size, names.size]).toEqual([0, 0]);
});
