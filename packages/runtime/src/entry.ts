import type { EngineImage, Injection } from "@remote-runtime/image";
import type { Observed, RuntimeRecord, Verdict } from "@remote-runtime/registry";
import type { Sandbox } from "./engine.ts";
import type { Action } from "./next.ts";

/** Oldest events are dropped beyond this many. */
const MOST_EVENTS = 50;

/** What took a process away that ended without our doing: its own end, or that of the engine. */
export type Loss = "exited" | "engine_lost";

/** A runtime as its replica holds it in memory: the record, and what only a living process knows. */
export type Entry = {
  record: RuntimeRecord;
  /** The record as it was last given to the ledger. */
  saved: RuntimeRecord | null;
  endpoints: Sandbox["endpoints"];
  /** What is being done with it, one thing at a time; `accept`: the registry is told of it first. */
  step: Action["kind"] | "accept" | null;
  /** Aborts the step in progress where that can be aborted. */
  interrupt: AbortController;
  /** Settles once the registry has the record, or has failed to take it. */
  accepted: Promise<void>;
  /** Set while its container may be other than what is observed; each sign of that is a new object. */
  suspicion: { lost: Loss } | null;
  /** It has failed, and a container may be there that has to be removed or ended. */
  debris: boolean;
  /** It has failed, and its container is gone with all files. */
  filesGone: boolean;
  /** Last use that the proxy does not see: /start, /resume, adoption. */
  claimedAt: number;
  /** Whether anyone came back after /start. */
  touched: boolean;
  /** The image, once the engine holds it. */
  image: EngineImage | null;
  /** What is mounted into its container. Known with the image. */
  injections: readonly Injection[];
  /** Failed tries of which there may be only so many, since it was last ready or resumed. */
  failures: number;
  /** How often its host port turned out to be taken. */
  portMoves: number;
  /** Another replica has it: nothing more is done with it here. */
  isLost: boolean;
};

export function createEntry(record: RuntimeRecord, now: number): Entry {
  return {
    record,
    saved: null,
    endpoints: {},
    step: null,
    interrupt: new AbortController(),
    accepted: Promise.resolve(),
    suspicion: null,
    debris: false,
    filesGone: false,
    claimedAt: now,
    touched: false,
    image: null,
    injections: [],
    failures: 0,
    portMoves: 0,
    isLost: false,
  };
}

export function observe(entry: Entry, observed: Observed): void {
  entry.record = { ...entry.record, observed };
}

/** Adds a line to the history, unless that says so already. */
export function note(entry: Entry, at: number, reason: string, message: string): void {
  entry.record = noted(entry.record, at, reason, message);
}

/** The same, in place of the last line if that is of the same kind: what goes on and on is one line. */
export function noteAnew(entry: Entry, at: number, reason: string, message: string): void {
  const { events } = entry.record;
  const kept = events.at(-1)?.reason === reason ? events.slice(0, -1) : events;
  entry.record = noted({ ...entry.record, events: kept }, at, reason, message);
}

/** It cannot go on. Whatever there is of a container is no longer to be reached, and is put away. */
export function fail(entry: Entry, at: number, verdict: Verdict, reason: string): void {
  // What is being removed has its verdict.
  if (entry.record.desired === "stopped") return;
  entry.record = failedRecord(entry.record, at, verdict, reason);
  entry.endpoints = {};
  entry.suspicion = null;
  entry.debris = true;
}

export function failedRecord(
  record: RuntimeRecord,
  at: number,
  verdict: Verdict,
  reason: string,
): RuntimeRecord {
  const observed: Observed = { state: "failed", verdict, reason };
  const failed = { ...record, observed, verdict, endedAt: at, restingSince: at };
  return noted(failed, at, "Failed", reason);
}

export function noted(
  record: RuntimeRecord,
  at: number,
  reason: string,
  message: string,
): RuntimeRecord {
  const last = record.events.at(-1);
  if (last?.reason === reason && last.message === message) return record;
  return { ...record, events: [...record.events, { at, reason, message }].slice(-MOST_EVENTS) };
}
