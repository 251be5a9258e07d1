import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { StoredImage } from "./disk-engine.ts";
import { evictable, type Keeping } from "./evictable.ts";

const NAMES = ["a:1", "b:1", "c:1", "d:1", "e:1", "f:1"];
const canonical = (name: string): string => `docker.io/library/${name}`;
const someNames = fc.subarray(NAMES).map((names) => new Set(names.map(canonical)));

const image: fc.Arbitrary<StoredImage> = fc.record({
  id: fc.nat({ max: 20 }).map(String),
  names: fc.subarray([...NAMES, "<none>@<none>"]),
  sizeBytes: fc.nat(),
  isBrought: fc.boolean(),
});
const images = fc.uniqueArray(image, { selector: ({ id }) => id });
const scenes = fc.record({
  images,
  scope: fc.constantFrom("brought" as const, "any" as const, "none" as const),
  inUse: fc.uniqueArray(fc.nat({ max: 20 }).map(String)).map((ids) => new Set(ids)),
  wanted: someNames,
  pinned: someNames,
  homed: someNames,
  moved: someNames,
  dangling: fc.uniqueArray(fc.nat({ max: 20 }).map(String)).map((ids) => new Set(ids)),
});
type Scene = typeof scenes extends fc.Arbitrary<infer S> ? S : never;

const lastUsedAt = (id: string): number => Number(id) % 5;

function keepingOf({ scope, inUse, wanted, pinned, homed, moved, dangling }: Scene): Keeping {
  const isPinned = (name: string): boolean => pinned.has(name);
  const isHomed = (name: string): boolean => homed.has(name);
  const hasMoved = (name: string): boolean => moved.has(name);
  const dangles = (id: string): boolean => dangling.has(id);
  return { scope, inUse, wanted, isPinned, isHomed, hasMoved, lastUsedAt, dangles };
}

/** What has no name that anybody can ask for was never used. */
function lastUse({ id, names }: StoredImage): number {
  return names.some((name) => NAMES.includes(name)) ? lastUsedAt(id) : 0;
}

function hasOneOf({ names }: StoredImage, some: ReadonlySet<string>): boolean {
  return names.some((name) => some.has(canonical(name)));
}

describe("evictable()", () => {
  test("never has what is in use, wanted or pinned, nor what the scope leaves alone", () => {
    fc.assert(
      fc.property(scenes, (scene) => {
        for (const found of evictable(scene.images, keepingOf(scene))) {
          expect(scene.inUse.has(found.id)).toBe(false);
          expect(hasOneOf(found, scene.wanted)).toBe(false);
          expect(hasOneOf(found, scene.pinned)).toBe(false);
          expect(scene.scope).not.toBe("none");
          if (found.isBrought) continue;
          if (found.names.length === 0) expect(scene.dangling.has(found.id)).toBe(true);
          else expect(scene.scope).toBe("any");
        }
      }),
    );
  });

  test("has everything else, each once", () => {
    fc.assert(
      fc.property(scenes, (scene) => {
        const found = new Set(evictable(scene.images, keepingOf(scene)));
        for (const each of scene.images) {
          const { scope, inUse, wanted, pinned } = scene;
          const isOurs =
            each.isBrought ||
            (each.names.length === 0 ? scene.dangling.has(each.id) : scope === "any");
          const isFree = !inUse.has(each.id) && !hasOneOf(each, wanted) && !hasOneOf(each, pinned);
          expect(found.has(each)).toBe(scope !== "none" && isOurs && isFree);
        }
      }),
    );
  });

  test("begins with what is not homed here, goes on with what has moved, each by its last use", () => {
    fc.assert(
      fc.property(scenes, (scene) => {
        const order = evictable(scene.images, keepingOf(scene));
        const hasMoved = ({ names }: StoredImage): boolean => {
          const known = names.filter((name) => NAMES.includes(name));
          return known.length > 0 && known.every((name) => scene.moved.has(canonical(name)));
        };
        for (const [at, later] of order.slice(1).entries()) {
          const earlier = order[at];
          if (!earlier || hasOneOf(earlier, scene.homed) !== hasOneOf(later, scene.homed)) {
            expect(hasOneOf(later, scene.homed)).toBe(true);
          } else if (hasOneOf(later, scene.homed) && hasMoved(earlier) !== hasMoved(later)) {
            expect(hasMoved(later)).toBe(false);
          } else {
            expect(lastUse(earlier)).toBeLessThanOrEqual(lastUse(later));
          }
        }
      }),
    );
  });

  test("asks for the home of a tag, and of a digest only where there is no tag", () => {
    const digest = `a@sha256:${"0".repeat(64)}`;
    const keeping = {
      scope: "any" as const,
      inUse: new Set<string>(),
      wanted: new Set<string>(),
      isPinned: () => false,
      isHomed: (name: string) => name.includes("@"),
      hasMoved: () => false,
      lastUsedAt: () => 0,
      dangles: () => false,
    };
    const tagged = { id: "1", names: ["a:1", digest], sizeBytes: 1, isBrought: true };
    const untagged = { id: "2", names: [digest], sizeBytes: 1, isBrought: true };
    expect(evictable([untagged, tagged], keeping)).toEqual([tagged, untagged]);
  });
});
