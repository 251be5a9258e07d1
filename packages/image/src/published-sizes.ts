import { ServiceError } from "@remote-runtime/protocol";
import pLimit, { type LimitFunction } from "p-limit";
import { canonicalReference } from "./canonical-reference.ts";
import type { ImagePart, ImageParts, ManifestReader } from "./manifest-reader.ts";
import { mirrored, type Mirror } from "./mirror.ts";
import { createRecent } from "./recent.ts";
import { RegistryAwayError } from "./registry-away-error.ts";

/** What is known of the images of a list. */
export type SizeSum = {
  /** Whose sizes are known. */
  known: number;
  /** Of these together, compressed; what several share counts once. */
  bytes: number;
  /** Not answered yet: who asks again soon learns more. */
  asking: number;
  /** Why the sizes of others are not known, and of how many. */
  unknown: ReadonlyMap<string, number>;
};

/** What images weigh in their registries. */
export interface PublishedSizes {
  /** Answers within seconds, with what is known by then; registries are asked only while somebody waits for it. */
  sum(references: Iterable<string>): Promise<SizeSum>;
}

export type PublishedSizesOptions = {
  registries: ManifestReader;
  /** Default: none. */
  mirrors?: readonly Mirror[];
  /** Milliseconds. */
  now: () => number;
  /** Default 5 s. */
  answerWithinMs?: number;
  /** For one image at one registry. Default 10 s. */
  deadlineMs?: number;
};

type Answer = { parts: readonly ImagePart[] } | { problem: string };
/** One registry: its questions wait here for their turn. */
type Host = {
  turns: LimitFunction;
  /** Whether it counts questions as pulls. */
  isCounting?: boolean;
  stopped?: { why: string; until: number };
};

const KNOWN_MS = 10 * 60_000;
/** Longer than a plan takes, so that nothing is asked twice for one. */
const UNKNOWN_MS = 2 * 60_000;
/** As many as a call names; they take some 30 MB. */
const MOST_ANSWERS = 10_000;
const MOST_HOSTS = 1_000;
const MOST_AT_ONCE = 64;
/** Where several platforms have the name, its index is asked for as well. */
const QUESTIONS_EACH = 2;
/** Of 100 that a registry allows, 4 at once. */
const FEW_OF = 25;

export function createPublishedSizes(options: PublishedSizesOptions): PublishedSizes {
  const { registries, mirrors = [], now, answerWithinMs = 5_000, deadlineMs = 10_000 } = options;
  const answers = createRecent<Answer>({ now, limit: MOST_ANSWERS });
  const hosts = createRecent<Host>({ now, limit: MOST_HOSTS });
  const asking = new Map<string, Promise<void>>();
  const turns = pLimit(MOST_AT_ONCE);

  function hostOf(name: string): Host {
    const host = name.slice(0, name.indexOf("/"));
    // The first question goes alone: it tells how many may follow.
    const found = hosts.get(host) ?? { turns: pLimit(1) };
    hosts.set(host, found, KNOWN_MS);
    return found;
  }

  async function partsAt(name: string): Promise<readonly ImagePart[]> {
    const host = hostOf(name);
    return host.turns(async () => {
      if (host.stopped && now() < host.stopped.until) {
        throw new ServiceError("unavailable", host.stopped.why);
      }
      const stop = (why: string): void => void (host.stopped = { why, until: now() + UNKNOWN_MS });
      try {
        const { parts, allowance } = await registries.parts(name, AbortSignal.timeout(deadlineMs));
        const most = mostAtOnce(allowance);
        host.isCounting = allowance !== undefined;
        if (most < 1) stop(tooFew(name, allowance));
        host.turns.concurrency = Math.max(1, most);
        return parts;
      } catch (error) {
        if (error instanceof RegistryAwayError) stop(error.message);
        // One that has only refused so far has not said whether it counts.
        else if (!host.isCounting) host.turns.concurrency = faster(host.turns.concurrency);
        throw error;
      }
    });
  }

  async function answerFor(name: string): Promise<Answer> {
    if (!name.includes("/")) return { problem: "a content id is in no registry" };
    if (name.startsWith("localhost/")) return { problem: "localhost is no registry" };
    let problem = "";
    // In the order in which they are pulled from; the last word is that of the image's own registry.
    for (const each of [...mirrored(name, mirrors), name]) {
      try {
        return { parts: await partsAt(each) };
      } catch (error) {
        problem = ServiceError.from(error).message;
      }
    }
    return { problem };
  }

  /** Ends when there is an answer; all who want it share one question. */
  function learn(name: string): Promise<void> {
    const asked = asking.get(name);
    if (asked) return asked;
    const learning = answerFor(name).then((answer) => {
      answers.set(name, answer, "parts" in answer ? KNOWN_MS : UNKNOWN_MS);
      asking.delete(name);
    });
    asking.set(name, learning);
    return learning;
  }

  function sumOf(names: Iterable<string>): SizeSum {
    const sizes = new Map<string, number>();
    const unknown = new Map<string, number>();
    const counts = { known: 0, asking: 0 };
    for (const name of names) {
      const answer = answers.get(name);
      if (answer === undefined) counts.asking += 1;
      else if ("problem" in answer) {
        unknown.set(answer.problem, (unknown.get(answer.problem) ?? 0) + 1);
      } else {
        counts.known += 1;
        for (const { digest, sizeBytes } of answer.parts) sizes.set(digest, sizeBytes);
      }
    }
    const bytes = sizes.values().reduce((sum, size) => sum + size, 0);
    return { ...counts, bytes, unknown };
  }

  return {
    async sum(references) {
      const names = new Set([...references].map(canonicalReference));
      const missing = [...names].filter((name) => answers.get(name) === undefined);
      const over = AbortSignal.timeout(answerWithinMs);
      const late = Promise.withResolvers<void>();
      over.addEventListener("abort", () => late.resolve(), { once: true });
      const learned = missing.map((name) =>
        turns(async () => {
          if (!over.aborted && answers.get(name) === undefined) await learn(name);
        }),
      );
      await Promise.race([Promise.all(learned), late.promise]);
      return sumOf(names);
    },
  };
}

/** So many that half of what a registry allows is left for pulls whatever becomes of them, and few, as other replicas ask as well. */
function mostAtOnce(allowance: ImageParts["allowance"]): number {
  if (!allowance) return MOST_AT_ONCE;
  const spare = allowance.left - allowance.all / 2;
  const few = Math.max(1, allowance.all / FEW_OF);
  return Math.floor(Math.min(MOST_AT_ONCE, few, spare / QUESTIONS_EACH));
}

function faster(atOnce: number): number {
  return Math.min(MOST_AT_ONCE, 2 * atOnce);
}

function tooFew(name: string, allowance: ImageParts["allowance"]): string {
  const host = name.slice(0, name.indexOf("/"));
  return `${host} allows ${allowance?.left} of ${allowance?.all} more questions, which are left for pulls`;
}
