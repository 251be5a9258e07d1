import { canonicalReference } from "./canonical-reference.ts";
import type { OnPullProgress, PulledElsewhere } from "./image-engine.ts";
import type { PullLeases } from "./pull-leases.ts";
import type { Siblings } from "./siblings.ts";

export type SharedPullsOptions = {
  leases: PullLeases;
  siblings: Pick<Siblings, "have">;
  /** Ends after `ms`, or rejects when `signal` aborts. */
  sleep: (ms: number, signal: AbortSignal) => Promise<void>;
};

export interface SharedPulls {
  /**
   * Runs `pull` while other engines that want the image wait for it, and throws what it throws. Where another engine pulls
   * it, nothing is run with `mayWait`, and what may be waited for is returned.
   */
  run(
    reference: string,
    mayWait: boolean,
    pull: () => Promise<void>,
  ): Promise<PulledElsewhere | undefined>;
}

/** A lease ends after a few of these. */
const RENEW_MS = 4_000;
const LOOK_MS = 1_000;
/** With the three waits of a pull an hour: what takes longer is pulled here as well. */
const MOST_WAIT_MS = 20 * 60_000;

/** Pulls that of all engines one at a time does. */
export function createSharedPulls({ leases, siblings, sleep }: SharedPullsOptions): SharedPulls {
  /** Which other replica pulls it. While the registry is away nobody is waited for: that is told elsewhere. */
  const holderOf = (name: string): Promise<string | undefined> =>
    leases.take(name).catch(() => undefined);

  async function renew(name: string, ended: AbortSignal): Promise<void> {
    for (;;) {
      await sleep(RENEW_MS, ended).catch(() => undefined);
      if (ended.aborted) return;
      await holderOf(name);
    }
  }

  async function leased(name: string, pull: () => Promise<void>): Promise<void> {
    const ending = new AbortController();
    void renew(name, ending.signal);
    try {
      await pull();
      // It ends by itself: that the image is here, the others hear a moment later.
      void holderOf(name);
    } catch (error) {
      // It ends by itself where the registry is away.
      void leases.release(name).catch(() => undefined);
      throw error;
    } finally {
      ending.abort();
    }
  }

  async function untilOver(
    { name, holder }: { name: string; holder: string },
    onProgress: OnPullProgress,
    signal: AbortSignal,
  ): Promise<void> {
    for (let waitedMs = 0; waitedMs < MOST_WAIT_MS; waitedMs += LOOK_MS) {
      onProgress(`replica ${holder} pulls it; its copy is waited for`);
      await sleep(LOOK_MS, signal);
      if (await siblings.have(name).catch(() => true)) return;
      if ((await holderOf(name)) !== holder) return;
    }
  }

  return {
    async run(reference, mayWait, pull) {
      const name = canonicalReference(reference);
      const holder = await holderOf(name);
      if (holder !== undefined && mayWait) {
        return { wait: (...how) => untilOver({ name, holder }, ...how) };
      }
      await leased(name, pull);
      return undefined;
    },
  };
}
