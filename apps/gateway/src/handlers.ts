import type { CallContext, Routes, RuntimeObject, StartRequest } from "@remote-runtime/protocol";
import type { StreamingHandlers } from "@remote-runtime/server";
import type { Asker } from "./asker.ts";
import type { createBuildHandlers } from "./build-handlers.ts";
import type { Commands } from "./commands.ts";
import type { ImageFinder } from "./image-finder.ts";
import type { Lister } from "./lister.ts";
import { notFound } from "./not-found.ts";
import type { Reader } from "./reader.ts";

export type HandlersOptions = {
  asker: Asker;
  reader: Reader;
  list: Lister;
  commands: Commands;
  start: (body: StartRequest, context: CallContext) => Promise<RuntimeObject>;
  finder: ImageFinder;
  builds: ReturnType<typeof createBuildHandlers>;
  version: string;
};

/**
 * Each endpoint on a gateway: find the replica that has the runtime, or choose one, and let it answer. What a replica
 * that is gone would have said is taken from its records.
 */
export function createHandlers({
  asker,
  reader,
  list,
  commands,
  start,
  finder,
  builds,
  version,
}: HandlersOptions): StreamingHandlers<Routes> {
  return {
    start: ({ body }, context) => start(body, context),
    stop: ({ body }, context) => commands.stop(body.runtime_id, context),
    pause: ({ body }, context) => commands.pause(body.runtime_id, context),
    resume: ({ body }, context) => commands.resume(body.runtime_id, context),

    async runtime({ params }, context) {
      const id = params.runtime_id;
      const found = await reader.runtime(id, context);
      // The oldest clients look their session up here.
      const answer = found ?? (await reader.session(id, context));
      if (!answer) throw notFound("runtime", id);
      return answer;
    },

    async session({ params }, context) {
      const answer = await reader.session(params.session_id, context);
      if (!answer) throw notFound("session", params.session_id);
      return answer;
    },

    sessionBatch: ({ query }, context) => reader.sessions(query.ids, context),

    list: ({ query }, context) => list(query.status, context),

    imageExists: ({ query }, context) => finder.find(query.image, context),
    ...builds,
    // All replicas are configured alike.
    registryPrefix: (_, context) => asker.any("registryPrefix", {}, context),
    warmRuntimeConfigs: async () => ({ configs: [] }),
    health: async () => ({ status: "ok", version }),
  };
}
