import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";
import { ServiceError } from "@remote-runtime/protocol";
import { buildBaseImages } from "./build-base-images.ts";
import { createBuildTree, type EntryKind } from "./build-tree.ts";
import { createExtendedHeaders } from "./extended-headers.ts";
import type { TarHeader } from "./tar-header.ts";
import { createTarReader } from "./tar-reader.ts";

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
const MOST_EXTENDED_KIB = 64;
/** Of all of them: reading records takes more than reading contents. */
const MOST_EXTENDED_MIB_IN_ALL = 64;
/** By the type of a header. All but files have no content, whatever size the header tells. */
const KINDS: ReadonlyMap<string, EntryKind> = new Map([
  ["0", "file"],
  ["\0", "file"],
  ["1", "hard link"],
  ["2", "symbolic link"],
  ["5", "folder"],
]);
const USELESS = new Map([
  ["3", "a character device"],
  ["4", "a block device"],
  ["6", "a pipe"],
  ["S", "a sparse file: pack it without --sparse"],
]);
const ARCHIVE_HINT = "context: is no gzipped tar archive";

/**
 * Reads a gzipped tar archive from end to end, a few chunks at a time, unpacking nothing. Its work is that of the bytes
 * in it, whatever they say, and it remembers a number for each link. Throws `bad_request` for what is no archive, has no Dockerfile at its root, or has an entry that must not be unpacked; `payload_too_large` beyond a limit.
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
  const tree = createBuildTree({ maxCrossed: maxEntries });
  const extended = createExtendedHeaders();
  let dockerfile: Buffer[] | undefined;
  let entries = 0;
  let extendedBytes = 0;
  let take: (piece: Buffer, isLast: boolean) => void = () => undefined;

  function acceptExtended({ type, sizeBytes }: TarHeader): number {
    if (sizeBytes > MOST_EXTENDED_KIB * 1024) {
      const problem = `has an extended header of more than ${MOST_EXTENDED_KIB} KiB`;
      throw new ServiceError("payload_too_large", `context: ${problem}`);
    }
    extendedBytes += sizeBytes;
    if (extendedBytes > MOST_EXTENDED_MIB_IN_ALL * 1024 * 1024) {
      const problem = `has more than ${MOST_EXTENDED_MIB_IN_ALL} MiB of extended headers`;
      throw new ServiceError("payload_too_large", `context: ${problem}`);
    }
    const pieces: Buffer[] = [];
    take = (piece, isLast) => {
      // A piece would keep all that was unpacked with it.
      pieces.push(Buffer.from(piece));
      if (!isLast) return;
      const counted = extended.take(type, Buffer.concat(pieces));
      if (counted.length > 0) hash.update(JSON.stringify(counted));
    };
    return sizeBytes;
  }

  function acceptEntry(header: TarHeader): number {
    const extension = extended.end();
    const { path: name, target } = { ...header, ...extension };
    const kind = kindOf(header.type, name);
    const path = tree.add({ path: name, kind, target });
    const sizeBytes = kind === "file" ? (extension.sizeBytes ?? header.sizeBytes) : 0;
    const isLink = kind === "hard link" || kind === "symbolic link";
    hash.update(JSON.stringify([path, kind, header.mode, isLink ? target : "", sizeBytes]));
    const text: Buffer[] = [];
    if (path === DOCKERFILE && kind === "file") {
      if (sizeBytes > MOST_DOCKERFILE_BYTES) {
        throw new ServiceError("payload_too_large", "context: its Dockerfile is larger than 1 MiB");
      }
      dockerfile = text;
    }
    take = (piece) => {
      hash.update(piece);
      if (dockerfile === text) text.push(Buffer.from(piece));
    };
    return sizeBytes;
  }

  const reader = createTarReader({
    onHeader(header) {
      // Each of the others belongs to an entry.
      if (!extended.isOne(header) || header.type === "g") entries += 1;
      if (entries > maxEntries) {
        throw new ServiceError("payload_too_large", `context: has more than ${maxEntries} entries`);
      }
      return extended.isOne(header) ? acceptExtended(header) : acceptEntry(header);
    },
    onContent: (piece, isLast) => take(piece, isLast),
  });

  return {
    async read(source: AsyncIterable<Buffer>): Promise<void> {
      let unpackedBytes = 0;
      for await (const chunk of source) {
        unpackedBytes += chunk.byteLength;
        if (unpackedBytes > maxUnpackedBytes) {
          const mib = Math.floor(maxUnpackedBytes / (1024 * 1024));
          throw new ServiceError(
            "payload_too_large",
            `context: is larger than ${mib} MiB unpacked, which is the limit for an archive of its packed size`,
          );
        }
        reader.write(chunk);
      }
      reader.end();
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

function kindOf(type: string, path: string): EntryKind {
  // The first archives knew no folders: those have a slash at their end.
  if (type === "\0" && path.endsWith("/")) return "folder";
  const kind = KINDS.get(type);
  if (kind) return kind;
  const what = USELESS.get(type) ?? `of the kind ${JSON.stringify(type)}`;
  const shown = JSON.stringify(Buffer.from(path.slice(0, 200), "latin1").toString("utf8"));
  throw new ServiceError("bad_request", `context: ${shown} is ${what}; no build can use it`);
}
