import { randomBytes } from "node:crypto";
import {
  newRuntimeId,
  replicaRoutes,
  replicaTagOf,
  ServiceError,
  sessionIdOf,
  specOf,
  type CallContext,
  type Handlers,
  type PrefetchProgress,
  type ReplicaRoutes,
  type StartRequest,
} from "@remote-runtime/protocol";
import type { Registry, ReplicaInfo, RuntimeRecord } from "@remote-runtime/registry";
import { exampleReplica } from "@remote-runtime/registry/testing";
import { holdsCompute, isLive, viewOf } from "@remote-runtime/runtime";
import { createApp, listen, mountRoutes, type Keyring, type Log } from "@remote-runtime/server";

/** A replica without an engine: real HTTP, real records, runtimes that are ready at once. */
export interface ReplicaFixture {
  readonly info: ReplicaInfo;
  readonly runtimes: Map<string, RuntimeRecord>;
  /** Every request in order: method, path, headers. */
  readonly requests: { method: string; path: string; headers: Headers }[];
  /** What came with every `/build`, in order; each is the build `{tag}aaaaaaaaaaaa`. */
  readonly uploads: FormData[];
  /** What it was given to pull, by prefetch, in order; all of it waits. */
  readonly given: Map<string, string[]>;
  /** Answers in place of an endpoint, for once. */
  answerNext(route: ReplicaRouteName, answer: () => Promise<unknown>): void;
  announce(changes?: Partial<ReplicaInfo>): Promise<void>;
  /** Ends the server; the registry is not told. */
  kill(): Promise<void>;
  /** The server is back at the same address, with its runtimes. */
  revive(): Promise<void>;
}

export type ReplicaFixtureOptions = {
  id: string;
  registry: Registry;
  keyring: Keyring;
  log: Log;
  /** In place of what the registry would be told. */
  info?: Partial<ReplicaInfo>;
};

type ReplicaRouteName = keyof ReplicaRoutes;

const FOR_EVER_MS = 1e12;

export async function createReplicaFixture(
  options: ReplicaFixtureOptions,
): Promise<ReplicaFixture> {
  const { id, registry, keyring, log } = options;
  const runtimes = new Map<string, RuntimeRecord>();
  const requests: ReplicaFixture["requests"] = [];
  const uploads: FormData[] = [];
  const given = new Map<string, string[]>();
  const prepared = new Map<ReplicaRouteName, () => Promise<unknown>>();
  const tag = options.info?.tag ?? replicaTagOf(id);

  const app = createApp({ log });
  app.use(async (context, next) => {
    const { method, path, raw } = context.req;
    requests.push({ method, path, headers: raw.headers });
    await next();
  });
  const handlers = createHandlers({ id, tag, registry, runtimes, uploads, given });
  for (const name of Object.keys(replicaRoutes) as ReplicaRouteName[]) {
    // Each handler has an input of its own, which is passed on as it is.
    const own = handlers[name] as (...input: unknown[]) => Promise<unknown>;
    const wrapped = async (...input: unknown[]): Promise<unknown> => {
      const answer = prepared.get(name);
      prepared.delete(name);
      return answer ? answer() : own(...input);
    };
    Object.assign(handlers, { [name]: wrapped });
  }
  mountRoutes(app, replicaRoutes, handlers, { keyring });
  app.all("/:id/runtime/*", ({ req }) => Response.json({ served_by: id, path: req.path }));

  let ending = new AbortController();
  const serve = (port: number) =>
    listen({ fetch: app.fetch, host: "127.0.0.1", port, signal: ending.signal, log, graceMs: 0 });
  let server = await serve(0);
  const info = exampleReplica(id, {
    tag,
    internalUrl: server.url,
    publicPort: server.port,
    engineId: `engine of ${id}`,
    weight: 2,
    ...options.info,
  });
  await registry.announce(info, FOR_EVER_MS);

  return {
    info,
    runtimes,
    requests,
    uploads,
    given,
    answerNext: (route, answer) => void prepared.set(route, answer),
    async announce(changes) {
      await registry.announce({ ...info, ...changes }, FOR_EVER_MS);
    },
    async kill() {
      ending.abort();
      await server.close();
    },
    async revive() {
      ending = new AbortController();
      server = await serve(server.port);
    },
  };
}

type Parts = {
  id: string;
  tag: string;
  registry: Registry;
  runtimes: Map<string, RuntimeRecord>;
  uploads: FormData[];
  given: Map<string, string[]>;
};

