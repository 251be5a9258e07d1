import { expect, test } from "vitest";
import { unpackedLimit } from "./unpacked-limit.ts";

const MIB = 1024 * 1024;

test.each([
  ["a small one", 1, 512, 256],
  ["one that may well be as large", 20, 512, 2_000],
  ["a large one", 400, 512, 5_120],
  ["any where little is taken", 1, 1, 10],
])("unpackedLimit() of %s: %i of at most %i MiB may be %i unpacked", (_which, of, most, may) => {
  expect(unpackedLimit(of * MIB, most * MIB)).toBe(may * MIB);
});
