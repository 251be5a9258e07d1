import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";
import { ServiceError } from "@remote-runtime/protocol";
import { Parser, type ReadEntry } from "tar";
import { buildBaseImages } from "./build-base-images.ts";
import { checkBuildEntry, isFileEntry } from "./build-entry.ts";
import { createExtendedHeaders } from "./extended-headers.ts";

export type BuildContextLimits = { maxEntries: number; maxUnpackedBytes: number };

/** What is in an archive that is fit to be built. */
export type BuildContext = {
  /** Of names, kinds, modes and contents, in their order: times and owners do not count, nor does the compression. */
  digest: string;
  /** Canonical references of the images that the Dockerfile begins from. */
  baseImages: string[];
};

const DOCKERFILE = "Dockerfile";
const MOST_DOCKERFILE_BYTES = 1024 * 1024;
/** Headers that carry long names are held in memory. */
const MOST_META_BYTES = 64 * 1024;
const ARCHIVE_HINT = "context: is no gzipped tar archive";

/**
 * Reads a gzipped tar archive from end to end, a few chunks at a time, unpacking nothing. Throws `bad_request` for what is
 * no archive, has no Dockerfile at its root, or has an entry that must not be unpacked; `payload_too_large` beyond a limit.
 */
export async function inspectBuildContext(
  path: string,
  limits: BuildContextLimits,
  signal: AbortSignal,
): Promise<BuildContext> {
  const scan = createScan(limits);
  try {
    await pipeline(createReadStream(path), createGunzip(), scan.read, { signal });
  } catch (error) {
    if (error instanceof ServiceError) throw error;
    if (signal.aborted) {
      throw new ServiceError("bad_request", "context: takes too long to read", { cause: error });
    }
    throw new ServiceError("bad_request", ARCHIVE_HINT, { cause: error });
  }
  return scan.result();
}

function createScan({ maxEntries, maxUnpackedBytes }: BuildContextLimits) {
  const hash = createHash("sha256");
  const links = new Set<string>();
  const extended = createExtendedHeaders();
  let dockerfile: Buffer[] | undefined;
  let entries = 0;

  function accept(entry: ReadEntry): void {
    entries += 1;
    if (entries > maxEntries) {
      throw new ServiceError("payload_too_large", `context: has more than ${maxEntries} entries`);
    }
    extended.end(entry.globalExtended);
    const { type, mode, linkpath: target } = entry;
    const path = checkBuildEntry({ path: entry.path, type, target }, links);
    hash.update(JSON.stringify([path, type, mode ?? 0, target ?? "", entry.size]));
    const text: Buffer[] = [];
    if (path === DOCKERFILE && isFileEntry(type)) {
      if (entry.size > MOST_DOCKERFILE_BYTES) {
        throw new ServiceError("payload_too_large", "context: its Dockerfile is larger than 1 MiB");
      }
      dockerfile = text;
    }
    entry.on("data", (chunk) => {
      hash.update(chunk);
      if (dockerfile === text) text.push(chunk);
    });
  }

  const parser = new Parser({ maxMetaEntrySize: MOST_META_BYTES });
  let metaHeaders = 0;
  // It says nothing of a header without a text, but it asks for the limit at each.
  Object.defineProperty(parser, "maxMetaEntrySize", {
    get() {
      metaHeaders += 1;
      return MOST_META_BYTES;
    },
  });
  parser.on("entry", accept);
  parser.on("meta", (text) => {
    const counted = extended.take(text);
    if (counted.length > 0) hash.update(JSON.stringify(counted));
  });
  parser.on("ignoredEntry", ({ path, type }: ReadEntry) => {
    throw new ServiceError(
      "bad_request",
      `context: ${JSON.stringify(path.slice(0, 200))} is of the kind ${type}, which cannot be used`,
    );
  });
  const onProblem = (cause: unknown): never => {
    throw new ServiceError("bad_request", ARCHIVE_HINT, { cause });
  };
  parser.on("warn", (_code, message) => onProblem(message));
  parser.on("error", onProblem);

  return {
    async read(source: AsyncIterable<Buffer>): Promise<void> {
      let unpackedBytes = 0;
      let rest: Buffer = Buffer.alloc(0);
      for await (const chunk of source) {
        unpackedBytes += chunk.byteLength;
        if (unpackedBytes > maxUnpackedBytes) {
          const mib = Math.floor(maxUnpackedBytes / (1024 * 1024));
          throw new ServiceError(
            "payload_too_large",
            `context: is larger than ${mib} MiB unpacked`,
          );
        }
        const bytes = Buffer.concat([rest, chunk]);
        // The parser reads headers as text piece by piece: no character may be cut in two.
        const end = bytes.byteLength - cutOff(bytes);
        rest = bytes.subarray(end);
        // Its listeners take all there is at once, so it never asks to wait.
        parser.write(bytes.subarray(0, end));
      }
      if (rest.byteLength > 0) parser.write(rest);
      parser.end();
      extended.finish(metaHeaders);
    },
    result(): BuildContext {
      if (!dockerfile) {
        throw new ServiceError("bad_request", "context: has no Dockerfile at its root");
      }
      const text = Buffer.concat(dockerfile).toString("utf8");
      return { digest: hash.digest("hex"), baseImages: buildBaseImages(text) };
    },
  };
}

/** How many bytes at the end begin a character of UTF-8 that goes on after them. */
function cutOff(bytes: Buffer): number {
  for (let count = 1; count <= Math.min(3, bytes.byteLength); count += 1) {
    const byte = bytes.at(-count) ?? 0;
    if (byte < 0x80) return 0;
    if (byte >= 0xc0) return count < (byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2) ? count : 0;
  }
  return 0;
}
