import { describe, expect, test } from "vitest";
import { z } from "zod";
import { describeIssues } from "./describe-issues.ts";

function describeOf(schema: z.ZodType, value: unknown): string {
  const result = schema.safeParse(value);
  return result.success ? "" : describeIssues(result.error);
}

describe("describeIssues()", () => {
  test.each<[z.ZodType, unknown, string]>([
    [z.object({}), [], "expected an object, got a list"],
    [z.object({ a: z.string() }), {}, "a: is missing"],
    [
      z.object({ a: z.object({ b: z.array(z.boolean()) }) }),
      { a: { b: [1] } },
      "a.b[0]: expected a boolean, got a number",
    ],
    [
      z.object({ a: z.union([z.string(), z.number()]) }),
      { a: null },
      "a: expected a string or a number, got null",
    ],
    [
      z.object({ a: z.union([z.string(), z.array(z.string())]) }),
      { a: ["x", 1] },
      "a[1]: expected a string, got a number",
    ],
    [z.object({ a: z.int() }), { a: 1e308 }, "a: is more than 9007199254740991"],
    [z.object({ a: z.literal("x") }), { a: "y" }, "a: expected one of x"],
    [z.object({ a: z.array(z.string()).max(1) }), { a: ["", ""] }, "a: has more than 1 entries"],
    [
      z.object({ a: z.string().refine(() => false, { error: "is not nice" }) }),
      { a: "" },
      "a: is not nice",
    ],
  ])("names field, wish and kind: %#", (schema, value, expected) => {
    expect(describeOf(schema, value)).toBe(expected);
  });

  test("never shows a value, and shortens long names", () => {
    const text = describeOf(z.record(z.string(), z.number()), { ["k".repeat(999)]: "secret" });
    expect(text).toBe(`${"k".repeat(64)}: expected a number, got a string`);
  });

  test("describes five fields and counts the others", () => {
    const text = describeOf(z.array(z.string()), [1, 2, 3, 4, 5, 6, 7]);
    expect(text.split("; ")).toHaveLength(6);
    expect(text).toMatch(/; and 2 more$/);
  });
});
