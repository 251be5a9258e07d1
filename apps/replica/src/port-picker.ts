import { createServer } from "node:net";
import { setTimeout as wait } from "node:timers/promises";
import { ServiceError } from "@remote-runtime/protocol";
import { RuntimeRecord } from "@remote-runtime/registry";
import type { Engine } from "@remote-runtime/runtime";
import type { EngineShare } from "./peers.ts";

export type PortPickerOptions = {
  first: number;
  last: number;
  /** Host ports that belong to containers of the engine, see `heldPorts`. */
  held: () => Promise<ReadonlySet<number>>;
  /** Whether a port can be bound here; always true where this process does not share the host's network. */
  isFree: (port: number) => Promise<boolean>;
  /** Of the range, as `Peers` has it. */
  share: () => EngineShare;
  /** 0 ≤ x < 1. */
  random: () => number;
  /** Milliseconds since the epoch. */
  now: () => number;
};

const NONE: ReadonlySet<number> = new Set();
/** A start is answered at once: an engine that is slow to list is not waited for, as a taken port shows at its start. */
const HELD_DEADLINE_MS = 500;
/** So long a burst of starts goes by one list. */
const HELD_FRESH_MS = 1_000;

/**
 * A host port that nothing holds, from a range outside the kernel's ephemeral one. `conflict` when all are held. Replicas of
 * one engine begin in parts of their own: what the others have picked shows on the engine only when the container runs.
 */
export function createPortPicker({
  first,
  last,
  held,
  isFree,
  share,
  random,
  now,
}: PortPickerOptions) {
  const size = last - first + 1;
  let latest: { askedAt: number; ports: Promise<ReadonlySet<number>> } | undefined;

  function heldByOthers(): Promise<ReadonlySet<number>> {
    const at = now();
    if (latest && Math.abs(at - latest.askedAt) < HELD_FRESH_MS) return latest.ports;
    const late = wait(HELD_DEADLINE_MS, NONE, { ref: false });
    latest = { askedAt: at, ports: Promise.race([held().catch(() => NONE), late]) };
    return latest.ports;
  }

  /** All of the range: from anywhere in the own part to its end, its beginning, then the other parts. */
  function* candidates(): Generator<number> {
    const { index, count } = share();
    const from = Math.floor((size * index) / count);
    const length = Math.floor((size * (index + 1)) / count) - from;
    const offset = Math.floor(random() * length);
    for (let step = 0; step < length; step += 1) yield first + from + ((offset + step) % length);
    for (let step = length; step < size; step += 1) yield first + ((from + step) % size);
  }

  return async function pickPort(taken: ReadonlySet<number>): Promise<number> {
    const others = await heldByOthers();
    for (const port of candidates())
      if (!taken.has(port) && !others.has(port) && (await isFree(port))) return port;
    throw new ServiceError(
      "conflict",
      `every port of SANDBOX_PORT_RANGE=${first}-${last} is in use; give a larger range`,
    );
  };
}

/** What running containers publish, and what the paused ones of all replicas on the engine will need again. */
export async function heldPorts(
  engine: Pick<Engine, "publishedPorts" | "list">,
): Promise<ReadonlySet<number>> {
  const [published, sandboxes] = await Promise.all([engine.publishedPorts(), engine.list()]);
  return new Set([
    ...published,
    ...sandboxes.flatMap(({ recordLabel }) => hostPortOf(recordLabel)),
  ]);
}

function hostPortOf(recordLabel: string): number[] {
  try {
    const { hostPort } = RuntimeRecord.pick({ hostPort: true }).parse(JSON.parse(recordLabel));
    return hostPort === null ? [] : [hostPort];
  } catch {
    // A label of another version: what it publishes while it runs is known all the same.
    return [];
  }
}

/** Tries to bind the port on that address, and lets go of it at once. */
export function canBind(host: string, port: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const server = createServer();
  server.once("error", () => resolve(false));
  server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(true)));
  return promise;
}
