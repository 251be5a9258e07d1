import { setTimeout as wait } from "node:timers/promises";
import type { EngineEvent, Log } from "@remote-runtime/runtime";
import { z } from "zod";
import { CONTAINER_LABEL } from "./container-label.ts";
import type { Docker } from "./create-docker.ts";
import { CALL_DEADLINE_MS } from "./engine-call.ts";
import { engineError } from "./engine-error.ts";
import { jsonLines } from "./json-lines.ts";

const FIRST_RETRY_MS = 100;
const LAST_RETRY_MS = 5_000;
const CONTAINER_ACTIONS = { start: "started", die: "died", destroy: "removed" } as const;
const IMAGE_ACTIONS = ["pull", "load", "import", "tag", "untag", "delete"];

const Message = z.object({
  Type: z.string(),
  Action: z.string(),
  Actor: z.object({ Attributes: z.record(z.string(), z.string()).nullish() }),
});

export type WatchOptions = {
  docker: Docker;
  onEvent: (event: EngineEvent) => void;
  signal: AbortSignal;
  log: Pick<Log, "warn">;
  /** Milliseconds since the epoch. */
  now: () => number;
};

/**
 * Reads the engine's event stream until `signal` aborts, connecting again after 0.1 s, then twice as long each time, at
 * most 5 s. Events since the call are not lost while the first connection is made; what fails or ends is told as
 * `disconnected`, once, and the next connection begins with `reconnected`.
 */
export async function watchEvents({
  docker,
  onEvent,
  signal,
  log,
  now,
}: WatchOptions): Promise<void> {
  const since = now();
  let connections = 0;
  let retryMs = FIRST_RETRY_MS;
  let said = false;
  let isFollowing = true;
  while (!signal.aborted) {
    let openedAt = Number.POSITIVE_INFINITY;
    try {
      const stream = await open(docker, signal, connections === 0 ? since : undefined);
      if (!isFollowing) onEvent({ kind: "reconnected" });
      isFollowing = true;
      connections += 1;
      openedAt = now();
      said = false;
      for await (const value of jsonLines(stream)) {
        const event = eventOf(value);
        if (event) onEvent(event);
      }
    } catch (error) {
      if (signal.aborted) return;
      if (!said)
        log.warn(
          { err: engineError("events", error) },
          "the engine's event stream broke; connecting again",
        );
      said = true;
    }
    if (isFollowing) onEvent({ kind: "disconnected" });
    isFollowing = false;
    // A stream that breaks at once must not be opened ten times a second.
    if (now() - openedAt > LAST_RETRY_MS) retryMs = FIRST_RETRY_MS;
    await wait(retryMs, undefined, { signal }).catch(() => undefined);
    retryMs = Math.min(retryMs * 2, LAST_RETRY_MS);
  }
}

async function open(
  docker: Docker,
  signal: AbortSignal,
  since: number | undefined,
): Promise<NodeJS.ReadableStream> {
  const connecting = new AbortController();
  const deadline = setTimeout(() => connecting.abort(), CALL_DEADLINE_MS);
  try {
    return await docker.getEvents({
      ...(since !== undefined && { since: since / 1000 }),
      filters: {
        type: ["container", "image"],
        event: [...Object.keys(CONTAINER_ACTIONS), ...IMAGE_ACTIONS],
      },
      abortSignal: AbortSignal.any([signal, connecting.signal]),
    });
  } finally {
    clearTimeout(deadline);
  }
}

/** The engine's label filter would also hide images, so containers of others are left out here. */
function eventOf(value: unknown): EngineEvent | undefined {
  const { Type, Action, Actor } = Message.parse(value);
  if (Type === "image") return { kind: "images" };
  const id = Actor.Attributes?.[CONTAINER_LABEL.id];
  const action = Object.entries(CONTAINER_ACTIONS).find(([name]) => name === Action)?.[1];
  return id === undefined || action === undefined ? undefined : { kind: "sandbox", id, action };
}
