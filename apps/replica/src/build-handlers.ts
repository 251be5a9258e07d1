import type { Builds } from "@remote-runtime/image";
import {
  RUNTIME_ID,
  ServiceError,
  type CallContext,
  type Handlers,
} from "@remote-runtime/protocol";
import type { BuildReceiver } from "@remote-runtime/server";

export type BuildHandlersOptions = {
  builds: Builds;
  receive: BuildReceiver;
  /** Where this request's client reaches this replica. */
  baseOf: (request: Request) => string;
};

type BuildHandlers = Pick<Handlers, "build" | "buildStatus" | "buildLogs">;

/** Why this server does not know a build, whose id it can well have given. */
const LOST =
  "this server has no such build (any more): it was started anew while the build ran, or has forgotten it since";

/** Builds on one replica: the upload is on disk and checked when the answer goes out, the build comes after. */
export function createBuildHandlers({
  builds,
  receive,
  baseOf,
}: BuildHandlersOptions): BuildHandlers {
  return {
    async build(_, { owner, request }: CallContext) {
      builds.assertRoom();
      const received = await receive(request);
      try {
        const build_id = builds.submit({
          owner,
          contextPath: received.path,
          digest: received.context.digest,
          references: received.references,
          baseImages: received.context.baseImages,
          useCache: received.useCache,
          discard: async () => received[Symbol.asyncDispose](),
        });
        return { build_id, url: baseOf(request) };
      } catch (error) {
        await received[Symbol.asyncDispose]();
        throw error;
      }
    },

    async buildStatus({ query: { build_id } }, { owner }) {
      const view = builds.view(build_id, owner);
      if (view) return view;
      if (!RUNTIME_ID.test(build_id)) throw noBuild();
      // Clients poll for half an hour unless they are told.
      return { status: "INTERNAL_ERROR", image: "", error: LOST };
    },

    async buildLogs({ query: { build_id } }, { owner }) {
      const log = await builds.log(build_id, owner);
      if (!log) throw noBuild();
      return { build_id, log: log.text, truncated: log.isCut };
    },
  };
}

function noBuild(): ServiceError {
  return new ServiceError("not_found", "no such build");
}
