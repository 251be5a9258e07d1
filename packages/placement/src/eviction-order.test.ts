import fc from "fast-check";
import { expect, test } from "vitest";
import { evictionOrder } from "./eviction-order.ts";

const images = fc.array(
  fc.record({ isHomed: fc.boolean(), lastUse: fc.nat({ max: 5 }), name: fc.nat() }),
);

test("evictionOrder() has every image once, strangers before those at home, each by its last use", () => {
  fc.assert(
    fc.property(images, (given) => {
      const order = evictionOrder(given);
      expect(new Set(order)).toEqual(new Set(given));
      expect(order).toHaveLength(given.length);
      for (const [at, image] of order.entries()) {
        const next = order[at + 1];
        if (!next) continue;
        expect(Number(image.isHomed)).toBeLessThanOrEqual(Number(next.isHomed));
        if (image.isHomed !== next.isHomed) continue;
        expect(image.lastUse).toBeLessThanOrEqual(next.lastUse);
        if (image.lastUse === next.lastUse)
          expect(given.indexOf(image)).toBeLessThan(given.indexOf(next));
      }
    }),
  );
});
