import type { OnPullProgress } from "./image-engine.ts";

/** `busy`: one that has it, or may have it, does not give it now; it may well do later. */
export type CopyOutcome = "copied" | "none" | "busy";

/** The other replicas whose engines hold images that this one's lacks. */
export interface Siblings {
  /** Whether one of them that answers has the image. Throws `unavailable` where that is not known. */
  have(reference: string): Promise<boolean>;
  /**
   * Copies an image over from one of them, under its name. Throws `unavailable` when
   * `signal` aborts.
   */
  copy(reference: string, onProgress: OnPullProgress, signal: AbortSignal): Promise<CopyOutcome>;
}
