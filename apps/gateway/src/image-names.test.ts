import { describe, expect, test } from "vitest";
import { ImageNames } from "./image-names.ts";

const nameOf = (i: number): string => `docker.io/some/image-${i}:tag`;

describe("ImageNames", () => {
  test("keeps a name under one number until all that took it have given it back", () => {
    const names = new ImageNames();
    const [a, b, again] = names.take(["a", "", "a"]);
    expect([a, b].map((id) => names.nameOf(id ?? -1))).toEqual(["a", ""]);
    expect(again).toBe(a);
    expect(names.take(["a"])).toEqual([a]);
    for (let left = 2; left >= 0; left -= 1) {
      expect(names.idOf("a")).toBe(a);
      names.release(a ?? -1);
    }
    expect([names.idOf("a"), names.idOf(""), names.size]).toEqual([undefined, b, 1]);
  });

  test("does what a Map does, whatever comes and goes, beyond its first size", () => {
    const names = new ImageNames();
    const model = new Map<string, { id: number; uses: number }>();
    // The same in each run: a small generator of numbers.
    let seed = 1;
    const random = (below: number): number => {
      seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
      return seed % below;
    };
    const taken = (name: string, id: number | undefined): void => {
      if (id === undefined) throw new Error(`${name} has no number`);
      const uses = (model.get(name)?.uses ?? 0) + 1;
      expect(model.get(name)?.id ?? id).toBe(id);
      model.set(name, { id, uses });
    };
    for (let step = 0; step < 400; step += 1) {
      const wanted = Array.from({ length: random(60) }, () => nameOf(random(6_000)));
      names.take(wanted).forEach((id, i) => taken(wanted[i] ?? "", id));
      const goes = [...model].filter(() => random(100) < (step % 40 === 0 ? 60 : 1));
      for (const [name, { id, uses }] of goes) {
        names.release(id);
        if (uses === 1) model.delete(name);
        else model.set(name, { id, uses: uses - 1 });
      }
    }
    expect(names.size).toBe(model.size);
    expect(new Set([...model.values()].map(({ id }) => id)).size).toBe(model.size);
    for (let i = 0; i < 6_000; i += 1) {
      expect(names.idOf(nameOf(i)), nameOf(i)).toBe(model.get(nameOf(i))?.id);
    }
    for (const [name, { id }] of model) expect(names.nameOf(id)).toBe(name);
  });

  test("tells names apart that have the same hash", () => {
    const names = new ImageNames();
    // Of FNV-1a in 32 bits.
    const alike = ["declinate", "macallums"];
    const ids = names.take(alike);
    expect(new Set(ids).size).toBe(2);
    names.release(ids[0] ?? -1);
    expect(alike.map((name) => names.idOf(name))).toEqual([undefined, ids[1]]);
  });
});