function createHandlers(parts: Parts): Handlers<ReplicaRoutes> {
  const { id, tag, registry, runtimes, uploads, given } = parts;
  const show = (record: RuntimeRecord, { request }: CallContext, truthful = false) =>
    viewOf(
      record,
      { base: request.headers.get("x-runtime-base-url") ?? "http://none", wildcardBase: null },
      { truthful },
    );
  const own = (runtimeId: string, owner: string): RuntimeRecord => {
    const record = runtimes.get(runtimeId);
    if (record?.owner !== owner) throw new ServiceError("not_found", `no runtime ${runtimeId}`);
    return record;
  };
  const bySession = (sessionId: string, owner: string): RuntimeRecord | undefined =>
    [...runtimes.values()].find(
      (record) =>
        record.owner === owner && record.sessionId === sessionId && record.desired !== "stopped",
    );
  const change = async (runtimeId: string, { owner }: CallContext, to: Partial<RuntimeRecord>) => {
    const record = { ...own(runtimeId, owner), ...to };
    runtimes.set(runtimeId, record);
    await registry.putRecord(record, record.desired === "stopped" ? FOR_EVER_MS : undefined);
    return record;
  };

  return {
    async start({ body }, context) {
      const sessionId = sessionIdOf(body, () => "made-up");
      const known = bySession(sessionId, context.owner);
      if (known) return show(known, context);
      const record = recordOf(body, { sessionId, owner: context.owner, replicaId: id, tag });
      await putOnRecord(registry, record);
      runtimes.set(record.id, record);
      return show(record, context);
    },
    stop: async ({ body }, context) =>
      show(
        await change(body.runtime_id ?? "", context, { desired: "stopped", endedAt: 9 }),
        context,
      ),
    pause: async ({ body }, context) =>
      show(await change(body.runtime_id ?? "", context, { desired: "paused" }), context),
    resume: async ({ body }, context) =>
      show(await change(body.runtime_id ?? "", context, { desired: "running" }), context),
    runtime: async ({ params }, context) => show(own(params.runtime_id, context.owner), context),
    async session({ params }, context) {
      const record = bySession(params.session_id, context.owner);
      if (!record) throw new ServiceError("not_found", `no session ${params.session_id}`);
      return show(record, context);
    },
    sessionBatch: async ({ query }, context) =>
      query.ids.map((sessionId) => {
        const record = bySession(sessionId, context.owner);
        return record ? show(record, context) : null;
      }),
    async list(_, context) {
      const all = [...runtimes.values()].filter(
        (record) => record.owner === context.owner && holdsCompute(record),
      );
      return { runtimes: all.map((record) => show(record, context, true)), total: all.length };
    },
    imageExists: async () => ({ exists: false, image: null, url: "http://not-for-clients" }),
    async build(_, { request }) {
      uploads.push(await request.formData());
      return { build_id: `${tag}${"a".repeat(12)}`, url: "http://not-for-clients" };
    },
    buildStatus: async () =>
      uploads.length > 0
        ? { status: "SUCCESS", image: "localhost/openhands/runtime:hash", error: "" }
        : { status: "INTERNAL_ERROR", image: "", error: "unknown here" },
    buildLogs: async ({ query }) => ({ ...query, log: `log of ${id}`, truncated: false }),
    registryPrefix: async () => ({ registry_prefix: `prefix of ${id}` }),
    async giveImages({ body }) {
      given.set(body.prefetch_id, [...(given.get(body.prefetch_id) ?? []), ...body.images]);
      return progressOf(given.get(body.prefetch_id));
    },
    givenImages: async ({ params }) => progressOf(given.get(params.prefetch_id)),
    cancelImages: async ({ params }) => progressOf(given.get(params.prefetch_id)),
    imageSizes: async ({ body }) => ({
      known: 0,
      bytes: 0,
      asking: 0,
      unknown: [{ reason: "there are no registries", images: body.images.length }],
    }),
    warmRuntimeConfigs: async () => ({ configs: [] }),
    health: async () => ({ status: "ok", version: "0.1.0" }),
  };
}

function progressOf(images: readonly string[] | undefined): PrefetchProgress {
  if (!images) throw new ServiceError("not_found", "no such prefetch");
  const over = { held: 0, pulled: 0, running: 0, failed: 0, cancelled: 0, pulled_bytes: 0 };
  return { ...over, waiting: images.length, pulls: [], failures: [] };
}

/** As a replica does: the session is claimed first, and a registry that is away holds nobody up. */
async function putOnRecord(registry: Registry, record: RuntimeRecord): Promise<void> {
  try {
    const holder = await registry.claimSession(record, record.id);
    const other = holder === record.id ? undefined : await registry.record(holder);
    if (other && isLive(other)) {
      throw new ServiceError(
        "conflict",
        `the session ${record.sessionId} has the live runtime ${holder}`,
      );
    }
    if (holder !== record.id) await registry.claimSession(record, record.id, holder);
    await registry.putRecord(record);
  } catch (error) {
    if (ServiceError.from(error).code !== "unavailable") throw error;
  }
}

function recordOf(
  body: StartRequest,
  { tag, ...whose }: { sessionId: string; owner: string; replicaId: string; tag: string },
): RuntimeRecord {
  return {
    ...whose,
    id: newRuntimeId(tag, randomBytes),
    sessionApiKey: "session-key",
    secretKey: "secret",
    spec: specOf(body),
    urlForm: "path",
    hostPort: null,
    desired: "running",
    observed: { state: "ready", since: 1 },
    verdict: null,
    publicBase: "http://at-the-start:1",
    createdAt: 1,
    readyAt: 1,
    restingSince: null,
    endedAt: null,
    restartCount: 0,
    lastLogs: "",
    events: [],
  };
}
