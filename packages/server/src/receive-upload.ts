import { createWriteStream } from "node:fs";
import { mkdir, mkdtemp, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { ReadableStream } from "node:stream/web";
import { Busboy, type BusboyFileStream, type BusboyInstance } from "@fastify/busboy";
import { ServiceError } from "@remote-runtime/protocol";
import type { UploadRoom, UploadShare } from "./upload-room.ts";

export type Bytes = AsyncIterable<Uint8Array>;

export type ReceiveUploadOptions = {
  /** Name of the part that goes to disk. */
  part: string;
  /** What the part is encoded in is undone by this. */
  decode: (source: Bytes) => Bytes;
  /** What is left when so many bytes, of which the first are these, are decoded. Default: as many. */
  decodedBytes?: (sentBytes: number, first: Uint8Array) => number;
  /** Where it waits until it may be written, … */
  room: UploadRoom;
  /** … and for how long, if it has to. */
  waitMs: number;
  /** A folder of the upload's own is made in this one. */
  folder: string;
  /** More than this, decoded, is refused. */
  limitBytes: number;
  /** What has not arrived whole by then is refused. */
  timeoutMs: number;
};

/** What came in a form: one file, on disk until this is disposed of, and the text parts with all values of each name. */
export type Upload = AsyncDisposable & {
  readonly path: string;
  /** Of the file. */
  readonly bytes: number;
  readonly fields: Readonly<Record<string, string[]>>;
};

/** What is no file is small: names and words. */
const LIMITS = { files: 1, fields: 200, parts: 250, fieldSize: 4096, headerPairs: 20 };
/** Base64 takes four bytes for three; the rest of the form needs less than this. */
const FORM_BYTES = 2 * 1024 * 1024;

const DISK_FULL: ReadonlySet<string> = new Set(["ENOSPC", "EDQUOT"]);
const OF_DISK: ReadonlySet<string> = new Set(["EIO", "EROFS"]);

/**
 * Receives a multipart form with one large file, of which a few chunks at a time are in memory. Throws `bad_request`,
 * `payload_too_large`, or `too_many_requests` where there is no room; nothing is left on disk then.
 */
export async function receiveUpload(
  request: Request,
  options: ReceiveUploadOptions,
): Promise<Upload> {
  const { limitBytes } = options;
  if (Number(request.headers.get("content-length") ?? 0) > mostSent(limitBytes)) {
    throw tooLarge(limitBytes);
  }
  const parser = createParser(request.headers.get("content-type") ?? "");
  await using held = new AsyncDisposableStack();
  const share = held.use(options.room.enter(options.waitMs));
  const own = await folderIn(options.folder);
  held.defer(() => rm(own, { recursive: true, force: true }));
  const path = join(own, "file");
  const fields = await receive(request, parser, { ...options, path, share });
  const { size: bytes } = await stat(path);
  share.settle(bytes);
  const kept = held.move();
  return { path, bytes, fields, [Symbol.asyncDispose]: () => kept.disposeAsync() };
}

async function folderIn(parent: string): Promise<string> {
  try {
    await mkdir(parent, { recursive: true, mode: 0o700 });
    return await mkdtemp(join(parent, "upload-"));
  } catch (error) {
    throw diskProblemOf(error) ?? error;
  }
}

function createParser(contentType: string): BusboyInstance {
  try {
    return new Busboy({ headers: { "content-type": contentType }, limits: LIMITS });
  } catch (cause) {
    throw new ServiceError("bad_request", "the body must be multipart/form-data", { cause });
  }
}

async function receive(
  request: Request,
  parser: BusboyInstance,
  options: ReceiveUploadOptions & Pick<SaveOptions, "path" | "share">,
): Promise<Upload["fields"]> {
  const { part, limitBytes, timeoutMs } = options;
  const fields = new Map<string, string[]>();
  const sent = request.headers.get("content-length");
  const sentBytes = sent === null ? undefined : Number(sent);
  const signal = AbortSignal.timeout(timeoutMs);
  const broken = new AbortController();
  let saving: Promise<void> | undefined;

  parser.on("field", (name, value, _, isCut) => {
    if (isCut) parser.destroy(new ServiceError("bad_request", `${name} is too long`));
    fields.set(name, [...(fields.get(name) ?? []), value]);
  });
  parser.on("file", (name, file) => {
    if (name !== part) {
      parser.destroy(new ServiceError("bad_request", `${name} is an unexpected file`));
      return;
    }
    const either = AbortSignal.any([signal, broken.signal]);
    saving = save(file, { ...options, sentBytes, signal: either });
    saving.catch((error: unknown) => parser.destroy(ServiceError.from(error)));
  });
  for (const limit of ["filesLimit", "fieldsLimit", "partsLimit"] as const) {
    parser.on(limit, () => parser.destroy(new ServiceError("bad_request", "too many parts")));
  }

  try {
    await pipeline(bodyOf(request), upTo(mostSent(limitBytes)), parser, { signal });
    await saving;
  } catch (error) {
    // Of a form that has broken off no end of the file is heard.
    broken.abort();
    // What went wrong with the file is the reason for what went wrong with the form.
    const first = await Promise.resolve(saving).then(
      () => error,
      (cause: unknown) => (isAbort(cause) ? error : cause),
    );
    throw problemOf(first, { signal, timeoutMs });
  }
  if (saving === undefined)
    throw new ServiceError(
      "bad_request",
      `${part}: no such file is sent; it is a file of a multipart form (curl -F ${part}=@FILE)`,
    );
  return Object.fromEntries(fields);
}

type SaveOptions = Pick<ReceiveUploadOptions, "decode" | "decodedBytes" | "limitBytes"> & {
  path: string;
  share: UploadShare;
  /** Of the whole form. */
  sentBytes: number | undefined;
  signal: AbortSignal;
};

function save(
  file: BusboyFileStream,
  { path, decode, decodedBytes = (sent) => sent, limitBytes, ...options }: SaveOptions,
): Promise<void> {
  const { share, sentBytes, signal } = options;

  /** What is not known before grows as it is written. */
  async function* promised(source: Bytes): AsyncGenerator<Uint8Array> {
    let isFirst = true;
    for await (const chunk of source) {
      if (isFirst && sentBytes !== undefined) {
        await share.promise(Math.min(decodedBytes(sentBytes, chunk), limitBytes), signal);
      }
      isFirst = false;
      yield chunk;
    }
  }
  async function* allowed(source: Bytes): AsyncGenerator<Uint8Array> {
    for await (const chunk of source) {
      await share.write(chunk.byteLength, signal);
      yield chunk;
    }
  }
  const target = createWriteStream(path, { mode: 0o600 });
  return pipeline(file, promised, decode, upTo(limitBytes), allowed, target, { signal });
}

function upTo(limitBytes: number): (source: Bytes) => AsyncGenerator<Uint8Array> {
  return async function* limit(source) {
    let bytes = 0;
    for await (const chunk of source) {
      bytes += chunk.byteLength;
      if (bytes > limitBytes) throw tooLarge(limitBytes);
      yield chunk;
    }
  };
}

function bodyOf({ body }: Request): Readable {
  // The platform's own stream, by another name in the types of Node.
  return body ? Readable.fromWeb(body as ReadableStream<Uint8Array>) : Readable.from([]);
}

function problemOf(
  error: unknown,
  { signal, timeoutMs }: { signal: AbortSignal; timeoutMs: number },
): ServiceError {
  if (error instanceof ServiceError && error.code !== "internal") return error;
  const cause = error instanceof ServiceError ? error.cause : error;
  if (signal.aborted) {
    const message = `the upload did not arrive within ${timeoutMs / 1000} s`;
    return new ServiceError("bad_request", message, { cause });
  }
  const message = "the form broke off, or is not well-formed";
  return diskProblemOf(cause) ?? new ServiceError("bad_request", message, { cause });
}

function diskProblemOf(cause: unknown): ServiceError | undefined {
  if (hasCode(cause, DISK_FULL)) {
    const message = "the disk for uploads is full; send it again in a while";
    return new ServiceError("too_many_requests", message, { cause });
  }
  if (!isOfDisk(cause)) return undefined;
  return new ServiceError("unavailable", "the upload could not be written to disk", { cause });
}

function isAbort(error: unknown): boolean {
  return error instanceof Error && error.name === "AbortError";
}

/** A write that fails names no path, unlike an open that does. */
function isOfDisk(error: unknown): boolean {
  return hasCode(error, OF_DISK) || (error instanceof Error && "code" in error && "path" in error);
}

function hasCode(error: unknown, codes: ReadonlySet<string>): boolean {
  return error instanceof Error && "code" in error && codes.has(String(error.code));
}

function mostSent(limitBytes: number): number {
  return Math.ceil(limitBytes / 3) * 4 + FORM_BYTES;
}

function tooLarge(limitBytes: number): ServiceError {
  const mib = Math.floor(limitBytes / (1024 * 1024));
  return new ServiceError("payload_too_large", `the upload is larger than ${mib} MiB`);
}
