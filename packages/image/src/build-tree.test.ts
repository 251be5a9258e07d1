import { describe, expect, test } from "vitest";
import { createBuildTree, type BuildEntry, type EntryKind } from "./build-tree.ts";

const link = (path: string, target: string): BuildEntry => ({
  path,
  kind: "symbolic link",
  target,
});
const entry = (path: string, kind: EntryKind = "file"): BuildEntry => ({ path, kind, target: "" });

function added(entries: readonly BuildEntry[], maxCrossed = 100): string[] {
  const tree = createBuildTree({ maxCrossed });
  return entries.map((one) => tree.add(one));
}

describe("createBuildTree()", () => {
  test("takes links that stay within the context, however they are written", () => {
    const harmless = [
      link("a/b", "../c/../d"),
      link("a/l", "b/.."),
      link("a/up", "../a/./x//y/../../z"),
      link("top", "."),
      link("deep/er/l", "../.."),
      link("first", "second"),
      link("second", "first"),
      entry("./c//d/../x".replace("../", "")),
    ];
    // What is gone into and out of again must be no link, so "a/l" cannot lead out of "a/b".
    expect(added(harmless.filter(({ path }) => path !== "a/l"))).toContain("a/b");
    expect(added([link("a/l", "b/..")])).toEqual(["a/l"]);
    expect(added([entry("./c//d/x")])).toEqual(["c/d/x"]);
  });

  test.each([
    ["up more often than it is deep", [link("a/l", "../../x")]],
    ["out and in again by another name", [link("l", "../context/x")]],
    ["down, and up too often", [link("a/l", "b/../../../x")]],
    ["up out of a link before it", [link("c", "."), link("a/b", "../c/../d")]],
    ["up out of a link after it", [link("a/b", "../c/../d"), link("c", ".")]],
    [
      "through a link into a folder that is a link there",
      [link("c", "y"), link("y/e", ".."), link("l", "c/e/../x")],
    ],
  ])("refuses a link that may lead out: %s", (_, entries) => {
    expect(() => added(entries)).toThrow(/leads? out of/);
  });

  test("refuses what leads through a link, at each depth, and nothing beside it", () => {
    const tree = createBuildTree({ maxCrossed: 1 });
    tree.add(link("a/b/c", "x"));
    for (const path of ["a/b/c/d", "a/b/c/d/e/f"]) {
      expect(() => tree.add(entry(path))).toThrow(/leads through a link/);
    }
    for (const path of ["a/b/cd/e", "a/bc", "b/c/d", "a/c/b/d", "ab/c/d", "a/b\nc/d"]) {
      expect(tree.add(entry(path))).toBe(path);
    }
  });

  test("names a path as text, though it works with its bytes", () => {
    const path = Buffer.from("/ä").toString("latin1");
    expect(() => added([entry(path)])).toThrow('"/ä": its path is absolute');
    expect(added([entry("\xff\nx"), entry("\xfe\nx")])).toEqual(["\xff\nx", "\xfe\nx"]);
  });

  test("has a limit to what it remembers of the ways of links", () => {
    const crossing = Array.from({ length: 11 }, (_, i) => link(`l${i}`, `d${i}/../x`));
    expect(() => added(crossing.slice(0, 10), 10)).not.toThrow();
    expect(() => added(crossing, 10)).toThrow(/more than 10 folders/);
  });
});
