import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { tarOf } from "./build-archive-fixture.ts";
import { createTarReader } from "./tar-reader.ts";

/** What is in an archive that comes in pieces of these lengths, again and again. */
function read(archive: Buffer, lengths: readonly number[]): [string, string][] {
  const entries: [string, string][] = [];
  let content = "";
  const reader = createTarReader({
    onHeader({ path, sizeBytes }) {
      content = "";
      entries.push([path, ""]);
      return sizeBytes;
    },
    onContent(piece, isLast) {
      content += piece.toString();
      if (isLast) entries.splice(-1, 1, [entries.at(-1)?.[0] ?? "", content]);
    },
  });
  let turn = 0;
  for (let at = 0; at < archive.length; turn += 1) {
    const length = lengths[turn % lengths.length] ?? 1;
    reader.write(archive.subarray(at, at + length));
    at += length;
  }
  reader.end();
  return entries;
}

/** A header with bytes changed, and its sum set right. */
function changed(change: (header: Buffer) => void, isSigned = false): Buffer {
  const archive = tarOf([{ path: "name", content: "content" }]);
  change(archive);
  archive.fill(" ", 148, 156);
  const header = archive.subarray(0, 512);
  const sum = header.reduce(
    (total, byte) => total + (isSigned && byte > 127 ? byte - 256 : byte),
    0,
  );
  archive.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
  return archive;
}

describe("createTarReader()", () => {
  test("reads the same in whatever pieces it comes", () => {
    const entries: [string, string][] = [
      ["a", "x".repeat(512)],
      ["b/", ""],
      ["c", "y".repeat(1300)],
      ["d", "z"],
    ];
    const archive = tarOf(entries.map(([path, content]) => ({ path, content })));
    const lengths = fc.array(fc.integer({ min: 1, max: 1200 }), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(lengths, (some) => {
        expect(read(archive, some)).toEqual(entries);
      }),
    );
  });

  test("reads each format as the engine does", () => {
    const cases: [Buffer, string | undefined][] = [
      [changed((header) => header.write("prefix", 345)), "prefix/name"],
      // The oldest has no prefix, and GNU's has times in its place.
      [changed((header) => header.fill(0, 257, 265).write("prefix", 345)), "name"],
      [
        changed((header) => header.write("ustar  \0", 257) && header.write("00000000001\0", 345)),
        "name",
      ],
      [
        changed((header) => header.write("ustar  \0", 257) && header.write("prefix", 345)),
        undefined,
      ],
      // A prefix that is shorter by two times.
      [
        changed((header) => header.fill("p", 345, 500).write("tar\0", 508)),
        `${"p".repeat(131)}/name`,
      ],
      [changed((header) => header.write("n\xff", 0, "latin1")), "n\xffme"],
      [changed((header) => header.write("n\xff", 0, "latin1"), true), "n\xffme"],
      [
        changed((header) => header.fill(0, 124, 136).fill(0x80, 124, 125).fill(7, 135, 136)),
        "name",
      ],
      [changed((header) => header.fill(0xff, 124, 136)), undefined],
      [changed((header) => header.write("0x7", 124)), undefined],
    ];
    for (const [archive, path] of cases) {
      if (path === undefined) expect(() => read(archive, [512])).toThrow("no header");
      else expect(read(archive, [512])).toEqual([[path, "content"]]);
    }
  });

  test("refuses what is cut short, and what goes on after an empty block", () => {
    const archive = tarOf([{ path: "a", content: "a" }]);
    expect(() => read(archive.subarray(0, 1000), [700])).toThrow("cut short");
    expect(() => read(Buffer.alloc(1024), [700])).toThrow("empty");
    const [empty, header] = [Buffer.alloc(512), archive.subarray(0, 1024)];
    expect(() => read(Buffer.concat([header, empty, header]), [700])).toThrow("no header");
    const twice = Buffer.concat([header, empty, empty, header]);
    expect(read(twice, [700])).toEqual([["a", "a"]]);
  });
});
