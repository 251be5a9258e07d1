import { canonicalReference } from "@remote-runtime/image";
import {
  RUNTIME_ID,
  ServiceError,
  type CallContext,
  type ErrorCode,
  type Handlers,
  type RouteOutput,
  type Routes,
} from "@remote-runtime/protocol";
import type { Clock } from "@remote-runtime/runtime";
import type { BuildReceiver } from "@remote-runtime/server";
import type { BuildPlacer } from "./build-placer.ts";
import type { BuildSender } from "./build-sender.ts";
import type { Directory } from "./directory.ts";
import { notFound } from "./not-found.ts";
import { ReplicaAwayError, type ReplicaCaller } from "./replica-caller.ts";

export type BuildHandlersOptions = {
  directory: Pick<Directory, "snapshot" | "replicasOf" | "isSettled">;
  caller: Pick<ReplicaCaller, "call" | "baseUrl">;
  receive: BuildReceiver;
  place: BuildPlacer;
  send: BuildSender;
  clock: Clock;
  /** The one replica's endpoints, where it is in this process. */
  local?: Handlers | undefined;
};

type BuildHandlers = Pick<Handlers, "build" | "buildStatus" | "buildLogs">;
type Status = RouteOutput<Routes["buildStatus"]>;

/** The replica has too many builds already. Of all refusals this is the one that clients wait out and send again. */
const FULL: ErrorCode = "too_many_requests";
/** It is full, is away, or broke off: built twice by accident, an image is the same. */
const NOT_TAKEN: ReadonlySet<ErrorCode> = new Set([FULL, "unavailable", "bad_gateway"]);
/** So long it waits for room at all replicas together, as clients wait for 30 s, and at each while there are others. */
const MOST_ASKING_MS = 15_000;
const ASKING_MS = 2_000;
/** So long the news of a new image may take from its replica to here. */
const NEWS_MS = 2_000;
const POLL_MS = 25;
/** With the registry away nobody else says that a replica is gone. */
const LOST_MS = 120_000;

/**
 * Builds at a gateway. The form names the image only after the files, so the upload is kept on disk until it is known which
 * replica it goes to. Everything else about a build is with that replica, whose tag its id carries.
 */
export function createBuildHandlers(options: BuildHandlersOptions): BuildHandlers {
  const { directory, caller, receive, place, send, local, clock } = options;
  /** By id, replicas that have not answered whoever asked for a build: since when, and when they were last asked. */
  const silences = new Map<string, { since: number; at: number }>();

  async function build(context: CallContext): Promise<RouteOutput<Routes["build"]>> {
    await using received = await receive(context.request);
    const except = new Set<string>();
    const until = clock.now() + MOST_ASKING_MS;
    let full: unknown;
    let last: unknown;
    // Ends when no replica is left: then `place` throws.
    for (;;) {
      const replica = await place(received, { except, last: full ?? last });
      const url = caller.baseUrl(replica, context.request);
      const others = [...directory.snapshot().replicas.keys()].filter((id) => !except.has(id));
      const roomWaitMs = others.length > 1 ? ASKING_MS : Math.max(ASKING_MS, until - clock.now());
      try {
        const { build_id } = await send(replica, received, {
          ...context,
          baseUrl: url,
          roomWaitMs,
        });
        return { build_id, url };
      } catch (error) {
        const { code } = ServiceError.from(error);
        if (!NOT_TAKEN.has(code)) throw error;
        if (code === FULL) full = error;
        last = error;
        if (full !== undefined && clock.now() >= until) throw full;
        except.add(replica.id);
      }
    }
  }

  async function status(build_id: string, context: CallContext): Promise<Status> {
    if (!RUNTIME_ID.test(build_id)) throw notFound("build", build_id);
    const replicas = directory.replicasOf(build_id);
    let last: Status | undefined;
    for (const replica of replicas) {
      try {
        const input = { query: { build_id } };
        const answer = await caller.call({ replica, route: "buildStatus", input, context });
        silences.delete(replica.id);
        if (answer.status === "SUCCESS") await untilKnown(answer.image, replica.id, options);
        // Another replica with the same tag may have it.
        if (answer.status !== "INTERNAL_ERROR") return answer;
        last ??= answer;
      } catch (error) {
        if (!(error instanceof ReplicaAwayError)) throw error;
        last = ofSilent(replica.id);
      }
    }
    if (last) return last;
    if (!directory.isSettled()) return { status: "WORKING", image: "", error: "" };
    return {
      status: "INTERNAL_ERROR",
      image: "",
      error: "the replica that had this build is gone, and the build with it",
    };
  }

  /** It may just be slow to answer, and clients ask again; but not for ever. */
  function ofSilent(replicaId: string): Status {
    const at = clock.now();
    const known = silences.get(replicaId);
    // What it was like when it was last asked long ago says nothing of now.
    const since = known && at - known.at < LOST_MS ? known.since : at;
    silences.set(replicaId, { since, at });
    if (at - since < LOST_MS) return { status: "WORKING", image: "", error: "" };
    const error = `replica ${replicaId}, which has this build, has not answered for ${LOST_MS / 1000} s; build again`;
    return { status: "INTERNAL_ERROR", image: "", error };
  }

  return {
    build: async (input, context) => (local ? local.build(input, context) : build(context)),
    buildStatus: ({ query }, context) => status(query.build_id, context),
    async buildLogs({ query }, context) {
      let last: unknown = notFound("build", query.build_id);
      for (const replica of directory.replicasOf(query.build_id)) {
        try {
          return await caller.call({ replica, route: "buildLogs", input: { query }, context });
        } catch (error) {
          last = error;
        }
      }
      throw last;
    },
  };
}

/** Who reads of a success asks for the image next. */
async function untilKnown(
  image: string,
  replicaId: string,
  { directory, clock }: Pick<BuildHandlersOptions, "directory" | "clock">,
): Promise<void> {
  const name = canonicalReference(image);
  const until = clock.now() + NEWS_MS;
  const { signal } = new AbortController();
  while (clock.now() < until && !directory.snapshot().images(replicaId).has(name)) {
    await clock.sleep(POLL_MS, signal);
  }
}
