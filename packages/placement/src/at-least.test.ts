import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { atLeast } from "./at-least.ts";

describe("atLeast()", () => {
  test.each([
    [0, 5, 0.3, 1],
    [1, 3, 0.5, 7 / 8],
    [2, 3, 0.5, 1 / 2],
    [3, 3, 0.5, 1 / 8],
    [4, 3, 0.5, 0],
    [1, 10, 0, 0],
    [1, 10, 1, 1],
  ])("of %i of %i, each with %f, is %f", (least, count, probability, expected) => {
    expect(atLeast({ least, count, probability })).toBeCloseTo(expected, 10);
  });

  test("is a probability that falls with what is asked for and rises with what comes, however many", () => {
    const counts = fc.oneof(fc.double({ min: 0, max: 50, noNaN: true }), fc.nat({ max: 20_000 }));
    const probabilities = fc.double({ min: 0, max: 1, noNaN: true });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 3_000 }), counts, probabilities, (least, count, p) => {
        const likely = atLeast({ least, count, probability: p });
        expect(likely).toBeGreaterThanOrEqual(0);
        expect(likely).toBeLessThanOrEqual(1);
        const fewer = atLeast({ least: least - 1, count, probability: p });
        expect(fewer).toBeGreaterThanOrEqual(likely - 1e-5);
        if (Number.isInteger(count) && count > 500) {
          const deviations = (least - 0.5 - count * p) / Math.sqrt(count * p * (1 - p) + 1e-9);
          if (deviations > 5) expect(likely).toBeLessThan(0.01);
          if (deviations < -5) expect(likely).toBeGreaterThan(0.99);
        }
      }),
    );
  });
});
