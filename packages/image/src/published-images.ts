import { ServiceError } from "@remote-runtime/protocol";
import { canonicalReference } from "./canonical-reference.ts";
import { mirrored, type Mirror } from "./mirror.ts";
import { createRecent } from "./recent.ts";
import { RegistryAwayError } from "./registry-away-error.ts";
import type { RegistryEngine } from "./registry-engine.ts";

/** Asks image registries. */
export interface PublishedImages {
  /**
   * Whether a mirror of the image's registry has it, or that registry itself, for us. A registry that is away, or does not answer
   * within its share of the deadline, is a no, at once for all that is asked of it within the next 30 s. Throws `bad_request` for what is no image reference.
   */
  has(reference: string): Promise<boolean>;
}

export type PublishedImagesOptions = {
  engine: Pick<RegistryEngine, "isPublished">;
  /** Default: none. */
  mirrors?: readonly Mirror[];
  /** Milliseconds. */
  now: () => number;
  /** For a question with all its mirrors. Default 4 s. */
  deadlineMs?: number;
  log: { warn(details: object, message: string): void };
};

/** Images are seldom removed from a registry, but often asked for just before they are pushed. */
const YES_MS = 60_000;
const NO_MS = 3_000;
const AWAY_MS = 30_000;
/** A registry that stays away, or an image that cannot be asked for, is not told of again within that time. */
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

  async function ask(name: string, host: string, shareMs: number): Promise<boolean> {
    const deadline = AbortSignal.timeout(shareMs);
    const late = Promise.withResolvers<never>();
    deadline.addEventListener("abort", () =>
      late.reject(new ServiceError("timeout", `no answer within ${shareMs / 1000} s`)),
    );
    try {
      const answer = await Promise.race([engine.isPublished(name, deadline), late.promise]);
      answers.set(name, answer, answer ? YES_MS : NO_MS);
      told.delete(host);
      told.delete(name);
      return answer;
    } catch (error) {
      if (error instanceof RegistryAwayError || deadline.aborted) {
        away.set(host, true, AWAY_MS);
        tell(
          host,
          { err: error, host },
          "an image registry does not answer: taken to have nothing",
        );
      } else {
        answers.set(name, false, NO_MS);
        // Some say so of whatever they do not have: that is told once, and not of each name.
        const isRefused = error instanceof ServiceError && error.code === "forbidden";
        if (isRefused) {
          const details = { err: error, host, image: name };
          tell(`refusal ${host}`, details, "an image registry refuses to say: taken as absent");
        } else
          tell(
            name,
            { err: error, image: name },
            "an image could not be asked for: taken as absent",
          );
      }
      return false;
    } finally {
      asking.delete(name);
    }
  }

  function tell(what: string, details: object, message: string): void {
    if (told.get(what)) return;
    log.warn(details, message);
    told.set(what, true, TOLD_MS);
  }

  async function hasAt(name: string, shareMs: number): Promise<boolean> {
    const host = hostOf(name);
    if (host === OWN_HOST) return false;
    const known = answers.get(name);
    if (known !== undefined) return known;
    const asked = asking.get(name);
    if (asked) return asked;
    if (away.get(host)) return false;
    const answer = ask(name, host, shareMs);
    asking.set(name, answer);
    return answer;
  }

  return {
    async has(reference) {
      const name = canonicalReference(reference);
      // A content id, of which registries know nothing.
      if (!name.includes("/")) return false;
      const names = [...mirrored(name, mirrors), name];
      const shareMs =
        deadlineMs / Math.max(1, names.filter((each) => !away.get(hostOf(each))).length);
      // In the order in which they are pulled from.
      for (const each of names) if (await hasAt(each, shareMs)) return true;
      return false;
    },
  };
}

function hostOf(name: string): string {
  return name.slice(0, name.indexOf("/"));
}
