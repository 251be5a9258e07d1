import {
  ServiceError,
  type AdminRoutes,
  type CallContext,
  type Handlers,
  type ReplicaObject,
} from "@remote-runtime/protocol";
import type { Registry, ReplicaInfo } from "@remote-runtime/registry";
import type { Clock } from "@remote-runtime/runtime";
import { assertOperator } from "./assert-operator.ts";
import type { Directory } from "./directory.ts";
import { createPinHandlers } from "./pin-handlers.ts";
import type { Placer } from "./placer.ts";
import { createPrefetchHandlers } from "./prefetch-handlers.ts";
import type { ReplicaCaller } from "./replica-caller.ts";

export type AdminOptions = {
  directory: Directory;
  registry: Pick<Registry, "setDraining" | "pin" | "unpin" | "pins">;
  placer: Pick<Placer, "explain">;
  caller: Pick<ReplicaCaller, "baseUrl" | "call" | "isSilent">;
  clock: Pick<Clock, "now">;
  /** Owners of keys that may drain replicas, fill and pin. Undefined: all. */
  operators: readonly string[] | undefined;
};

/** What operators ask: who is there, who shall take no more, and where an image goes. */
export function createAdmin(options: AdminOptions): Handlers<AdminRoutes> {
  const { directory, registry, placer, caller, operators } = options;

  function show(info: ReplicaInfo, { request }: CallContext): ReplicaObject {
    const goneMs = directory.absentMs(info.id);
    return {
      id: info.id,
      state: goneMs > 0 ? "gone" : stateOf(info),
      url: caller.baseUrl(info, request),
      internal_url: info.internalUrl,
      engine_id: info.engineId,
      weight: info.weight,
      // What one that is gone had may be others' by now.
      load: goneMs > 0 ? 0 : info.load,
      runtimes: goneMs > 0 ? 0 : runtimesOf(info),
      images: directory.snapshot().images(info.id).size,
      version: info.version,
      gone_seconds: Math.round(goneMs / 1000),
    };
  }

  /** Also those that are gone: an operator decides about them before they come back. */
  function all(): ReplicaInfo[] {
    const present = [...directory.snapshot().replicas.values()];
    const known = new Set(present.map(({ id }) => id));
    const absent = directory.absent().filter(({ id }) => !known.has(id));
    return [...present, ...absent].toSorted((one, other) => (one.id < other.id ? -1 : 1));
  }

  async function setDraining(
    replicaId: string,
    draining: boolean,
    context: CallContext,
  ): Promise<ReplicaObject> {
    assertOperator(context, { operators, what: "drain replicas" });
    const find = (): ReplicaInfo | undefined => all().find(({ id }) => id === replicaId);
    if (!find()) {
      const problem = `no replica ${replicaId.slice(0, 80)}; GET /replicas tells which there are`;
      throw new ServiceError("not_found", problem);
    }
    await registry.setDraining(replicaId, draining);
    directory.setDraining(replicaId, draining);
    const replica = find();
    if (replica) return show(replica, context);
    throw new ServiceError("unavailable", `replica ${replicaId} has just left`);
  }

  return {
    ...createPrefetchHandlers(options),
    ...createPinHandlers(options),
    replicas: async (_, context) => ({ replicas: all().map((info) => show(info, context)) }),
    drain: ({ params }, context) => setDraining(params.replica_id, true, context),
    undrain: ({ params }, context) => setDraining(params.replica_id, false, context),
    async placement({ query }) {
      const { image, explanation, group } = placer.explain(query.image);
      const { replicas } = directory.snapshot();
      return {
        image,
        kind: explanation.kind,
        replica_id: explanation.replicaId,
        reason: explanation.reason,
        group: group
          ? {
              replica_id: group.replicaId,
              expires_in_seconds: Math.round(group.expiresInMs / 1000),
            }
          : null,
        candidates: explanation.candidates.map((candidate) => ({
          replica_id: candidate.replicaId,
          state: stateOf(replicas.get(candidate.replicaId)),
          holds: candidate.holds,
          load: candidate.load,
          soft_limit: candidate.softLimit,
          hard_limit: candidate.hardLimit,
        })),
      };
    },
  };
}

function stateOf(info: ReplicaInfo | undefined): ReplicaObject["state"] {
  if (!info) return "gone";
  if (!info.draining) return "ready";
  return runtimesOf(info) === 0 ? "drained" : "draining";
}

/** Earlier versions tell their load only. */
function runtimesOf({ runtimes, load }: ReplicaInfo): number {
  return Math.max(runtimes, load);
}
