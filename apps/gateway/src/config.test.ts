import { expect, test } from "vitest";
import { readGatewayConfig } from "./config.ts";

const given = { API_KEYS: "alice=secret", REDIS_URL: "redis://localhost:6379" };

test("readGatewayConfig() takes bounds that agree, and names those that contradict each other", () => {
  expect(readGatewayConfig(given)).toMatchObject({ LOAD_BOUND: 1.25, HARD_LOAD_BOUND: 1.5 });
  const wide = { ...given, LOAD_BOUND: "2", HARD_LOAD_BOUND: "2.5" };
  expect(readGatewayConfig(wide)).toMatchObject({ LOAD_BOUND: 2, HARD_LOAD_BOUND: 2.5 });
  expect(() => readGatewayConfig({ ...given, LOAD_BOUND: "2" })).toThrow(/HARD_LOAD_BOUND=1.5/);
});

test("readGatewayConfig() reads the owners whose keys may drain", () => {
  expect(readGatewayConfig(given).OPERATORS).toBeUndefined();
  expect(readGatewayConfig({ ...given, OPERATORS: "ops, alice" }).OPERATORS).toEqual([
    "ops",
    "alice",
  ]);
  for (const OPERATORS of ["", "  ", ","])
    expect(() => readGatewayConfig({ ...given, OPERATORS })).toThrow(
      /OPERATORS.*OPERATORS=ops,alice/,
    );
});
