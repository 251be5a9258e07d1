import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { receiveUpload, type ReceiveUploadOptions } from "./receive-upload.ts";
import { createUploadRoom } from "./upload-room.ts";

const MIB = 1024 * 1024;
let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "receive-upload-"));
});
afterEach(() => rm(folder, { recursive: true }));

function receive(
  body: FormData | ReadableStream | string,
  options: Partial<ReceiveUploadOptions> = {},
  type?: string,
) {
  const request = new Request("http://server.test/build", {
    method: "POST",
    body,
    duplex: "half",
    ...(type === undefined ? {} : { headers: { "content-type": type } }),
  });
  return receiveUpload(request, {
    part: "context",
    decode: (source) => source,
    room: createUploadRoom({ maxBytes: 10 * MIB, space: () => undefined }),
    waitMs: 0,
    folder,
    limitBytes: MIB,
    timeoutMs: 10_000,
    ...options,
  });
}

function form(bytes: Uint8Array<ArrayBuffer>, fields: [string, string][] = []): FormData {
  const data = new FormData();
  data.append("context", new Blob([bytes]), "context.tar.gz");
  for (const [name, value] of fields) data.append(name, value);
  return data;
}

/** As the `requests` library writes it: the file has a name, and no type. */
function bare(parts: string[], end = "--X--\r\n"): ReadableStream {
  const text = parts.map((part) => `--X\r\nContent-Disposition: form-data; ${part}\r\n`).join("");
  return new Blob([text + end]).stream();
}
/** A part whose sender hangs up when some of it is on disk. */
function brokenOff(part: string): ReadableStream {
  const text = `--X\r\nContent-Disposition: form-data; ${part}${"x".repeat(100_000)}`;
  return new ReadableStream({
    start: (controller) => controller.enqueue(new TextEncoder().encode(text)),
    async pull(controller) {
      await vi.waitFor(async () =>
        expect(await readdir(folder, { recursive: true })).toHaveLength(2),
      );
      controller.error(new Error("reset"));
    },
  });
}
/** As Node tells of a write to a full disk. */
async function* ontoFullDisk(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  for await (const chunk of source) yield chunk;
  const error = new Error("ENOSPC: no space left on device, write");
  throw Object.assign(error, { errno: -28, code: "ENOSPC", syscall: "write" });
}
const MULTIPART = "multipart/form-data; boundary=X";

describe("receiveUpload()", () => {
  test("may be sent again where the disk is full after all", async () => {
    const sent = receive(form(new Uint8Array(10)), { decode: ontoFullDisk });
    await expect(sent).rejects.toMatchObject({ code: "too_many_requests" });
    expect(await readdir(folder)).toEqual([]);
  });

  test("is unavailable where there can be no folder", async () => {
    const file = join(folder, "file");
    await writeFile(file, "");
    const sent = receive(form(new Uint8Array(10)), { folder: join(file, "below") });
    await expect(sent).rejects.toMatchObject({ code: "unavailable" });
  });

  test("writes the file and collects all values of each name, until it is disposed of", async () => {
    const bytes = new Uint8Array(MIB).map((_, i) => i);
    const fields: [string, string][] = [
      ["target_image", "a"],
      ["tags", "b"],
      ["tags", "c"],
    ];
    {
      await using upload = await receive(form(bytes, fields));
      expect(upload.fields).toEqual({ target_image: ["a"], tags: ["b", "c"] });
      expect(Buffer.compare(await readFile(upload.path), bytes)).toBe(0);
    }
    expect(await readdir(folder)).toEqual([]);
  });

  test("takes a file without a type, and decodes it", async () => {
    async function* upper(source: AsyncIterable<Uint8Array>) {
      for await (const chunk of source)
        yield Buffer.from(Buffer.from(chunk).toString().toUpperCase());
    }
    const body = bare(['name="context"; filename="c"\r\n\r\nabc', 'name="use_cache"\r\n\r\n']);
    await using upload = await receive(body, { decode: upper }, MULTIPART);
    expect(await readFile(upload.path, "utf8")).toBe("ABC");
    expect(upload.fields).toEqual({ use_cache: [""] });
  });

  const large = () => form(new Uint8Array(MIB + 1));
  test.each<[string, () => Promise<unknown>, string, RegExp]>([
    ["a file over the limit", () => receive(large()), "payload_too_large", /larger than 1 MiB/],
    ["JSON", () => receive("{}", {}, "application/json"), "bad_request", /multipart/],
    ["no boundary", () => receive("", {}, "multipart/form-data"), "bad_request", /multipart/],
    ["no file", () => receive(new FormData()), "bad_request", /context: no such file/],
    [
      "a file by another name",
      () => receive(bare(['name="other"; filename="c"\r\n\r\nabc']), {}, MULTIPART),
      "bad_request",
      /other is an unexpected file/,
    ],
    [
      "a form that breaks off in the file",
      () => receive(bare(['name="context"; filename="c"\r\n\r\nabc'], ""), {}, MULTIPART),
      "bad_request",
      /broke off/,
    ],
    [
      "one whose sender hangs up in the file",
      () => receive(brokenOff('name="context"; filename="c"\r\n\r\n'), {}, MULTIPART),
      "bad_request",
      /broke off/,
    ],
    [
      "a field that is no name",
      () => receive(form(new Uint8Array(1), [["tags", "x".repeat(5000)]])),
      "bad_request",
      /tags is too long/,
    ],
    [
      "more fields than there are names",
      () =>
        receive(
          form(
            new Uint8Array(1),
            Array.from({ length: 201 }, () => ["tags", "x"]),
          ),
        ),
      "bad_request",
      /too many parts/,
    ],
    [
      "one that does not arrive",
      () => receive(new ReadableStream(), { timeoutMs: 20 }, MULTIPART),
      "bad_request",
      /within 0.02 s/,
    ],
  ])("refuses %s, and leaves nothing behind", async (_, receiving, code, message) => {
    const refused = receiving();
    await expect(refused).rejects.toMatchObject({ code });
    await expect(refused).rejects.toThrow(message);
    expect(await readdir(folder)).toEqual([]);
  });
});
