import { expect, it } from "vitest";
import { createLull } from "./lull.ts";
import { createManualClock } from "./manual-clock.ts";

it("createLull() begins together what came in one burst, 10 ms after the last of it", async () => {
  const clock = createManualClock();
  const afterBurst = createLull(clock);
  const begun: string[] = [];
  afterBurst(() => begun.push("first"));
  await clock.advance(9);
  afterBurst(() => begun.push("second"));
  await clock.advance(10);
  expect(begun).toEqual([]);
  await clock.advance(1);
  expect(begun).toEqual(["first", "second"]);
});

it("createLull() holds nothing for longer than 50 ms, however many come", async () => {
  const clock = createManualClock();
  const afterBurst = createLull(clock);
  const begun: number[] = [];
  for (let ms = 0; ms < 60; ms += 5) {
    afterBurst(() => begun.push(ms));
    await clock.advance(5);
  }
  expect(begun).toEqual([0, 5, 10, 15, 20, 25, 30, 35, 40, 45]);
});

it("createLull() holds what comes after a burst as it held the burst", async () => {
  const clock = createManualClock();
  const afterBurst = createLull(clock);
  const begun: string[] = [];
  afterBurst(() => begun.push("burst"));
  await clock.advance(10);
  afterBurst(() => begun.push("later"));
  await clock.advance(9);
  expect(begun).toEqual(["burst"]);
  await clock.advance(1);
  expect(begun).toEqual(["burst", "later"]);
});
