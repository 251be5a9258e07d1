import { expect, test } from "vitest";
import { createRecentStarts } from "./recent-starts.ts";

test("createRecentStarts() counts a start until its replica has announced it, or half a second is over", () => {
  let now = 0;
  const starts = createRecentStarts({ now: () => now });
  const sentAt = (ms: number): void => {
    now = ms;
    starts.add("one");
  };
  sentAt(0);
  sentAt(100);
  sentAt(180);
  expect(starts.of("one")).toBe(3);
  now = 200;
  starts.announced("other");
  expect(starts.of("one")).toBe(3);
  starts.announced("one");
  // What was sent just now may have missed the announcement.
  expect(starts.of("one")).toBe(1);
  now = 679;
  expect(starts.of("one")).toBe(1);
  now = 680;
  expect(starts.of("one")).toBe(0);
});
