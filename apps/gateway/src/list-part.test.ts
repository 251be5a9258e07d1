import { ServiceError } from "@remote-runtime/protocol";
import { describe, expect, test } from "vitest";
import { listPartOf, readListPart, takeUnlisted } from "./list-part.ts";

const runtime = (id: string) => ({
  runtime_id: id,
  // What looks like the end of a list, and like an id.
  pod_logs: `],"total":1} {"runtime_id":"zzz"} \\ ü`,
});
const runtimes = [runtime("a"), runtime("b")];

describe("readListPart()", () => {
  test.each([
    ["as replicas write it", JSON.stringify({ runtimes, total: 2 })],
    ["with spaces", JSON.stringify({ runtimes, total: 2 }, null, 1)],
    ["with one field more", JSON.stringify({ runtimes, next: [], total: 2 })],
    ["in another order", JSON.stringify({ total: 2, runtimes })],
  ])("gives elements and ids of an answer %s", (_, text) => {
    const part = readListPart(Buffer.from(text));
    expect(JSON.parse(`[${Buffer.from(part.json).toString()}]`)).toEqual(runtimes);
    expect(part.ids).toEqual(["a", "b"]);
  });

  test("gives nothing of an empty list", () => {
    expect(readListPart(Buffer.from('{"runtimes":[],"total":0}'))).toMatchObject({
      ids: [],
      json: { length: 0 },
    });
  });

  test.each([
    "",
    "<html>",
    "null",
    "[]",
    '{"runtimes":[],"total":0',
    '\ufeff{"runtimes":[],"total":0}',
    JSON.stringify({ runtimes, total: 2 }).slice(0, -40),
    JSON.stringify({ runtimes, total: 3 }),
    JSON.stringify({ runtimes: { length: 0 }, total: 0 }),
    JSON.stringify({ runtimes: [null], total: 1 }),
    JSON.stringify({ runtimes: [{ id: "a" }], total: 1 }),
    JSON.stringify({ runtimes: [{ runtime_id: 1 }], total: 1 }),
    Buffer.from([
      ...Buffer.from('{"runtimes":[{"runtime_id":"'),
      0xff,
      ...Buffer.from('"}],"total":1}'),
    ]),
  ])("refuses %j as no list", (answer) => {
    expect(() => readListPart(Buffer.from(answer))).toThrow(
      new ServiceError("bad_gateway", "GET /list answered something else than a list"),
    );
  });
});

test("takeUnlisted() leaves out what is listed, also twice in the part itself", () => {
  const listed = new Set(["b"]);
  const part = listPartOf(["a", "b", "c", "a"].map(runtime));
  expect(takeUnlisted(part, listed)).toEqual(listPartOf(["a", "c"].map(runtime)));
  expect([...listed].toSorted()).toEqual(["a", "b", "c"]);
  expect(takeUnlisted(part, listed)).toEqual(listPartOf([]));
});
