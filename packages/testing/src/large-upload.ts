import { request } from "node:http";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { text } from "node:stream/consumers";
import { createGzip } from "node:zlib";
import { randomBytes } from "node:crypto";
import { tarHeader } from "./tar-header.ts";

const PIECE_BYTES = 3 * 64 * 1024;
const BOUNDARY = "boundary-of-a-large-upload";

/** Sends a `/build` whose archive is about so large, made while it is sent; answers status and body. */
export async function postLargeBuild(
  { url, key }: { url: string; key: string },
  { target, bytes }: { target: string; bytes: number },
): Promise<{ status: number; body: string }> {
  const outgoing = request(`${url}/build`, {
    method: "POST",
    headers: { "X-API-Key": key, "Content-Type": `multipart/form-data; boundary=${BOUNDARY}` },
  });
  const { promise, resolve, reject } = Promise.withResolvers<{ status: number; body: string }>();
  outgoing.once("error", reject);
  outgoing.once("response", (answer) => {
    text(answer).then((body) => resolve({ status: answer.statusCode ?? 0, body }), reject);
  });
  const archive = Readable.from(tarOf(bytes)).pipe(createGzip({ level: 0 }));
  // Who is refused in the middle has an answer nevertheless; without one `error` says why.
  pipeline(formOf(archive, target), outgoing).catch(reject);
  return promise;
}

async function* formOf(archive: AsyncIterable<Buffer>, target: string): AsyncGenerator<string> {
  const part = `--${BOUNDARY}\r\nContent-Disposition: form-data; name=`;
  yield `${part}"context"; filename="context.tar.gz"\r\nContent-Type: application/x-tar\r\n\r\n`;
  let rest = Buffer.alloc(0);
  for await (const chunk of archive) {
    const whole = Buffer.concat([rest, chunk]);
    const length = whole.length - (whole.length % 3);
    rest = whole.subarray(length);
    yield whole.toString("base64", 0, length);
  }
  yield rest.toString("base64");
  yield `\r\n${part}"target_image"\r\n\r\n${target}\r\n--${BOUNDARY}--\r\n`;
}

/** A Dockerfile that takes nothing else, and one large file. */
function* tarOf(bytes: number): Generator<Buffer> {
  const dockerfile = Buffer.alloc(512);
  const length = dockerfile.write("FROM scratch\nCOPY Dockerfile /\n");
  yield Buffer.concat([tarHeader({ path: "Dockerfile", bytes: length }), dockerfile]);
  const pieces = Math.ceil(bytes / PIECE_BYTES);
  yield tarHeader({ path: "large", bytes: pieces * PIECE_BYTES });
  const piece = randomBytes(PIECE_BYTES);
  for (let sent = 0; sent < pieces; sent += 1) yield piece;
  yield Buffer.alloc(1024);
}
