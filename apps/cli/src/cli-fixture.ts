import { PassThrough, Writable } from "node:stream";
import {
  adminRoutes,
  type Handlers,
  type PlacementObject,
  type PrefetchShare,
  type ReplicaObject,
  routes,
  type RuntimeObject,
  ServiceError,
} from "@remote-runtime/protocol";
import { createApp, createKeyring, createLog, listen, mountRoutes } from "@remote-runtime/server";
import { run } from "./run.ts";
import type { Out, Terminal } from "./terminal.ts";

export const KEY = "the-key-of-these-tests";
/** What `now` says when a command begins. */
export const START = Date.parse("2026-01-01T12:00:00Z");

const { list, stop, imageExists, build, buildStatus } = routes;
const servedRoutes = { ...adminRoutes, list, stop, imageExists, build, buildStatus };
export type ServedHandlers = Handlers<typeof servedRoutes>;

export interface FakeGateway extends AsyncDisposable {
  readonly url: string;
}

/** The server's side over HTTP, with the project's own route tables; an endpoint without a handler here answers 404. */
export async function startGateway(handlers: Partial<ServedHandlers>): Promise<FakeGateway> {
  const log = createLog({ name: "test", level: "silent" });
  const app = createApp({ log });
  const missing = async (): Promise<never> => {
    throw new ServiceError("not_found", "no endpoint here");
  };
  const names = Object.keys(servedRoutes) as (keyof ServedHandlers)[];
  // Each is there: `Object.fromEntries` cannot say it.
  const none = Object.fromEntries(
    names.map((name) => [name, missing]),
  ) as unknown as ServedHandlers;
  const all: ServedHandlers = { ...none, ...handlers };
  mountRoutes(app, servedRoutes, all, { keyring: createKeyring([{ name: "ops", key: KEY }]) });
  const ending = new AbortController();
  const server = await listen({
    fetch: app.fetch,
    host: "127.0.0.1",
    port: 0,
    signal: ending.signal,
    log,
    graceMs: 0,
  });
  return { url: server.url, [Symbol.asyncDispose]: () => server.close() };
}

export type CliOptions = {
  /** Adds the URL and the key. */
  gateway?: FakeGateway;
  env?: Record<string, string>;
  /** Width of the terminal that all three streams are. Default: none of them is one. */
  columns?: number;
  /** What the user types. Default: nothing, and the end of input. */
  typed?: string;
  signal?: AbortSignal;
  /** Called with all of stderr so far whenever something is added. */
  onStderr?: (text: string) => void;
  /** Called instead of waiting; by then `now` has moved on. */
  onSleep?: () => void;
};

export type CliResult = { code: number; stdout: string; stderr: string };

/** Runs one command line in this process. Sleeping takes no time and moves its clock. */
export async function cli(args: string[], options: CliOptions = {}): Promise<CliResult> {
  const { gateway, columns, typed = "", signal = new AbortController().signal } = options;
  let now = START;
  const stdout = collector(columns);
  const stderr = collector(columns, options.onStderr);
  const stdin = Object.assign(new PassThrough(), columns === undefined ? {} : { isTTY: true });
  stdin.end(typed);
  const terminal: Terminal = {
    env: {
      ...(gateway && { REMOTE_RUNTIME_URL: gateway.url, SANDBOX_API_KEY: KEY }),
      ...options.env,
    },
    stdin,
    stdout: stdout.out,
    stderr: stderr.out,
    signal,
    now: () => now,
    sleep: async (ms, inner) => {
      now += ms;
      options.onSleep?.();
      inner.throwIfAborted();
    },
  };
  const code = await run(args, terminal);
  return { code, stdout: stdout.text(), stderr: stderr.text() };
}

function collector(
  columns: number | undefined,
  onText?: (text: string) => void,
): { out: Out; text(): string } {
  let text = "";
  const writable = new Writable({
    write(chunk, _encoding, done) {
      text += String(chunk);
      onText?.(text);
      done();
    },
  });
  const out = Object.assign(writable, columns === undefined ? {} : { isTTY: true, columns });
  return { out, text: () => text };
}

export function replica(fields: Partial<ReplicaObject> = {}): ReplicaObject {
  return {
    id: "replica-1",
    state: "ready",
    url: "http://replica-1:8000",
    internal_url: "http://10.0.0.1:8000",
    engine_id: "engine-1",
    weight: 4,
    load: 3,
    runtimes: 5,
    images: 12,
    version: "0.1.0",
    gone_seconds: 0,
    ...fields,
  };
}

export function placement(fields: Partial<PlacementObject> = {}): PlacementObject {
  const loads = { load: 3, soft_limit: 7.53, hard_limit: 10 };
  return {
    image: "docker.io/library/python:3",
    kind: "cached",
    replica_id: "replica-2",
    reason: "its engine holds the image",
    group: { replica_id: "replica-2", expires_in_seconds: 90 },
    candidates: [
      { replica_id: "replica-1", state: "draining", holds: "nothing", ...loads },
      { replica_id: "replica-2", state: "ready", holds: "image", ...loads },
    ],
    ...fields,
  };
}

export function runtime(fields: Partial<RuntimeObject> = {}): RuntimeObject {
  const id = fields.runtime_id ?? "aaaabbbbccccdddd";
  return {
    runtime_id: id,
    id,
    session_id: "session-1",
    url: "http://replica-1:8000/x",
    session_api_key: "a-secret-of-the-session",
    status: "running",
    status_detail: null,
    pod_status: "ready",
    work_hosts: {},
    restart_count: 0,
    restart_reasons: [],
    container_statuses: [],
    events: [],
    pod_logs: "",
    image: "python:3",
    created_at: new Date(START - 125_000).toISOString(),
    verdict: null,
    ...fields,
  };
}

/** What one replica has of a prefetch; nothing but for `fields`. */
export function share(fields: Partial<PrefetchShare> = {}): PrefetchShare {
  return {
    replica_id: "replica-1",
    state: "working",
    error: "",
    held: 0,
    pulled: 0,
    running: 0,
    waiting: 0,
    failed: 0,
    cancelled: 0,
    pulled_bytes: 0,
    pulls: [],
    failures: [],
    ...fields,
  };
}
