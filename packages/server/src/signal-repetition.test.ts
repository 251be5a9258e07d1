import { expect, test } from "vitest";
import { createSignalRepetition } from "./signal-repetition.ts";

test("createSignalRepetition() takes a burst of one signal for one, and a later or another one for itself", () => {
  const clock = { now: 0 };
  const repeats = createSignalRepetition({ now: () => clock.now, withinMs: 500 });
  expect([repeats("SIGINT"), repeats("SIGINT"), repeats("SIGTERM")]).toEqual([false, true, false]);
  clock.now = 499;
  expect(repeats("SIGTERM")).toBe(true);
  // What was ignored does not make the wait longer.
  clock.now = 500;
  expect(repeats("SIGTERM")).toBe(false);
});
