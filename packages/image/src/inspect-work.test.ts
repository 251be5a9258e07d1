import { monitorEventLoopDelay } from "node:perf_hooks";
import { gzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { archiveFile, paxHeader, tarOf, type ArchiveEntry } from "./build-archive-fixture.ts";
import { inspectBuildContext } from "./inspect-build-context.ts";

const LIMITS = { maxEntries: 200_000, maxUnpackedBytes: 256 * 1024 * 1024 };
const LINK: ArchiveEntry = { path: "l", type: "SymbolicLink", target: "a" };
/** Far more than a turn takes, far less than the whole. */
const MOST_TURN_MS = 250;
const END_BYTES = 1024;

/** An archive of a Dockerfile and a link, and so many times the same. */
function repeated(entries: readonly ArchiveEntry[], times: number): Buffer {
  const some = tarOf(entries).subarray(0, -END_BYTES);
  const first = tarOf([{ path: "Dockerfile", content: "FROM scratch" }, LINK]);
  const all = Buffer.alloc(some.length * times, some);
  const tar = Buffer.concat([first.subarray(0, -END_BYTES), all, Buffer.alloc(END_BYTES)]);
  return gzipSync(tar, { level: 1 });
}

const atPath = (path: string): ArchiveEntry[] => [paxHeader({ path }), { path: "cut" }];
const linkTo = (linkpath: string, path: string): ArchiveEntry[] => [
  paxHeader({ path, linkpath }),
  { path: "cut", type: "SymbolicLink", target: "cut" },
];
const attributes = Array.from({ length: 3_000 }, (_, i) => [`u.${i}`, "v"] as const);

test.each([
  ["as many paths as deep as they may be", atPath(`${"a/".repeat(255)}f`), 10_000],
  ["paths as long as they may be", atPath(`${`${"n".repeat(15)}/`.repeat(255)}f`), 10_000],
  [
    "links that go in and out of all they can",
    linkTo(`${"b/".repeat(127)}${"../".repeat(128)}x`, `${"a/".repeat(255)}l`),
    10_000,
  ],
  ["headers full of records", [paxHeader(Object.fromEntries(attributes)), { path: "f" }], 500],
  ["nothing but entries", [{ path: "f" }], 90_000],
])(
  "inspectBuildContext() leaves others their turns, whatever is in an archive: %s",
  async (_, entries, times) => {
    await using file = await archiveFile(repeated(entries, times));
    const delays = monitorEventLoopDelay({ resolution: 5 });
    delays.enable();
    // Work that grows faster than the bytes takes minutes.
    await inspectBuildContext(file.path, LIMITS, AbortSignal.timeout(20_000));
    delays.disable();
    expect(delays.max / 1e6).toBeLessThan(MOST_TURN_MS);
  },
);

test("inspectBuildContext() refuses a bomb of paths at the first that is too deep", async () => {
  await using file = await archiveFile(repeated(atPath("a/".repeat(2_040)), 40_000));
  const inspected = inspectBuildContext(file.path, LIMITS, AbortSignal.timeout(20_000));
  await expect(inspected).rejects.toMatchObject({ code: "payload_too_large" });
  await expect(inspected).rejects.toThrow(/path has more than 256 parts/);
});
