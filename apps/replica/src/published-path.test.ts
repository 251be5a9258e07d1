import { expect, test } from "vitest";
import { createPublishedPath } from "./published-path.ts";

const HOST = "engine.example";

function pathAt() {
  let now = 0;
  const lines: string[] = [];
  const path = createPublishedPath({
    host: HOST,
    clock: { now: () => now },
    log: { warn: (_details, message) => void lines.push(message) },
  });
  /** Until it is let off; the number of misses that this took. */
  const giveUp = (id: string): number => {
    for (let times = 1; times < 100; times += 1) {
      if (path.missed(id, 30_000)) return times;
      now += 1_000;
    }
    return expect.fail("never let off");
  };
  return { path, lines, giveUp, pass: (ms: number) => void (now += ms) };
}

test("missed() lets a sandbox off after three times in a row over two seconds, and says so", () => {
  const { path, lines, pass } = pathAt();
  const miss = () => path.missed("a", 30_000);
  expect([miss(), miss()]).toEqual([false, false]);
  path.answered("a");
  // Many in one moment may be a moment's trouble.
  expect([miss(), miss(), miss(), miss()]).toEqual([false, false, false, false]);
  pass(1_999);
  expect(miss()).toBe(false);
  expect(lines).toEqual([]);
  pass(1);
  expect(miss()).toBe(true);
  expect(lines).toEqual([expect.stringMatching(/not at its published port.*SANDBOX_PORT_RANGE/)]);
});

test("missed() of one sandbox, however often, has all others asked at their ports", () => {
  const { path, giveUp } = pathAt();
  for (let times = 0; times < 5; times += 1) expect(giveUp("hostile")).toBe(3);
  expect(path.host()).toBe(HOST);
  expect(path.missed("other", 30_001)).toBe(false);
});

test("host() is nowhere for a minute after three sandboxes that none came between, and then all begins anew", () => {
  const { path, lines, giveUp, pass } = pathAt();
  for (const id of ["a", "b"]) giveUp(id);
  path.answered("c");
  for (const id of ["d", "e"]) giveUp(id);
  expect(path.host()).toBe(HOST);
  giveUp("f");
  expect(path.host()).toBeNull();
  expect(lines.at(-1)).toContain("no sandbox answers at its published port");
  pass(59_999);
  expect(path.host()).toBeNull();
  pass(1);
  expect(path.host()).toBe(HOST);
  for (const id of ["g", "h"]) giveUp(id);
  expect(path.host()).toBe(HOST);
  giveUp("i");
  expect(path.host()).toBeNull();
});

test("missed() forgets the sandboxes that came first where a thousand others miss meanwhile", () => {
  const { path, pass } = pathAt();
  for (let times = 0; times < 2; times += 1) path.missed("a", 30_000);
  for (let other = 0; other < 1_000; other += 1) path.missed(`other-${other}`, 30_000);
  pass(2_000);
  expect(path.missed("a", 30_000)).toBe(false);
  expect(path.missed("other-999", 30_000)).toBe(false);
});
