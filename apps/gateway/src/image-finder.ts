import { canonicalReference } from "@remote-runtime/image";
import {
  ServiceError,
  type CallContext,
  type RouteOutput,
  type Routes,
} from "@remote-runtime/protocol";
import type { HeldImage } from "@remote-runtime/registry";
import type { RequestHead } from "@remote-runtime/server";
import type { Directory } from "./directory.ts";
import type { Placer } from "./placer.ts";
import type { ReplicaCaller } from "./replica-caller.ts";

type Answer = RouteOutput<Routes["imageExists"]>;

export type KnownImage = { held: HeldImage; url: string };

export interface ImageFinder {
  /**
   * Whether the image exists, and the URL of the replica that a start of it would go to. What no replica is known to hold
   * is asked of that one before it is denied. One that cannot answer is passed over, as it would be by a start.
   */
  find(image: string, context: CallContext): Promise<Answer>;
  /** What `imageAnswer` makes the same of, for a canonical reference, if it can be said from the inventories alone. */
  known(image: string, request: RequestHead): KnownImage | undefined;
}

export function createImageFinder({
  directory,
  placer,
  caller,
}: {
  directory: Pick<Directory, "snapshot">;
  placer: Pick<Placer, "preview">;
  caller: Pick<ReplicaCaller, "call" | "baseUrl">;
}): ImageFinder {
  function held(name: string, likeliestId: string): HeldImage | undefined {
    const { replicas, images } = directory.snapshot();
    const there = images(likeliestId).get(name);
    if (there) return there;
    for (const id of replicas.keys()) {
      const found = images(id).get(name);
      if (found) return found;
    }
    return undefined;
  }

  return {
    known(image, request) {
      try {
        const replica = placer.preview(image);
        const there = held(image, replica.id);
        return there && { held: there, url: caller.baseUrl(replica, request) };
      } catch {
        // No image, or no replica: `find` says so.
        return undefined;
      }
    },

    async find(image, context) {
      const name = canonicalReference(image);
      const passedOver = new Set<string>();
      let last: unknown;
      // Ends when no replica is left: then `preview` throws.
      for (;;) {
        const replica = placer.preview(name, { except: passedOver, last });
        const url = caller.baseUrl(replica, context.request);
        const there = held(name, replica.id);
        if (there) return imageAnswer({ held: there, url });
        try {
          const input = { query: { image } };
          const answer = await caller.call({ replica, route: "imageExists", input, context });
          return { ...answer, url };
        } catch (error) {
          if (ServiceError.from(error).code !== "unavailable") throw error;
          last = error;
          passedOver.add(replica.id);
        }
      }
    },
  };
}

export function imageAnswer({ held: { createdAt, sizeBytes }, url }: KnownImage): Answer {
  const upload_time = new Date(createdAt).toISOString();
  return { exists: true, image: { upload_time, image_size_bytes: sizeBytes }, url };
}
