import { expect, test } from "vitest";
import { share } from "./cli-fixture.ts";
import { overIn, paceOf, tallyOf } from "./prefetch-tally.ts";

test("tallyOf() adds up, and paceOf() counts only what was pulled meanwhile", () => {
  const first = tallyOf([share({ held: 5, waiting: 4 }), share({ pulled: 2, pulled_bytes: 200 })]);
  expect(first).toMatchObject({ images: 11, held: 5, pulled: 2, waiting: 4, pulledBytes: 200 });
  expect(overIn(first)).toBe(7);
  expect(paceOf(first, first, 0)).toEqual({ bytesPerSecond: 0, secondsLeft: undefined });
  const later = tallyOf([
    share({ held: 6, running: 2, failed: 1 }),
    share({ pulled: 2, pulled_bytes: 200 }),
  ]);
  expect(paceOf(first, later, 10)).toEqual({ bytesPerSecond: 0, secondsLeft: 20 });
  const pulls = [{ image: "a:1", progress: "", bytes: 500 }];
  const faster = tallyOf([share({ running: 3, pulls, pulled: 6, pulled_bytes: 700 })]);
  expect(paceOf(first, faster, 10)).toEqual({ bytesPerSecond: 100, secondsLeft: 7.5 });
});
