import { RegistryAwayError } from "@remote-runtime/image";
import { ServiceError, type ErrorCode } from "@remote-runtime/protocol";
import { describe, expect, test } from "vitest";
import type { Entry } from "./entry.ts";
import { judge } from "./judge.ts";

function judged(step: Entry["step"], code: ErrorCode, failures = 0, engineAnswers = true): string {
  const error = new ServiceError(code, "why");
  const judgement = judge({ step, error, engineAnswers, failures });
  if (judgement.kind === "fail") return judgement.verdict;
  return `${judgement.counts ? "counted " : ""}${judgement.ms}`;
}

describe("judge()", () => {
  test.each<[Entry["step"], ErrorCode, string]>([
    ["fetch", "not_found", "image_unavailable"],
    ["fetch", "bad_request", "image_unavailable"],
    ["fetch", "internal", "create_failed"],
    ["fetch", "unavailable", "counted 1000"],
    ["fetch", "timeout", "counted 1000"],
    ["fetch", "disk_full", "disk_full"],
    ["create", "disk_full", "disk_full"],
    ["start", "disk_full", "disk_full"],
    ["halt", "disk_full", "1000"],
    ["create", "not_found", "counted 0"],
    ["create", "bad_request", "create_failed"],
    ["create", "conflict", "create_failed"],
    ["create", "unavailable", "1000"],
    ["start", "conflict", "counted 1000"],
    ["start", "bad_request", "create_failed"],
    ["start", "timeout", "1000"],
    ["look", "bad_request", "1000"],
    ["halt", "bad_request", "1000"],
    ["remove", "bad_request", "1000"],
    ["clear", "internal", "1000"],
  ])("of a %s that is %s says %s", (step, code, expected) => {
    expect(judged(step, code)).toBe(expected);
  });

  test("gives up what counts after four tries, the last ones farther apart", () => {
    const tries = [0, 1, 2, 3, 4].map((failures) => judged("fetch", "unavailable", failures));
    expect(tries).toEqual([
      "counted 1000",
      "counted 4000",
      "counted 10000",
      "counted 20000",
      "image_unavailable",
    ]);
  });

  test("fails when a registry stayed away, as that was tried several times already", () => {
    const error = new RegistryAwayError("no route to host");
    expect(judge({ step: "fetch", error, engineAnswers: true, failures: 0 })).toEqual({
      kind: "fail",
      verdict: "image_unavailable",
    });
  });

  test("never gives up while the engine is away", () => {
    for (const step of ["fetch", "create", "start", "remove"] as const) {
      expect(judged(step, "unavailable", 100, false)).toBe("1000");
    }
  });
});
