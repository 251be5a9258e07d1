import {
  createClient,
  isDialFailure,
  type CallInput,
  type CallOptions,
  type CallOutput,
  type Client,
} from "@remote-runtime/client";
import {
  BASE_URL_HEADER,
  bearerOf,
  INSTANCE_HEADER,
  PLACEMENT_HEADER,
  ROUTING_HEADER,
  ServiceError,
  UNCLAIMED_HEADER,
  type CallContext,
  type Handlers,
  type ReplicaRoutes,
} from "@remote-runtime/protocol";
import type { Choice } from "@remote-runtime/placement";
import type { ReplicaInfo } from "@remote-runtime/registry";
import type { Clock } from "@remote-runtime/runtime";
import type { RequestHead } from "@remote-runtime/server";
import { baseUrlOf, type Routing } from "./base-url.ts";
import { createSilences } from "./silences.ts";
import { listPartOf, readListPart, type ListPart } from "./list-part.ts";

type ReplicaRouteName = keyof ReplicaRoutes;

export type ReplicaCall<K extends ReplicaRouteName> = {
  replica: ReplicaInfo;
  route: K;
  input: CallInput<ReplicaRoutes[K]>;
  context: CallContext;
  /** Of a start: why it goes there. */
  placement?: Choice["kind"] | undefined;
  /** Of a start: the registry has just said that nobody has its session. */
  isUnclaimed?: boolean;
};

/** What is the same of all questions to a replica. */
type Asking = {
  route: ReplicaRouteName;
  context: CallContext;
  headers?: Readonly<Record<string, string>>;
};

export interface ReplicaCaller {
  /**
   * Asks a replica on behalf of the caller, with the caller's own key. Throws what the replica says, and
   * `ReplicaAwayError` when it does not answer.
   */
  call<K extends ReplicaRouteName>(call: ReplicaCall<K>): Promise<CallOutput<ReplicaRoutes[K]>>;
  /** The same of `GET /list`, whose runtimes stay as the replica has written them. */
  list(call: Omit<ReplicaCall<"list">, "route">): Promise<ListPart>;
  /** Whether this very process answers at all, asked within a second. */
  answers(replica: ReplicaInfo): Promise<boolean>;
  /** Whether it did not answer a moment ago: asking it again would most likely only take time. */
  isSilent(replica: ReplicaInfo): boolean;
  /** Whether any replica is. */
  hasSilent(): boolean;
  /** The URL base at which this request's client reaches that replica's sandboxes. */
  baseUrl(replica: ReplicaInfo, request: RequestHead): string;
}

export type ReplicaCallerOptions = {
  routing: Routing;
  /** The gateway's own, if configured. */
  publicUrl: string | null;
  clock: Clock;
  /** The one replica's endpoints, where it is in this process. Default: replicas are asked over HTTP. */
  local?: Handlers<ReplicaRoutes>;
  /** How a replica is reached; by default over HTTP at its internal URL. */
  fetchOf?: (replica: ReplicaInfo) => typeof fetch;
};

/** A replica did not answer. `mayHaveTaken`: it may have got the request all the same. */
export class ReplicaAwayError extends ServiceError {
  readonly mayHaveTaken: boolean;

  constructor(replicaId: string, cause: unknown) {
    super("unavailable", `replica ${replicaId} does not answer`, { cause });
    this.mayHaveTaken = !isDialFailure(cause);
  }
}

/** Replicas answer these from memory. */
const FROM_MEMORY: ReadonlySet<ReplicaRouteName> = new Set([
  "runtime",
  "session",
  "sessionBatch",
  "list",
  "registryPrefix",
  "givenImages",
]);
const MEMORY_TIMEOUT_MS = 3_000;
const CALL_TIMEOUT_MS = 10_000;
const HEALTH_TIMEOUT_MS = 1_000;

