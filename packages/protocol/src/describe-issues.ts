import type { z } from "zod";

type Issue = z.core.$ZodIssue;

const MAX_ISSUES = 5;
const MAX_NAME_CHARACTERS = 64;
const MAX_PROBLEM_CHARACTERS = 300;

const NAMES: Record<string, string> = {
  string: "a string",
  number: "a number",
  int: "a whole number",
  boolean: "a boolean",
  array: "a list",
  object: "an object",
  record: "an object",
  undefined: "nothing",
};

/**
 * What is wrong with a request, in one line that names each field: `environment.FOO: expected a string, got a list`.
 * At most five fields are described, the others are counted. Values never show, as they may be secrets.
 */
export function describeIssues(error: z.ZodError): string {
  const shown = error.issues.slice(0, MAX_ISSUES).map((issue) => describe(issue));
  const more = error.issues.length - shown.length;
  return [...shown, ...(more > 0 ? [`and ${more} more`] : [])].join("; ");
}

/** The kind of a value, for people: `a list`, `null`. */
export function kindOf(value: unknown): string {
  if (value === null) return "null";
  const kind = Array.isArray(value) ? "array" : typeof value;
  return NAMES[kind] ?? kind;
}

function describe(issue: Issue, parent: readonly PropertyKey[] = []): string {
  const path = [...parent, ...issue.path];
  const inner = innerIssue(issue);
  if (inner) return describe(inner, path);
  const name = nameOf(path);
  const problem = problemOf(issue).slice(0, MAX_PROBLEM_CHARACTERS);
  return name === "" ? problem : `${name}: ${problem}`;
}

/** In a union the member that failed deeper inside the value is the one that was meant. */
function innerIssue(issue: Issue): Issue | undefined {
  if (issue.code !== "invalid_union" || !isStandard(issue)) return undefined;
  return issue.errors.flat().find((member) => member.path.length > 0);
}

function nameOf(path: readonly PropertyKey[]): string {
  return path
    .map((key) =>
      typeof key === "number" ? `[${key}]` : `.${String(key).slice(0, MAX_NAME_CHARACTERS)}`,
    )
    .join("")
    .replace(/^\./, "");
}

/** What zod calls the limits of numbers. */
const NUMBERS: ReadonlySet<string> = new Set(["number", "int"]);

function problemOf(issue: Issue): string {
  if (!isStandard(issue)) return issue.message;
  switch (issue.code) {
    case "invalid_type":
      return mismatch([nameOfType(issue.expected)], issue.message);
    case "invalid_union": {
      const members = issue.errors.flat();
      const expected = members.flatMap((member) =>
        member.code === "invalid_type" ? nameOfType(member.expected) : [],
      );
      return mismatch(expected, members[0]?.message ?? issue.message);
    }
    case "invalid_value":
      return `expected one of ${issue.values.map(String).join(", ")}`;
    case "too_big":
      return NUMBERS.has(issue.origin) ? `is more than ${issue.maximum}` : tooLong(issue);
    case "too_small":
      return NUMBERS.has(issue.origin) ? `is less than ${issue.minimum}` : "is empty";
    default:
      return issue.message;
  }
}

function tooLong(issue: Extract<Issue, { code: "too_big" }>): string {
  return `has more than ${issue.maximum} ${issue.origin === "string" ? "characters" : "entries"}`;
}

/** zod tells the kind of the value in its message only. */
function mismatch(expected: readonly string[], message: string): string {
  const received = /received (\S+)$/.exec(message)?.[1];
  if (received === "undefined") return "is missing";
  const wanted = [...new Set(expected)].join(" or ");
  return `expected ${wanted}${received === undefined ? "" : `, got ${nameOfType(received)}`}`;
}

function nameOfType(type: string): string {
  return NAMES[type] ?? type;
}

/** Whether the message is zod's own; a schema's own message says more than could be said here. */
function isStandard({ message }: Issue): boolean {
  return /^(Invalid|Too (big|small)|Unrecognized)\b/.test(message);
}
