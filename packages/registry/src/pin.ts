import { z } from "zod";

/** Who has pinned an image, and when. */
export const Pin = z.object({
  /** The name of the API key. */
  by: z.string(),
  /** Milliseconds since the epoch. */
  at: z.number(),
});
export type Pin = z.infer<typeof Pin>;

/** By canonical reference. */
export type Pins = ReadonlyMap<string, Pin>;

/** So many images can be pinned. */
export const MOST_PINS = 100_000;
