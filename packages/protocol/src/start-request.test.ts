import { describe, expect, test } from "vitest";
import { describeIssues } from "./describe-issues.ts";
import { RuntimeSpec } from "./spec.ts";
import { START_FIXTURES } from "./start-fixture.ts";
import { sessionIdOf, specOf } from "./spec-of.ts";
import { StartRequest } from "./start-request.ts";

const parse = (body: object) => StartRequest.parse({ image: "python:3", ...body });

function problem(body: object): string {
  const result = StartRequest.safeParse({ image: "python:3", ...body });
  return result.success ? "" : describeIssues(result.error);
}

describe("StartRequest", () => {
  test.each(START_FIXTURES)(
    "reads the body of $client, and reads the result the same",
    ({ body }) => {
      const request = StartRequest.parse(JSON.parse(JSON.stringify(body)));
      expect(StartRequest.parse(JSON.parse(JSON.stringify(request)))).toEqual(request);
      expect(RuntimeSpec.parse(specOf(request))).toEqual(specOf(request));
    },
  );

  test("takes null for absent, and ignores what it does not know", () => {
    const fields = Object.keys(StartRequest.shape).filter((field) => field !== "image");
    const body = Object.fromEntries(fields.map((field) => [field, null]));
    expect(specOf(parse({ ...body, enable_gpu: true, use_host_network: "x" }))).toEqual(
      specOf(parse({})),
    );
  });

  test("writes out numbers and booleans of the environment and of the command", () => {
    const request = parse({ environment: { A: 1, B: 1.5, C: true, D: "" }, command: ["sleep", 5] });
    expect(request.environment).toEqual({ A: "1", B: "1.5", C: "true", D: "" });
    expect(request.command).toEqual(["sleep", "5"]);
  });

  test.each<[unknown, number]>([
    [undefined, 1],
    [2, 2],
    ["4", 4],
    [" 1.5 ", 1.5],
    ["", 1],
    [0, 0.1],
    [-3, 0.1],
    [1000, 64],
  ])("resource_factor %j counts as %d", (resource_factor, expected) => {
    expect(specOf(parse({ resource_factor })).resourceFactor).toBe(expected);
  });

  test.each<[object, string]>([
    [{ image: undefined }, "image: is missing"],
    [{ image: "  " }, "image: is empty"],
    [{ image: "a".repeat(513) }, "image: has more than 512 characters"],
    [{ image: "a\0b" }, "image: contains a NUL character"],
    [{ image: 7 }, "image: expected a string, got a number"],
    [{ environment: { FOO: [1] } }, "environment.FOO: expected a string, got a list"],
    [{ environment: { FOO: null } }, "environment.FOO: expected a string, got null"],
    [{ environment: { FOO: { a: 1 } } }, "environment.FOO: expected a string, got an object"],
    [{ environment: { FOO: "a\0" } }, "environment.FOO: contains a NUL character"],
    [
      { environment: { "A=B": "1" } },
      "environment.A=B: a name must not be empty, nor hold = or a NUL character",
    ],
    [{ environment: ["A=1"] }, "environment: expected an object, got a list"],
    [{ environment: { A: "x".repeat(1024 * 1024) } }, "environment: is larger than 1048576 bytes"],
    [
      { environment: Object.fromEntries(Array.from({ length: 4097 }, (_, i) => [`V${i}`, ""])) },
      "environment: has more than 4096 entries",
    ],
    [{ command: 5 }, "command: expected a string or a list, got a number"],
    [{ command: ["a", null] }, "command[1]: expected a string, got null"],
    [{ command: ["a", "b\0"] }, "command[1]: contains a NUL character"],
    [{ command: ["a".repeat(1024 * 1024)] }, "command: is larger than 1048576 bytes"],
    [{ command: "echo 'a" }, "command: has a ' that is not closed"],
    [{ command: "echo \\" }, "command: ends with a lone backslash"],
    [{ working_dir: "workspace" }, "working_dir: expected an absolute path"],
    [{ session_id: "s".repeat(4097) }, "session_id: has more than 4096 characters"],
    [{ session_id: 12 }, "session_id: expected a string, got a number"],
    [
      { resource_factor: "big" },
      "resource_factor: expected a number, got a string that is not one",
    ],
    [{ resource_factor: [] }, "resource_factor: expected a number, got a list"],
    [{ run_as_user: -1 }, "run_as_user: is less than 0"],
    [{ run_as_user: 1.5 }, "run_as_user: expected a whole number, got a number"],
    [{ fs_group: 2 ** 31 }, "fs_group: is more than 2147483647"],
    [
      { image_pull_policy: "always" },
      "image_pull_policy: expected one of Always, IfNotPresent, Never",
    ],
    [{ inject: "/agent-server" }, "inject: expected a list, got a string"],
    [{ inject: ["agent-server"] }, "inject[0]: expected an absolute path"],
    [{ inject: Array.from({ length: 17 }, (_, i) => `/${i}`) }, "inject: has more than 16 entries"],
    [{ idle_timeout: -1 }, "idle_timeout: expected seconds, or 0 for never, got a negative number"],
  ])("refuses a wrong field by its name: %#", (body, expected) => {
    expect(problem(body)).toBe(expected);
  });
});

describe("specOf()", () => {
  test("takes a path to inject once, however it is written, and keeps a list of none apart from no list", () => {
    expect(specOf(parse({ inject: ["/a/", "/a", "/b"] })).inject).toEqual(["/a", "/b"]);
    expect(specOf(parse({ inject: [] })).inject).toEqual([]);
    expect(specOf(parse({})).inject).toBeNull();
  });

  test("keeps user 0, an empty list and an idle timeout of 0, which all mean something", () => {
    const spec = specOf(parse({ run_as_user: 0, command: [], idle_timeout: 0 }));
    expect(spec).toMatchObject({ runAsUser: 0, command: [], idleTimeoutSeconds: 0 });
  });
});

describe("sessionIdOf()", () => {
  test.each<[object, string]>([
    [{ session_id: "a.B.c", runtime_id: "old" }, "a.B.c"],
    [{ runtime_id: "old" }, "old"],
    [{ session_id: "" }, "fresh"],
    [{}, "fresh"],
  ])("of %j is %s", (body, expected) => {
    expect(sessionIdOf(parse(body), () => "fresh")).toBe(expected);
  });
});
