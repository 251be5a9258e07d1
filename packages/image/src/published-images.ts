import { ServiceError } from "@remote-runtime/protocol";
import { canonicalReference } from "./canonical-reference.ts";
import { createRecent } from "./recent.ts";
import { splitDomain } from "./reference-domain.ts";
import type { RegistryEngine } from "./registry-engine.ts";

/** Asks image registries. */
export interface PublishedImages {
  /**
   * Whether the image's registry has it, for us. A registry that does not answer within the deadline is a no, at once for
   * all that is asked of it within the next 30 s. Throws `bad_request` for what is no image reference.
   */
  has(reference: string): Promise<boolean>;
}

export type PublishedImagesOptions = {
  engine: Pick<RegistryEngine, "isPublished">;
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
  const { engine, now, deadlineMs = 4_000, log } = options;
  const answers = createRecent<boolean>({ now, limit: MOST_ANSWERS });
  const away = createRecent<true>({ now, limit: MOST_HOSTS });
  const told = createRecent<true>({ now, limit: MOST_HOSTS });
  /** A thousand starts of one image ask once. */
  const asking = new Map<string, Promise<boolean>>();

  async function ask(name: string, reference: string, host: string): Promise<boolean> {
    const deadline = AbortSignal.timeout(deadlineMs);
    const late = Promise.withResolvers<never>();
    deadline.addEventListener("abort", () =>
      late.reject(new ServiceError("timeout", `no answer within ${deadlineMs / 1000} s`)),
    );
    try {
      const answer = await Promise.race([engine.isPublished(reference, deadline), late.promise]);
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

  return {
    async has(reference) {
      const name = canonicalReference(reference);
      // A content id, of which registries know nothing.
      if (!name.includes("/")) return false;
      const host = splitDomain(name).domain;
      if (host === OWN_HOST) return false;
      const known = answers.get(name);
      if (known !== undefined) return known;
      const asked = asking.get(name);
      if (asked) return asked;
      if (away.get(host)) return false;
      const answer = ask(name, reference, host);
      asking.set(name, answer);
      return answer;
    },
  };
}
