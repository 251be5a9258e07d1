import { ServiceError } from "@remote-runtime/protocol";
import { canonicalReference } from "./canonical-reference.ts";
import { mirrored, type Mirror } from "./mirror.ts";
import { createRecent } from "./recent.ts";
import type { RegistryEngine } from "./registry-engine.ts";

/** Asks image registries. */
export interface PublishedImages {
  /**
   * Whether a mirror of the image's registry has it, or that registry itself, for us. A registry that does not answer within the deadline is a no, at once for
   * all that is asked of it within the next 30 s. Throws `bad_request` for what is no image reference.
   */
  has(reference: string): Promise<boolean>;
}

export type PublishedImagesOptions = {
  engine: Pick<RegistryEngine, "isPublished">;
  /** Default: none. */
  mirrors?: readonly Mirror[];
  /** Milliseconds. */
  now: () => number;
  /** Default 4 s. */
  deadlineMs?: number;
  log: { warn(details: object, message: string): void };
};

/** Images are seldom removed from a registry, but often asked for just before they are pushed. */
const YES_MS = 60_000;
const NO_MS = 3_000;
const AWAY_MS = 30_000;
/** A registry that stays away is not told of again within that time. */
const TOLD_MS = 10 * 60_000;
const MOST_ANSWERS = 10_000;
const MOST_HOSTS = 1_000;
/** Names that begin so are of an engine's own images: no registry has that host's name and no port. */
const OWN_HOST = "localhost";

export function createPublishedImages(options: PublishedImagesOptions): PublishedImages {
  const { engine, mirrors = [], now, deadlineMs = 4_000, log } = options;
  const answers = createRecent<boolean>({ now, limit: MOST_ANSWERS });
  const away = createRecent<true>({ now, limit: MOST_HOSTS });
  const told = createRecent<true>({ now, limit: MOST_HOSTS });
  /** A thousand starts of one image ask once. */
  const asking = new Map<string, Promise<boolean>>();

  async function ask(name: string, host: string): Promise<boolean> {
    const deadline = AbortSignal.timeout(deadlineMs);
    const late = Promise.withResolvers<never>();
    deadline.addEventListener("abort", () =>
      late.reject(new ServiceError("timeout", `no answer within ${deadlineMs / 1000} s`)),
    );
    try {
      const answer = await Promise.race([engine.isPublished(name, deadline), late.promise]);
      answers.set(name, answer, answer ? YES_MS : NO_MS);
      told.delete(host);
      return answer;
    } catch (error) {
      away.set(host, true, AWAY_MS);
      if (!told.get(host)) {
        log.warn({ err: error, host }, "an image registry does not answer: taken to have nothing");
        told.set(host, true, TOLD_MS);
      }
      return false;
    } finally {
      asking.delete(name);
    }
  }

  async function hasAt(name: string): Promise<boolean> {
    const host = name.slice(0, name.indexOf("/"));
    if (host === OWN_HOST) return false;
    const known = answers.get(name);
    if (known !== undefined) return known;
    const asked = asking.get(name);
    if (asked) return asked;
    if (away.get(host)) return false;
    const answer = ask(name, host);
    asking.set(name, answer);
    return answer;
  }

  return {
    async has(reference) {
      const name = canonicalReference(reference);
      // A content id, of which registries know nothing.
      if (!name.includes("/")) return false;
      // In the order in which they are pulled from.
      for (const each of [...mirrored(name, mirrors), name]) if (await hasAt(each)) return true;
      return false;
    },
  };
}
