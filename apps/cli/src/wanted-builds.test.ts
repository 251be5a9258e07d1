import { expect, test } from "vitest";
import { wantedBuilds } from "./wanted-builds.ts";

const whole = { kind: "folder", path: "/contexts" } as const;
const own = { kind: "archive", path: "/contexts/a.tgz" } as const;
const none = (): undefined => undefined;
const lines = (...names: string[]) => new Map(names.map((name) => [`r.test/${name}:1`, name]));

test("wantedBuilds() takes what has a context, and all of it for a single image", () => {
  const find = (image: string) => (image === "r.test/a:1" ? own : undefined);
  const some = [{ image: "r.test/a:1", context: own }];
  expect(wantedBuilds(lines("a", "b"), { find, whole }, "contexts")).toEqual(some);
  expect(wantedBuilds(lines("a"), { find: none, whole }, "contexts")).toEqual([
    { image: "r.test/a:1", context: whole },
  ]);
});

test("wantedBuilds() says so when there is one context for many images, or none for any", () => {
  expect(() => wantedBuilds(lines("a", "b"), { find: none, whole }, "contexts")).toThrow(
    /"contexts" is the context of one image, and the list names 2; put the files/,
  );
  expect(() => wantedBuilds(lines("a"), { find: none, whole: undefined }, "x")).toThrow(
    /nothing in "x" is named after an image .* its name and its tag \(a_1\)$/,
  );
});
