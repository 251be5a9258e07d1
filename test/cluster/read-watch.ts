import { expect } from "vitest";
import { z } from "zod";
import type { Api } from "../support/api.ts";
import { until } from "../support/until.ts";
import type { WireRuntime } from "../support/wire-runtime.ts";

/** What reads were answered over a time. A connection that was refused or reset is no answer. */
export type ReadHistory = {
  /** How often each status came, by status. */
  statuses: Map<number, number>;
  /** `path: status text` of each answer that was none of 200 and 404. */
  refusals: string[];
  /** `path: ids text` of each answer with 200 that lacks some of the runtimes. */
  incomplete: string[];
  slowestMs: number;
  unanswered: number;
};

export interface ReadWatch {
  /** Gives all that was seen. */
  stop(): Promise<ReadHistory>;
}

/** A way to read, and the ids that are in its answer. */
type Way = { path: string; has: readonly string[] };

const MOST_TOLD = 20;
const DEADLINE_MS = 120_000;
const EVERY_MS = 50;

const Named = z.object({ runtime_id: z.string() }).nullable();
const Answers = z.union([
  z.object({ runtimes: z.array(Named), total: z.number() }).transform(({ runtimes }) => runtimes),
  z.array(Named),
  Named.transform((one) => [one]),
]);

/** Reads these live runtimes in every way that clients do, round after round until `stop()`. */
export function watchReads(
  api: Api,
  runtimes: readonly Pick<WireRuntime, "runtime_id" | "session_id">[],
): ReadWatch {
  const batch = runtimes.map(({ session_id: id }) => `ids=${encodeURIComponent(id)}`).join("&");
  const has = runtimes.map(({ runtime_id: id }) => id);
  const ways: Way[] = [
    { path: "/list", has },
    { path: `/sessions/batch?${batch}`, has },
    ...runtimes.flatMap(({ runtime_id: id, session_id: session }) => [
      { path: `/runtime/${id}`, has: [id] },
      { path: `/sessions/${encodeURIComponent(session)}`, has: [id] },
    ]),
  ];
  const history: ReadHistory = {
    statuses: new Map(),
    refusals: [],
    incomplete: [],
    slowestMs: 0,
    unanswered: 0,
  };
  let going = true;

  function tell(list: string[], what: string): void {
    if (list.length < MOST_TOLD) list.push(`${new Date().toISOString()} ${what}`);
  }

  async function read(way: Way): Promise<void> {
    const began = performance.now();
    try {
      const { status, text } = await api.get(way.path);
      history.statuses.set(status, (history.statuses.get(status) ?? 0) + 1);
      if (status === 200) {
        const missing = missingIn(text, way.has);
        if (missing.length > 0)
          tell(history.incomplete, `${way.path}: no ${missing.join()} in ${text.slice(0, 300)}`);
      } else if (status !== 404) {
        tell(history.refusals, `${way.path}: ${status} ${text.slice(0, 300)}`);
      }
    } catch {
      history.unanswered += 1;
    }
    history.slowestMs = Math.max(history.slowestMs, performance.now() - began);
  }

  const watching = until(
    () => Promise.all(ways.map(read)),
    () => !going,
    { deadlineMs: DEADLINE_MS, everyMs: EVERY_MS, what: "the end of the watch" },
  );
  return {
    async stop() {
      going = false;
      await watching;
      return history;
    },
  };
}

function missingIn(text: string, ids: readonly string[]): string[] {
  const found = new Set(Answers.parse(JSON.parse(text)).map((one) => one?.runtime_id));
  return ids.filter((id) => !found.has(id));
}

/**
 * Ends the watches. Throws unless every read was answered with 200 and everything that is live. Gives the time of the
 * slowest of them, in milliseconds.
 */
export async function expectUndisturbed(...watches: readonly ReadWatch[]): Promise<number> {
  const histories = await Promise.all(watches.map((watch) => watch.stop()));
  for (const { refusals, incomplete, unanswered, statuses } of histories)
    expect({ refusals, incomplete, unanswered, statuses: [...statuses.keys()] }).toEqual({
      refusals: [],
      incomplete: [],
      unanswered: 0,
      statuses: [200],
    });
  return Math.max(...histories.map(({ slowestMs }) => slowestMs));
}
