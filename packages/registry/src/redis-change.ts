import { z } from "zod";
import type { Change } from "./change.ts";
import { heldImages } from "./images-text.ts";
import { parseEntry } from "./parse-entry.ts";
import { ReplicaInfo } from "./replica-info.ts";

const Message = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("replica"), replica: ReplicaInfo }),
  z.object({ kind: z.literal("left"), replicaId: z.string() }),
  z.object({
    kind: z.literal("inventory"),
    replicaId: z.string(),
    version: z.number(),
    /** Absent where it would be too large for a message. */
    change: z
      .object({ added: z.record(z.string(), z.unknown()), removed: z.array(z.string()) })
      .optional(),
  }),
  z.object({ kind: z.literal("group"), image: z.string(), replicaId: z.string() }),
  z.object({
    kind: z.literal("starts"),
    by: z.string(),
    starts: z.array(z.object({ image: z.string(), replicaId: z.string(), count: z.number() })),
  }),
  z.object({ kind: z.literal("drain"), replicaId: z.string(), draining: z.boolean() }),
  z.object({ kind: z.literal("pins") }),
]);

/** What a message on the channel says; `unknown` where another version wrote what does not parse. */
export function parseChange(text: string): Change {
  const message = parseEntry(Message, text);
  if (message?.kind !== "inventory") return message ?? { kind: "unknown" };
  const { change, ...rest } = message;
  if (change === undefined) return { ...rest, change: undefined };
  const added = heldImages(Object.entries(change.added));
  return { ...rest, change: { added, removed: change.removed } };
}
