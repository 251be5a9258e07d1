import { z } from "zod";
import { parseEntry } from "./parse-entry.ts";

const Stopped = z.object({ desired: z.literal("stopped") });

/** Whether a stored record, of any version, is of a runtime that was stopped: there is no way back from that. */
export function isStopped(text: unknown): boolean {
  return parseEntry(Stopped, text) !== undefined;
}
