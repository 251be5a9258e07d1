import { expect, test } from "vitest";
import { planFits } from "./plan-fits.ts";

const part = {
  engine_id: "e",
  missing_bytes: 0,
  compressed_bytes: 0,
  unknown_sizes: 0,
  room_bytes: 100,
};

test.each([
  ["yes", { room_bytes: null }],
  ["yes", { missing_bytes: 100 }],
  ["no", { missing_bytes: 101 }],
  ["likely", { compressed_bytes: 20 }],
  ["unknown", { compressed_bytes: 21 }],
  ["unknown", { compressed_bytes: 1, room_bytes: null }],
  ["unknown", { compressed_bytes: 1, unknown_sizes: 1 }],
  ["no", { compressed_bytes: 101, unknown_sizes: 1 }],
  ["unknown", { compressed_bytes: 10, missing_bytes: 51 }],
] as const)("planFits() says %s of %o", (fits, change) => {
  const plan = { ...part, ...change };
  expect(planFits(plan, [plan, { ...part, engine_id: "other", missing_bytes: 1_000 }])).toBe(fits);
});

test("planFits() adds up what goes to one engine", () => {
  const plan = { ...part, compressed_bytes: 20 };
  expect(planFits(plan, [plan, plan])).toBe("unknown");
  expect(planFits(plan, [plan, { ...plan, missing_bytes: 90 }])).toBe("no");
});
