import { rm, rmdir } from "node:fs/promises";
import {
  canonicalReference,
  decodeBuildContext,
  decodedContextBytes,
  inspectBuildContext,
  type BuildContext,
} from "@remote-runtime/image";
import { BUILD_CONTEXT_PART, BuildForm, ServiceError } from "@remote-runtime/protocol";
import { createBufferRelief } from "./buffer-relief.ts";
import { parseInput } from "./input.ts";
import { receiveUpload, type Upload } from "./receive-upload.ts";
import { unpackedLimit } from "./unpacked-limit.ts";
import { createUploadRoom } from "./upload-room.ts";
import { uploadSpace } from "./upload-space.ts";

export type BuildUploadsOptions = {
  /** Uploads are kept here until they are disposed of. */
  folder: string;
  /** Of one archive, gzipped. What it may be unpacked, `unpackedLimit` says. */
  maxContextBytes: number;
  /** Of all archives that are held at the same time. */
  maxHeldBytes: number;
  /** Stays free on the folder's disk; of one of less than ten times as much, a tenth. */
  reserveBytes: number;
  /** So long this upload waits for room. */
  waitMs: (request: Request) => number;
  /** For one upload, and then once more for reading it through. */
  timeoutMs: number;
};

/** An archive that is fit to be built, on disk until this is disposed of, and what is asked for. */
export type ReceivedBuild = AsyncDisposable & {
  readonly path: string;
  /** As the caller wrote them, the asked for first, each image once. */
  readonly references: readonly string[];
  readonly useCache: boolean;
  readonly context: BuildContext;
};

/**
 * Takes the body of a `POST /build`. Throws `bad_request` or `payload_too_large` for what cannot or must not be built,
 * `too_many_requests` when there is no room, and `unavailable` where it cannot be written.
 */
export type BuildReceiver = (request: Request) => Promise<ReceivedBuild>;

export interface BuildUploads {
  readonly receive: BuildReceiver;
  /** Removes what another life has left in the folder, unless that is done; the first upload does it as well. */
  empty(): Promise<void>;
}

const MOST_ENTRIES = 200_000;

export function createBuildUploads(options: BuildUploadsOptions): BuildUploads {
  const { folder, maxContextBytes, maxHeldBytes, reserveBytes, timeoutMs, waitMs } = options;
  const relief = createBufferRelief();
  const space = () => uploadSpace(folder, reserveBytes);
  const room = createUploadRoom({ maxBytes: maxHeldBytes, space });
  let holders = 0;
  let emptied: Promise<void> | undefined;
  const empty = (): Promise<void> => (emptied ??= rm(folder, { recursive: true, force: true }));

  async function receive(request: Request): Promise<ReceivedBuild> {
    holders += 1;
    const release = relief.hold();
    let upload: Upload | undefined;
    const dispose = async (): Promise<void> => {
      release();
      await upload?.[Symbol.asyncDispose]();
      holders -= 1;
      // Who comes next waits for it; a folder with other things in it stays.
      if (holders === 0) emptied = rmdir(folder).catch(() => undefined);
      await emptied;
    };
    try {
      await empty();
      upload = await receiveUpload(request, {
        part: BUILD_CONTEXT_PART,
        decode: decodeBuildContext,
        decodedBytes: decodedContextBytes,
        room,
        waitMs: waitMs(request),
        folder,
        limitBytes: maxContextBytes,
        timeoutMs,
      });
      const { target_image, tags, use_cache } = parseInput(BuildForm, upload.fields);
      const references = namesOf([target_image, ...tags]);
      const { path, bytes } = upload;
      const limits = {
        maxEntries: MOST_ENTRIES,
        maxUnpackedBytes: unpackedLimit(bytes, maxContextBytes),
      };
      const signal = AbortSignal.timeout(timeoutMs);
      const context = await inspectBuildContext(path, limits, signal);
      return { path, references, useCache: use_cache, context, [Symbol.asyncDispose]: dispose };
    } catch (error) {
      await dispose();
      throw error;
    }
  }
  return { receive, empty };
}

function namesOf(references: readonly string[]): string[] {
  const byName = new Map<string, string>();
  for (const reference of references) {
    const name = canonicalReference(reference);
    if (name.includes("@") || name.startsWith("sha256:")) {
      throw new ServiceError(
        "bad_request",
        `image: "${reference}" is a digest, which no build can get`,
      );
    }
    if (!byName.has(name)) byName.set(name, reference);
  }
  return [...byName.values()];
}
