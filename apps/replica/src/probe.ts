import { request } from "node:http";
import { connect } from "node:net";
import type { RuntimeRecord } from "@remote-runtime/registry";
import { runtimeUrl, type Endpoint } from "@remote-runtime/runtime";
import type { PublishedPath } from "./published-path.ts";

const ANSWER_TIMEOUT_MS = 5_000;
const MOST_INFO_BYTES = 64 * 1024;
const DIAL_TIMEOUT_MS = 1_000;
/** Longer than it takes until a packet that got lost is sent again. */
const CONNECT_TIMEOUT_MS = 2_000;

export type ProbeOptions = {
  /** Where this server listens itself. */
  host: string;
  port: number;
  wildcardBase: string | null;
  /** Whether, and where, published ports are dialled. */
  published: PublishedPath;
  /** Where this process dials the agent. */
  endpoint: Endpoint | undefined;
  /** Milliseconds that an answer at a published port is waited for. Default 5,000, as through this server. */
  publishedTimeoutMs?: number;
};

/**
 * Whether GET /alive answers 200 on the path that clients take, through this very server. A published port that does not
 * answer counts as not alive until `published` has what the path through this server says be enough.
 */
export async function probeAlive(
  record: Pick<RuntimeRecord, "id" | "urlForm" | "hostPort">,
  options: ProbeOptions,
  signal: AbortSignal,
): Promise<boolean> {
  const { host, port, wildcardBase, endpoint } = options;
  // Cheap, and at once; the public path waits in the proxy for a sandbox that does not listen yet.
  if (endpoint && !(await listens(endpoint, signal))) return false;
  const own = `http://${host}:${port}`;
  if (record.urlForm === "host" && wildcardBase !== null) {
    const url = new URL(runtimeUrl(record, { base: own, wildcardBase }));
    return (await statusOf(`${own}/alive`, { Host: url.host }, signal)) === 200;
  }
  const throughProxy = async (): Promise<boolean> =>
    (await statusOf(`${own}/${record.id}/runtime/alive`, {}, signal)) === 200;
  if (record.urlForm !== "port" || record.hostPort === null) return throughProxy();
  return answersAtPort(record.id, record.hostPort, { ...options, throughProxy, signal });
}

async function answersAtPort(
  id: string,
  port: number,
  {
    published,
    publishedTimeoutMs,
    throughProxy,
    signal,
  }: Pick<ProbeOptions, "published" | "publishedTimeoutMs"> & {
    throughProxy: () => Promise<boolean>;
    signal: AbortSignal;
  },
): Promise<boolean> {
  const host = published.host();
  if (host === null) return throughProxy();
  const status = await statusOf(`http://${host}:${port}/alive`, {}, signal, publishedTimeoutMs);
  if (status !== undefined) {
    published.answered(id);
    return status === 200;
  }
  return (await throughProxy()) && published.missed(id, port);
}

/** Milliseconds since the agent's own last activity by its /server_info; `null` where it does not tell. */
export async function agentIdleMs(
  endpoint: { host: string; port: number } | undefined,
): Promise<number | null> {
  if (!endpoint) return null;
  try {
    const answer = await fetch(`http://${endpoint.host}:${endpoint.port}/server_info`, {
      // What a sandbox answers is not to be trusted: not with a detour, not with a flood.
      redirect: "error",
      signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS),
    });
    const body: unknown = JSON.parse(await textOf(answer, MOST_INFO_BYTES));
    if (typeof body !== "object" || body === null || !("idle_time" in body)) return null;
    return typeof body.idle_time === "number" ? body.idle_time * 1000 : null;
  } catch {
    // An agent that cannot be asked has nothing to say for itself.
    return null;
  }
}

function listens({ host, port }: Endpoint, signal: AbortSignal): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const socket = connect({ host, port, signal });
  socket.setTimeout(DIAL_TIMEOUT_MS, () => socket.destroy());
  socket.once("connect", () => {
    resolve(true);
    socket.destroy();
  });
  // Refused, aborted or too late; "close" follows and says it.
  socket.on("error", () => undefined);
  socket.once("close", () => resolve(false));
  return promise;
}

/** Throws when there is more of it. */
async function textOf(answer: Response, mostBytes: number): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of answer.body ?? []) {
    size += chunk.byteLength;
    if (size > mostBytes) throw new Error(`more than ${mostBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

/** `undefined` where nobody answers in time. */
function statusOf(
  url: string,
  headers: Record<string, string>,
  signal: AbortSignal,
  timeoutMs = ANSWER_TIMEOUT_MS,
): Promise<number | undefined> {
  const { promise, resolve } = Promise.withResolvers<number | undefined>();
  const timeout = AbortSignal.timeout(timeoutMs);
  let status: number | undefined;
  const call = request(
    url,
    { headers, agent: false, signal: AbortSignal.any([signal, timeout]) },
    (answer) => {
      status = answer.statusCode;
      answer.resume();
    },
  );
  const unconnected = setTimeout(() => call.destroy(), CONNECT_TIMEOUT_MS);
  call.once("socket", (socket) => socket.once("connect", () => clearTimeout(unconnected)));
  // Refused, reset, aborted or too late; "close" follows and says it.
  call.on("error", () => undefined);
  call.once("close", () => {
    clearTimeout(unconnected);
    resolve(status);
  });
  call.end();
  return promise;
}
