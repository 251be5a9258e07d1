import { randomBytes } from "node:crypto";
import {
  BASE_URL_HEADER,
  newRuntimeId,
  ServiceError,
  sessionIdOf,
  specOf,
  StartRequest,
  type CallContext,
  type Handlers,
  type RuntimeObject,
} from "@remote-runtime/protocol";
import type { Registry, RuntimeRecord } from "@remote-runtime/registry";
import { holdsCompute, viewOf } from "@remote-runtime/runtime";
import { imageName } from "./image-name.ts";
import { simulatedRecord } from "./simulated-record.ts";

/** The runtimes of one simulated replica, all of them ready from the start. */
export interface SimulatedRuntimes {
  readonly handlers: Handlers;
  /** Those that have not been stopped. */
  count(): number;
  /** Makes so many at once, and puts them on record. */
  fill(count: number, owner: string): Promise<void>;
}

export type SimulatedRuntimesOptions = {
  replicaId: string;
  tag: string;
  registry: Registry;
};

const WRITES_AT_ONCE = 50;
const ENDED_MS = 60_000;

export function createSimulatedRuntimes({
  replicaId,
  tag,
  registry,
}: SimulatedRuntimesOptions): SimulatedRuntimes {
  const records = new Map<string, RuntimeRecord>();

  async function put(body: StartRequest, owner: string): Promise<RuntimeRecord> {
    const id = newRuntimeId(tag, randomBytes);
    const sessionId = sessionIdOf(body, () => `session-of-${id}`);
    const spec = specOf(body);
    const record = simulatedRecord({ id, owner, sessionId, replicaId, spec }, Date.now());
    await registry.claimSession(record, id);
    await registry.putRecord(record);
    records.set(id, record);
    return record;
  }

  function own(id: string | null | undefined, owner: string): RuntimeRecord {
    const record = records.get(id ?? "");
    if (record?.owner === owner) return record;
    throw new ServiceError("not_found", `no runtime ${id ?? ""}`);
  }

  function bySession(sessionId: string, owner: string): RuntimeRecord | undefined {
    return [...records.values()].find(
      (record) => record.owner === owner && record.sessionId === sessionId && holdsCompute(record),
    );
  }

  const handlers: Handlers = {
    async start({ body }, context) {
      const held = body.session_id == null ? undefined : bySession(body.session_id, context.owner);
      return show(held ?? (await put(body, context.owner)), context);
    },
    async stop({ body }, context) {
      const record: RuntimeRecord = {
        ...own(body.runtime_id, context.owner),
        desired: "stopped",
        observed: { state: "none" },
        verdict: "stopped",
        endedAt: Date.now(),
      };
      records.delete(record.id);
      await registry.putRecord(record, ENDED_MS);
      return show(record, context);
    },
    pause: async ({ body }, context) => show(own(body.runtime_id, context.owner), context),
    resume: async ({ body }, context) => show(own(body.runtime_id, context.owner), context),
    runtime: async ({ params }, context) => show(own(params.runtime_id, context.owner), context),
    async session({ params }, context) {
      const record = bySession(params.session_id, context.owner);
      if (record) return show(record, context);
      throw new ServiceError("not_found", `no session ${params.session_id}`);
    },
    sessionBatch: async ({ query }, context) =>
      query.ids.map((sessionId) => {
        const record = bySession(sessionId, context.owner);
        return record ? show(record, context) : null;
      }),
    async list(_, context) {
      const runtimes = [...records.values()]
        .filter((record) => record.owner === context.owner && holdsCompute(record))
        .map((record) => show(record, context, { truthful: true }));
      return { runtimes, total: runtimes.length };
    },
    // So that `exists: true` from a gateway can come from what it has in memory only.
    imageExists: async () => ({ exists: false, image: null, url: "http://not-for-clients" }),
    build: () => Promise.reject(noBuilds()),
    buildStatus: () => Promise.reject(noBuilds()),
    buildLogs: () => Promise.reject(noBuilds()),
    registryPrefix: async () => ({ registry_prefix: "" }),
    warmRuntimeConfigs: async () => ({ configs: [] }),
    health: async () => ({ status: "ok", version: "0.1.0" }),
  };

  return {
    handlers,
    count: () => records.size,
    async fill(count, owner) {
      for (let made = 0; made < count; made += WRITES_AT_ONCE) {
        const part = Math.min(WRITES_AT_ONCE, count - made);
        await Promise.all(
          Array.from({ length: part }, (_, i) => put(exampleStart(made + i), owner)),
        );
      }
    },
  };
}

function show(record: RuntimeRecord, { request }: CallContext, options = {}): RuntimeObject {
  const base = request.headers.get(BASE_URL_HEADER) ?? record.publicBase;
  return viewOf(record, { base, wildcardBase: null }, options);
}

/** As clients of the V0 kind send it. */
function exampleStart(number: number): StartRequest {
  return StartRequest.parse({
    image: imageName(number),
    command: ["/openhands/micromamba/bin/micromamba", "run", "-n", "openhands", "python", "60000"],
    working_dir: "/openhands/code/",
    environment: {
      DEBUG: "false",
      LOG_JSON: "1",
      OPENVSCODE_SERVER_ROOT: "/openhands/.openvscode",
    },
  });
}

function noBuilds(): ServiceError {
  return new ServiceError("not_found", "nothing is built here");
}
