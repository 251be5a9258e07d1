import type {
  ImageStore,
  Prefetches,
  PublishedImages,
  PublishedSizes,
} from "@remote-runtime/image";
import {
  dialectOf,
  PLACEMENT_HEADER,
  UNCLAIMED_HEADER,
  ServiceError,
  sessionIdOf,
  specOf,
  type CallContext,
  type Handlers,
  type ReplicaRoutes,
  type RuntimeObject,
} from "@remote-runtime/protocol";
import type { Registry, RuntimeRecord } from "@remote-runtime/registry";
import {
  holdsCompute,
  sessionKeyOf,
  urlFormOf,
  viewOf,
  type PublicAddress,
  type Runtimes,
  type UrlPolicy,
} from "@remote-runtime/runtime";
import { createBuildHandlers, type BuildHandlersOptions } from "./build-handlers.ts";
import { createPrefetchHandlers } from "./prefetch-handlers.ts";
import { isBehindGateway } from "./public-address.ts";

export type HandlersOptions = Pick<BuildHandlersOptions, "builds" | "receive"> & {
  replicaId: string;
  runtimes: Pick<
    Runtimes,
    "start" | "stop" | "pause" | "resume" | "get" | "bySession" | "list" | "touch"
  >;
  images: Pick<ImageStore, "held">;
  published: Pick<PublishedImages, "has">;
  prefetches: Prefetches;
  sizes: PublishedSizes;
  registry: Pick<Registry, "record">;
  addressOf: (request: Request) => PublicAddress;
  urlPolicy: UrlPolicy;
  /** The host of published ports, where that is not the server's own. */
  portHost: string | undefined;
  registryPrefix: string;
  newSessionId: () => string;
  version: string;
};

/** What each endpoint of the API does on one replica. Reads come from memory; commands answer before the work is done. */
export function createHandlers(options: HandlersOptions): Handlers<ReplicaRoutes> {
  const { runtimes, images, published, registry, addressOf } = options;

  const show = (record: RuntimeRecord, { request }: CallContext): RuntimeObject =>
    viewOf(record, addressOf(request));

  /**
   * The caller's runtime of that id, if it is this replica's; also one that ended before this process began. Throws
   * `unavailable` where only the registry could tell: "no such runtime" would be believed.
   */
  async function find(id: string, owner: string): Promise<RuntimeRecord | undefined> {
    const record = runtimes.get(id) ?? (await registry.record(id));
    return record?.owner === owner && record.replicaId === options.replicaId ? record : undefined;
  }

  async function findOrThrow(id: string | null | undefined, owner: string): Promise<RuntimeRecord> {
    const record = id ? await find(id, owner) : undefined;
    if (!record)
      throw new ServiceError(
        "not_found",
        id ? `no runtime ${shorten(id)}` : "runtime_id is missing",
      );
    return record;
  }

  /** Memory lacks a runtime while it is being taken over: it is not to be said that something was done with it. */
  function done(changed: RuntimeRecord | undefined, found: RuntimeRecord): RuntimeRecord {
    const record = changed ?? found;
    if (changed || record.desired === "stopped") return record;
    throw new ServiceError("unavailable", `runtime ${record.id} is being taken over; ask again`);
  }

  return {
    async start({ body }, context) {
      const dialect = dialectOf(body);
      const urlForm = urlFormOf(dialect, options.urlPolicy, {
        wildcard: addressOf(context.request).wildcardBase !== null,
        portAvailable: !isBehindGateway(context.request),
      });
      const spec = specOf(body);
      const record = await runtimes.start({
        owner: context.owner,
        sessionId: sessionIdOf(body, options.newSessionId),
        spec,
        urlForm,
        publicBase: addressOf(context.request).base,
        ...(urlForm === "port" && { portHost: options.portHost }),
        sessionApiKey: sessionKeyOf(spec),
        placement: placementOf(context),
        isUnclaimed: context.request.headers.get(UNCLAIMED_HEADER) === "1",
      });
      return show(record, context);
    },

    async stop({ body }, context) {
      // Clients whose start failed send null: an error here would hide the first one from their user.
      if (!body.runtime_id) return { status: "stopped" };
      const record = await findOrThrow(body.runtime_id, context.owner);
      return show(done(runtimes.stop(record.id), record), context);
    },

    async pause({ body }, context) {
      const record = await findOrThrow(body.runtime_id, context.owner);
      if (record.desired === "stopped")
        throw new ServiceError("not_found", `runtime ${record.id} is stopped`);
      return show(done(runtimes.pause(record.id), record), context);
    },

    async resume({ body }, context) {
      const record = await findOrThrow(body.runtime_id, context.owner);
      if (record.desired === "stopped")
        throw new ServiceError("not_found", `runtime ${record.id} is stopped`);
      return show(done(runtimes.resume(record.id), record), context);
    },

    async runtime({ params }, context) {
      const { owner } = context;
      // What runs here is in memory, and a read is never answered with 5xx.
      const found = await find(params.runtime_id, owner).catch(() => undefined);
      // The oldest clients look their session up here.
      const record = found ?? runtimes.bySession(owner, params.runtime_id);
      if (!record) throw new ServiceError("not_found", `no runtime ${shorten(params.runtime_id)}`);
      runtimes.touch(record.id);
      return show(record, context);
    },

    async session({ params }, context) {
      const record = runtimes.bySession(context.owner, params.session_id);
      if (!record) throw new ServiceError("not_found", `no session ${shorten(params.session_id)}`);
      runtimes.touch(record.id);
      return show(record, context);
    },

    async sessionBatch({ query }, context) {
      return query.ids.map((sessionId) => {
        const record = runtimes.bySession(context.owner, sessionId);
        return record ? show(record, context) : null;
      });
    },

    async list({ query }, context) {
      const address = addressOf(context.request);
      const all = runtimes.list(context.owner).filter(holdsCompute);
      const views = all.map((record) => viewOf(record, address, { truthful: true }));
      const shown =
        query.status === undefined ? views : views.filter(({ status }) => status === query.status);
      return { runtimes: shown, total: shown.length };
    },

    async imageExists({ query }, { request }) {
      const url = addressOf(request).base;
      const held = await images.held(query.image);
      if (held) {
        const upload_time = new Date(held.createdAt).toISOString();
        return { exists: true, image: { upload_time, image_size_bytes: held.sizeBytes }, url };
      }
      if (!(await published.has(query.image))) return { exists: false, image: null, url };
      return { exists: true, image: PUBLISHED_IMAGE, url };
    },

    ...createPrefetchHandlers(options),
    ...createBuildHandlers({ ...options, baseOf: (request) => addressOf(request).base }),

    async registryPrefix() {
      return { registry_prefix: options.registryPrefix };
    },

    async warmRuntimeConfigs() {
      return { configs: [] };
    },

    async health() {
      return { status: "ok", version: options.version };
    },
  };
}

/** Clients read both and show them. Of what is in a registry no engine tells either. */
const PUBLISHED_IMAGE = { upload_time: "unknown", image_size_bytes: 0 };

/** Ids come from outside and go into messages. */
function shorten(id: string): string {
  return id.length <= 80 ? id : `${id.slice(0, 80)}…`;
}

/** A gateway's word for it. Anybody can send the header, so no more than a word is taken. */
function placementOf({ placement, request }: CallContext): string | undefined {
  const told = placement ?? request.headers.get(PLACEMENT_HEADER) ?? "";
  return /^[a-z]{1,20}$/.test(told) ? told : undefined;
}
