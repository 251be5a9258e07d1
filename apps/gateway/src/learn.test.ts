import { createManualClock } from "@remote-runtime/runtime/testing";
import { expect, test } from "vitest";
import { learn } from "./learn.ts";

/** A registry that answers at that try. */
function create(answersAt: number) {
  const clock = createManualClock();
  const ending = new AbortController();
  let tries = 0;
  const directory = {
    refresh: async () => void (tries += 1),
    isCutOff: () => tries < answersAt,
  };
  const state = { hasLearnt: false };
  const learning = learn({ directory, clock, signal: ending.signal }).then(
    () => void (state.hasLearnt = true),
  );
  return { clock, ending, state, learning, tries: () => tries };
}

test("learn() reads the registry until it answers, and no longer", async () => {
  const { clock, state, tries } = create(3);
  await clock.advance(0);
  expect(state.hasLearnt).toBe(false);
  await clock.advance(1_000);
  expect([state.hasLearnt, tries()]).toEqual([true, 3]);
});

test("learn() gives a registry that does not answer up after 4 s, or when told to end", async () => {
  const { clock, state, learning } = create(Number.POSITIVE_INFINITY);
  await clock.advance(3_500);
  expect(state.hasLearnt).toBe(false);
  await clock.advance(1_000);
  await learning;

  const ended = create(Number.POSITIVE_INFINITY);
  ended.ending.abort();
  await ended.learning;
  expect(ended.tries()).toBeLessThan(3);
});
