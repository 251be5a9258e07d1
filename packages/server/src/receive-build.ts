import { rm, rmdir, stat } from "node:fs/promises";
import {
  canonicalReference,
  decodeBuildContext,
  inspectBuildContext,
  type BuildContext,
} from "@remote-runtime/image";
import { BUILD_CONTEXT_PART, BuildForm, ServiceError } from "@remote-runtime/protocol";
import { createBufferRelief } from "./buffer-relief.ts";
import { parseInput } from "./input.ts";
import { receiveUpload, type Upload } from "./receive-upload.ts";
import { unpackedLimit } from "./unpacked-limit.ts";

export type BuildReceiverOptions = {
  /** Uploads are kept here until they are disposed of. Whatever another life has left is removed before the first. */
  folder: string;
  /** Of one archive, gzipped. What it may be unpacked, `unpackedLimit` says. */
  maxContextBytes: number;
  /** Of all archives that are held at the same time. */
  maxHeldBytes: number;
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
 * `too_many_requests` while too much is held already, and `unavailable` where it cannot be written.
 */
export type BuildReceiver = (request: Request) => Promise<ReceivedBuild>;

const MOST_ENTRIES = 200_000;

export function createBuildReceiver(options: BuildReceiverOptions): BuildReceiver {
  const { folder, maxContextBytes, maxHeldBytes, timeoutMs } = options;
  const relief = createBufferRelief();
  let heldBytes = 0;
  let holders = 0;
  let emptied: Promise<void> | undefined;

  return async function receiveBuild(request) {
    const bytes = Math.min(declaredBytes(request) ?? maxContextBytes, maxContextBytes);
    if (heldBytes + bytes > maxHeldBytes) {
      const [held, more, most] = [heldBytes, bytes, maxHeldBytes].map(mebibytes);
      throw new ServiceError(
        "too_many_requests",
        `archives of other builds take ${held} MiB of ${most} here, and this one may take ${more}; send it again in a while`,
      );
    }
    heldBytes += bytes;
    holders += 1;
    const release = relief.hold();
    let upload: Upload | undefined;
    const dispose = async (): Promise<void> => {
      heldBytes -= bytes;
      release();
      await upload?.[Symbol.asyncDispose]();
      holders -= 1;
      // Who comes next waits for it; a folder with other things in it stays.
      if (holders === 0) emptied = rmdir(folder).catch(() => undefined);
      await emptied;
    };
    try {
      await (emptied ??= rm(folder, { recursive: true, force: true }));
      upload = await receiveUpload(request, {
        part: BUILD_CONTEXT_PART,
        decode: decodeBuildContext,
        folder,
        limitBytes: maxContextBytes,
        timeoutMs,
      });
      const { target_image, tags, use_cache } = parseInput(BuildForm, upload.fields);
      const references = namesOf([target_image, ...tags]);
      const { size } = await stat(upload.path);
      const limits = {
        maxEntries: MOST_ENTRIES,
        maxUnpackedBytes: unpackedLimit(size, maxContextBytes),
      };
      const signal = AbortSignal.timeout(timeoutMs);
      const context = await inspectBuildContext(upload.path, limits, signal);
      const { path } = upload;
      return { path, references, useCache: use_cache, context, [Symbol.asyncDispose]: dispose };
    } catch (error) {
      await dispose();
      throw error;
    }
  };
}

function mebibytes(bytes: number): number {
  return Math.ceil(bytes / (1024 * 1024));
}

/** Text in base64 is larger than what it holds. */
function declaredBytes({ headers }: Request): number | undefined {
  const declared = headers.get("content-length");
  return declared === null ? undefined : Number(declared);
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
