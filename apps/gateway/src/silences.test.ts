import { expect, test } from "vitest";
import { createSilences } from "./silences.ts";

test("a silence lasts for 2 s, goes on for others while one asks, and is forgotten after a minute", () => {
  let now = 0;
  const silences = createSilences({ now: () => now });
  silences.probe("http://a");
  expect([silences.has("http://a"), silences.any()]).toEqual([false, false]);
  silences.mark("http://a");
  silences.mark("http://b");
  expect([silences.has("http://a"), silences.any()]).toEqual([true, true]);
  now = 2_000;
  expect([silences.has("http://a"), silences.has("http://b")]).toEqual([false, false]);
  silences.probe("http://a");
  expect([silences.has("http://a"), silences.has("http://b")]).toEqual([true, false]);
  silences.end("http://a");
  silences.probe("http://a");
  expect([silences.has("http://a"), silences.any()]).toEqual([false, true]);
  now = 62_000;
  expect(silences.any()).toBe(false);
  silences.probe("http://b");
  expect(silences.has("http://b")).toBe(false);
});
