import fc from "fast-check";
import { expect, test } from "vitest";
import { evictionOrder } from "./eviction-order.ts";

const images = fc.array(
  fc.record({
    isHomed: fc.boolean(),
    hasMoved: fc.boolean(),
    lastUse: fc.nat({ max: 5 }),
    name: fc.nat(),
  }),
);
type Image = typeof images extends fc.Arbitrary<(infer One)[]> ? One : never;

test("evictionOrder() has every image once: strangers, what has moved, the others, each by its last use", () => {
  const turnOf = ({ isHomed, hasMoved }: Image): number => {
    if (!isHomed) return 1;
    return hasMoved ? 2 : 3;
  };
  fc.assert(
    fc.property(images, (given) => {
      const order = evictionOrder(given);
      expect(new Set(order)).toEqual(new Set(given));
      expect(order).toHaveLength(given.length);
      for (const [at, image] of order.entries()) {
        const next = order[at + 1];
        if (!next) continue;
        expect(turnOf(image)).toBeLessThanOrEqual(turnOf(next));
        if (turnOf(image) !== turnOf(next)) continue;
        expect(image.lastUse).toBeLessThanOrEqual(next.lastUse);
        if (image.lastUse === next.lastUse)
          expect(given.indexOf(image)).toBeLessThan(given.indexOf(next));
      }
    }),
  );
});