export function createReplicaCaller(options: ReplicaCallerOptions): ReplicaCaller {
  const { routing, publicUrl, clock, local, fetchOf } = options;
  const silences = createSilences(clock);
  const baseUrl = (replica: ReplicaInfo, request: RequestHead): string =>
    baseUrlOf(request, { replica, routing, publicUrl });

  return {
    baseUrl,
    async answers(replica) {
      const send = fetchOf?.(replica) ?? fetch;
      try {
        const answer = await send(`${replica.internalUrl}/health`, {
          redirect: "manual",
          signal: AbortSignal.timeout(HEALTH_TIMEOUT_MS),
        });
        await answer.body?.cancel();
        // Whoever has its address since would keep it in the ring for ever.
        const instance = answer.headers.get(INSTANCE_HEADER) ?? replica.instance;
        return answer.ok && instance === replica.instance;
      } catch {
        // Nobody listens, or nobody answers in time.
        return false;
      }
    },
    isSilent: ({ internalUrl }) => silences.has(internalUrl),
    hasSilent: silences.any,
    async call({ replica, route, input, context, placement, isUnclaimed = false }) {
      if (local) {
        const told = placement === undefined ? context : { ...context, placement };
        return callHere(local, { route, input, context: told });
      }
      const headers = {
        ...(placement !== undefined && { [PLACEMENT_HEADER]: placement }),
        ...(isUnclaimed && { [UNCLAIMED_HEADER]: "1" }),
      };
      return ask(replica, { route, context, headers }, (client, callOptions) =>
        client.call(route, input, callOptions),
      );
    },
    async list({ replica, input, context }) {
      if (local)
        return listPartOf((await callHere(local, { route: "list", input, context })).runtimes);
      return ask(replica, { route: "list", context }, async (client, callOptions) =>
        readListPart(await client.bytes("list", input, callOptions)),
      );
    },
  };

  /** Over HTTP; keeps in mind whether the replica answers. */
  async function ask<T>(
    replica: ReplicaInfo,
    { route, context, headers = {} }: Asking,
    question: (client: Client, options: CallOptions) => Promise<T>,
  ): Promise<T> {
    silences.probe(replica.internalUrl);
    const own = fetchOf?.(replica);
    const client = createClient({
      baseUrl: replica.internalUrl,
      apiKey: context.key ?? keyOf(context.request),
      ...(own ? { fetch: own } : {}),
    });
    try {
      const answer = await question(client, {
        timeoutMs: FROM_MEMORY.has(route) ? MEMORY_TIMEOUT_MS : CALL_TIMEOUT_MS,
        headers: {
          [BASE_URL_HEADER]: baseUrl(replica, context.request),
          [ROUTING_HEADER]: routing,
          ...headers,
        },
      });
      silences.end(replica.internalUrl);
      return answer;
    } catch (error) {
      if (!isNoAnswer(error)) {
        // That it has no such runtime says as well that it is there.
        if (error instanceof ServiceError) silences.end(replica.internalUrl);
        throw error;
      }
      silences.mark(replica.internalUrl);
      throw new ReplicaAwayError(replica.id, error);
    }
  }
}

/** Nothing is written out and read again: the gateway has checked the key, and parsed the input by the same schemas. */
async function callHere<K extends ReplicaRouteName>(
  handlers: Handlers<ReplicaRoutes>,
  { route, input, context }: Omit<ReplicaCall<K>, "replica">,
): Promise<CallOutput<ReplicaRoutes[K]>> {
  const whole = { params: {}, query: {}, body: {}, ...input };
  // Parsing what was parsed changes nothing (protocol), so in and out are of one type; a union of routes cannot say it.
  const handle = handlers[route] as unknown as (
    input: object,
    context: CallContext,
  ) => Promise<CallOutput<ReplicaRoutes[K]>>;
  return handle(whole, context);
}

/** Refused, broken off, too late, or not from a replica of ours; what a replica itself says is an answer. */
function isNoAnswer(error: unknown): boolean {
  const { code } = ServiceError.from(error);
  return isDialFailure(error) || code === "timeout" || code === "bad_gateway";
}

function keyOf({ headers }: Request): string {
  return headers.get("x-api-key") ?? bearerOf(headers.get("authorization")) ?? "";
}
