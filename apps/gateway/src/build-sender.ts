import { randomUUID } from "node:crypto";
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";
import { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { pipeline } from "node:stream/promises";
import { createClient } from "@remote-runtime/client";
import {
  BASE_URL_HEADER,
  bearerOf,
  BUILD_CONTEXT_PART,
  ROOM_WAIT_HEADER,
  ROUTING_HEADER,
  type CallContext,
  type RouteOutput,
  type Routes,
} from "@remote-runtime/protocol";
import type { ReplicaInfo } from "@remote-runtime/registry";
import type { ReceivedBuild } from "@remote-runtime/server";
import type { Routing } from "./base-url.ts";

/** Hands an upload on to a replica, from disk, on behalf of its caller. Throws what the replica says, and what `call` of a client does. */
export type BuildSender = (
  replica: ReplicaInfo,
  build: ReceivedBuild,
  context: CallContext & { baseUrl: string; roomWaitMs: number },
) => Promise<RouteOutput<Routes["build"]>>;

export function createBuildSender({
  routing,
  timeoutMs,
}: {
  routing: Routing;
  /** For the whole upload and the replica's check of it. */
  timeoutMs: number;
}): BuildSender {
  return async function sendBuild(replica, build, { request, baseUrl, roomWaitMs }) {
    const form = await formOf(build);
    const client = createClient({
      baseUrl: replica.internalUrl,
      apiKey:
        request.headers.get("x-api-key") ?? bearerOf(request.headers.get("authorization")) ?? "",
      fetch: (url, { headers, signal } = {}) =>
        post(url instanceof Request ? url.url : url.toString(), {
          headers: { ...Object.fromEntries(new Headers(headers)), ...form.headers },
          bytes: form.bytes(),
          signal: signal ?? undefined,
        }),
    });
    const headers = {
      [BASE_URL_HEADER]: baseUrl,
      [ROUTING_HEADER]: routing,
      [ROOM_WAIT_HEADER]: String(roomWaitMs),
    };
    return client.call("build", {}, { timeoutMs, headers });
  };
}

type Form = { headers: Record<string, string>; bytes: () => AsyncGenerator<Uint8Array> };

/** As a client would send it, but for the order: here the names come first. */
async function formOf({ path, references, useCache }: ReceivedBuild): Promise<Form> {
  const boundary = randomUUID();
  const part = `--${boundary}\r\nContent-Disposition: form-data; name=`;
  const [target = "", ...tags] = references;
  const fields: [string, string][] = [
    ["target_image", target],
    ...tags.map((tag): [string, string] => ["tags", tag]),
    ["use_cache", String(useCache)],
  ];
  // No reference has a character that would have to be escaped here.
  const texts = fields.map(([name, value]) => `${part}"${name}"\r\n\r\n${value}\r\n`);
  const file = `${part}"${BUILD_CONTEXT_PART}"; filename="context.tar.gz"\r\n\r\n`;
  const head = Buffer.from(texts.join("") + file);
  const foot = Buffer.from(`\r\n--${boundary}--\r\n`);
  const { size } = await stat(path);

  async function* bytes(): AsyncGenerator<Uint8Array> {
    yield head;
    for await (const chunk of createReadStream(path)) yield chunk as Buffer;
    yield foot;
  }
  return {
    headers: {
      "content-type": `multipart/form-data; boundary=${boundary}`,
      "content-length": String(head.length + size + foot.length),
    },
    bytes,
  };
}

/** The platform's `fetch` keeps what it has sent of a stream in memory until the whole is sent. */
function post(
  url: string,
  {
    headers,
    bytes,
    signal,
  }: {
    headers: Record<string, string>;
    bytes: AsyncGenerator<Uint8Array>;
    signal: AbortSignal | undefined;
  },
): Promise<Response> {
  const { promise, resolve, reject } = Promise.withResolvers<Response>();
  const send = url.startsWith("https:") ? requestHttps : requestHttp;
  const outgoing = send(url, { method: "POST", headers, ...(signal ? { signal } : {}) });
  outgoing.once("error", reject);
  outgoing.once("response", (answer) => {
    text(answer).then(
      (body) => resolve(new Response(body, { status: answer.statusCode ?? 502 })),
      reject,
    );
  });
  // A replica may answer before it has read everything, and hang up: then that answer counts.
  pipeline(Readable.from(bytes), outgoing).catch(() => undefined);
  return promise;
}
