import { gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import {
  archiveFile,
  paxHeader as pax,
  tarOf,
  type ArchiveEntry,
} from "./build-archive-fixture.ts";
import { inspectBuildContext } from "./inspect-build-context.ts";

const LIMITS = { maxEntries: 100, maxUnpackedBytes: 1024 * 1024 };
const DOCKERFILE: ArchiveEntry = { path: "./Dockerfile", content: "FROM a/b:1\nRUN true\n" };

async function inspect(content: readonly ArchiveEntry[] | Buffer, limits = LIMITS) {
  await using file = await archiveFile(content);
  // Awaited here: the file goes with this function.
  return await inspectBuildContext(file.path, limits, AbortSignal.timeout(10_000));
}

describe("inspectBuildContext()", () => {
  test("reads what the Dockerfile begins from, wherever it stands", async () => {
    const code: ArchiveEntry[] = [
      { path: "./", type: "Directory" },
      { path: "./code/", type: "Directory" },
      { path: "./code/a.py", content: "x".repeat(70_000) },
      { path: "./code/link", type: "SymbolicLink", target: "../code/a.py" },
      { path: "./code/hard", type: "Link", target: "code/a.py" },
    ];
    expect(await inspect([...code, DOCKERFILE])).toMatchObject({
      baseImages: ["docker.io/a/b:1"],
    });
  });

  test("has one digest for one content, whenever it was packed, and another for any change", async () => {
    const at = (year: string) => [{ ...DOCKERFILE, mtime: new Date(year) }];
    const first = await inspect(at("2020"));
    expect(await inspect(gzipSync(tarOf(at("2024")), { level: 1 }))).toEqual(first);
    const other = [DOCKERFILE, { path: "a", content: "" }];
    expect((await inspect(other)).digest).not.toBe(first.digest);
  });

  test("takes what tools write: a commit's name for all, long names, times and attributes", async () => {
    const commit: ArchiveEntry = { ...pax({ comment: "0123abc" }), type: "GlobalExtendedHeader" };
    const name = "ä€😀".repeat(6_000).slice(0, 1_500);
    const entries = (xattr: string, mtime: string) => [
      commit,
      pax({ path: "Dockerfile", mtime, "SCHILY.xattr.user.a": xattr }),
      { ...DOCKERFILE, path: "cut" },
      // Cut by the pieces in which it is unpacked.
      ...Array.from({ length: 12 }, () => [pax({ path: name }), { path: "cut" }]).flat(),
    ];
    const { digest } = await inspect(entries("1", "1"));
    expect((await inspect(entries("1", "2"))).digest).toBe(digest);
    expect((await inspect(entries("2", "1"))).digest).not.toBe(digest);
  });

  const hostile: [string, ArchiveEntry[], RegExp][] = [
    ["an absolute path", [{ path: "/etc/passwd" }], /"\/etc\/passwd": its path is absolute/],
    ["a path with ..", [{ path: "a/../../b" }], /its path has \.\. in it/],
    [
      "an absolute link",
      [{ path: "l", type: "SymbolicLink", target: "/etc" }],
      /is absolute: make it a relative link/,
    ],
    ["a link that leads out", [{ path: "a/l", type: "SymbolicLink", target: "../../x" }], /out of/],
    [
      "a hard link that leads out",
      [{ path: "h", type: "Link", target: "../x" }],
      /target has \.\./,
    ],
    ["a character device", [{ path: "d", type: "CharacterDevice" }], /is a character device/],
    ["a block device", [{ path: "d", type: "BlockDevice" }], /is a block device/],
    ["a pipe", [{ path: "p", type: "FIFO" }], /is a pipe/],
    [
      "a file behind a link",
      [
        { path: "l", type: "SymbolicLink", target: "a" },
        { path: "l/b", content: "x" },
      ],
      /leads through a link/,
    ],
    [
      "a hard link to a link, which leads elsewhere from its place",
      [
        { path: "a/b/l", type: "SymbolicLink", target: "../../x" },
        { path: "h", type: "Link", target: "a/b/l" },
      ],
      /hard link to a symbolic one/,
    ],
    [
      "a sparse file, which unpacks to a terabyte",
      [pax({ "GNU.sparse.major": "1", "GNU.sparse.realsize": "1000000000000" }), { path: "s" }],
      /has a sparse file.*pack it without --sparse/,
    ],
    [
      "a sparse file with another name",
      [pax({ "GNU.sparse.name": "../../etc/big" }), { path: "s" }],
      /has a sparse file/,
    ],
    [
      "a link's target that holds for all entries",
      [
        { ...pax({ linkpath: "safe" }), type: "GlobalExtendedHeader" },
        { path: "l", type: "SymbolicLink", target: "/etc/passwd" },
      ],
      /global extended header, with "linkpath"/,
    ],
    [
      "a size that holds for all entries, and so hides them",
      [
        { ...pax({ size: "1024" }), type: "GlobalExtendedHeader" },
        { path: "a" },
        { path: "../../evil" },
        { path: "b" },
      ],
      /global extended header, with "size"/,
    ],
    [
      "a path that is a record for those alone who go by lines",
      [pax({ comment: "x\n13 path=safe" }), { path: "../evil" }],
      /path has \.\. in it/,
    ],
    [
      "records that do not have the length that they say",
      [{ ...pax({}), content: "13 path=safe\n12 path=safe\n" }, { path: "a" }],
      /do not have the length/,
    ],
    [
      "an empty size, by which the content of one reader is the headers of the other",
      [pax({ size: "" }), { path: "a", content: "b".repeat(512) }],
      /extended header with "size="/,
    ],
    [
      "a size that is no plain number",
      [pax({ size: "0x200" }), { path: "a", content: "b".repeat(512) }],
      /extended header with "size=0x200"/,
    ],
    ["an empty path", [pax({ path: "" }), { path: "../evil" }], /extended header with "path="/],
    [
      "an empty link's target",
      [pax({ linkpath: "" }), { path: "l", type: "SymbolicLink", target: "/etc" }],
      /extended header with "linkpath="/,
    ],
    [
      "an empty header, which takes back what one before it says",
      [pax({ path: "safe" }), { path: "x", type: "ExtendedHeader" }, { path: "../evil" }],
      /several extended headers/,
    ],
    [
      "a link that a header calls a file",
      [pax({ type: "File" }), { path: "l", type: "SymbolicLink", target: "/etc" }],
      /is absolute/,
    ],
    [
      "a path of which a later header may take the place",
      [pax({ path: "safe" }), pax({ mtime: "1" }), { path: "../evil" }],
      /several extended headers/,
    ],
  ];
  test.each(hostile)("refuses %s", async (_, entries, message) => {
    const refused = inspect([DOCKERFILE, ...entries]);
    await expect(refused).rejects.toMatchObject({ code: "bad_request" });
    await expect(refused).rejects.toThrow(message);
  });

  test("refuses what the engine reads as other entries than most readers do", async () => {
    const hidden = tarOf([{ path: "../../evil" }]).subarray(0, 512);
    // Links and folders have no content, whatever their size says.
    const link: ArchiveEntry = { path: "l", type: "SymbolicLink", target: "a", content: hidden };
    await expect(inspect([DOCKERFILE, link])).rejects.toThrow(/\.\. in it/);
    // What ends with a slash has one, if its type says that it is a file.
    const file: ArchiveEntry = { path: "f/", type: "File", content: hidden };
    await expect(inspect([DOCKERFILE, file])).resolves.toBeDefined();
  });

  test("refuses what is no archive, is cut short, or has no Dockerfile at its root", async () => {
    const whole = gzipSync(tarOf([DOCKERFILE]));
    const bad = [
      Buffer.from("no gzip"),
      gzipSync("no archive".repeat(200)),
      whole.subarray(0, whole.length - 20),
      gzipSync(tarOf([DOCKERFILE]).subarray(0, 515)),
    ];
    for (const bytes of bad) await expect(inspect(bytes)).rejects.toThrow(/no gzipped tar archive/);
    const elsewhere = [{ path: "code/Dockerfile", content: "FROM a" }];
    await expect(inspect(elsewhere)).rejects.toThrow(/no Dockerfile/);
    const folder: ArchiveEntry[] = [{ path: "Dockerfile", type: "Directory" }];
    await expect(inspect(folder)).rejects.toThrow(/no Dockerfile/);
  });

  test("stops at a limit: entries, unpacked bytes, names that would fill memory", async () => {
    const many = Array.from({ length: 100 }, (_, i) => ({ path: `f${i}` }));
    const bomb = gzipSync(tarOf([DOCKERFILE, { path: "zeros", content: Buffer.alloc(2 ** 21) }]));
    expect(bomb.length).toBeLessThan(10_000);
    for (const content of [[DOCKERFILE, ...many], bomb]) {
      await expect(inspect(content)).rejects.toMatchObject({ code: "payload_too_large" });
    }
    const deep = { path: "a/".repeat(257) };
    const long = [pax({ path: "a".repeat(5_000) }), { path: "cut" }];
    const limited: [ArchiveEntry[], RegExp][] = [
      [[pax(deep), { path: "cut" }], /path has more than 256 parts/],
      [long, /path is longer than 4096 bytes/],
      [[pax({ comment: "c".repeat(70_000) })], /extended header of more than 64 KiB/],
    ];
    for (const [entries, message] of limited) {
      const refused = inspect([DOCKERFILE, ...entries]);
      await expect(refused).rejects.toMatchObject({ code: "payload_too_large" });
      await expect(refused).rejects.toThrow(message);
    }
    const longName: ArchiveEntry = {
      path: "././@LongLink",
      type: "NextFileHasLongPath",
      content: "n".repeat(200_000),
    };
    await expect(inspect([DOCKERFILE, longName])).rejects.toMatchObject({
      code: "payload_too_large",
    });
  });
});
