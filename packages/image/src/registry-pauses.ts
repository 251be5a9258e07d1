import { canonicalReference } from "./canonical-reference.ts";
import { RegistryBusyError } from "./registry-away-error.ts";

/** Leaves registries alone that want to be asked less, for all images that they have. */
export interface RegistryPauses {
  /** Asks the reference's registry, unless it is to be left alone now: then RegistryBusyError, without asking. */
  ask<T>(reference: string, question: () => Promise<T>): Promise<T>;
}

const FIRST_MS = 5_000;
/** What a registry asks for may be less than a millisecond, which it says to each of hundreds. */
const SHORTEST_MS = 1_000;
const LONGEST_MS = 120_000;
/** A registry that has not said so for so long is trusted as at the beginning. */
const FORGOTTEN_MS = 600_000;

type Pause = { since: number; until: number; ms: number; reason: string };

/**
 * The first pause is as long as the registry has asked for, or 5 s. Each is twice as long as the one before, or as long as was
 * asked for if that is more, two minutes at most, until there has been none for ten minutes.
 */
export function createRegistryPauses({ now }: { now: () => number }): RegistryPauses {
  /** By host. */
  const pauses = new Map<string, Pause>();

  function pause(host: string, { message, wantedMs }: RegistryBusyError, askedAt: number): Pause {
    const last = pauses.get(host);
    // Asked before the others were told to wait: that says nothing new.
    if (last && askedAt < last.since) return last;
    const least = last ? 2 * last.ms : (wantedMs ?? FIRST_MS);
    const ms = Math.min(Math.max(SHORTEST_MS, least, wantedMs ?? 0), LONGEST_MS);
    const since = now();
    const next = { since, until: since + ms, ms, reason: message };
    pauses.set(host, next);
    return next;
  }

  function forgetOld(): void {
    for (const [host, { until }] of pauses) {
      if (now() - until > FORGOTTEN_MS) pauses.delete(host);
    }
  }

  return {
    async ask(reference, question) {
      forgetOld();
      const name = canonicalReference(reference);
      const host = name.slice(0, name.indexOf("/"));
      const askedAt = now();
      const current = pauses.get(host);
      if (current && askedAt < current.until) {
        const message = `${host} is left alone, as it has said: ${current.reason}`;
        const pauseMs = current.until - askedAt;
        throw new RegistryBusyError(message, { pauseMs });
      }
      try {
        return await question();
      } catch (error) {
        if (!(error instanceof RegistryBusyError)) throw error;
        const { until } = pause(host, error, askedAt);
        const pauseMs = Math.max(0, until - now());
        throw new RegistryBusyError(error.message, { pauseMs, cause: error });
      }
    },
  };
}
