/** `busy`: one that has it, or may have it, does not give it now; it may well do later. */
export type CopyOutcome = "copied" | "none" | "busy";

/** The other replicas whose engines hold images that this one's lacks. */
export interface Siblings {
  /**
   * Copies an image over from one of them, under its name. Progress is one line of text. Throws `unavailable` when
   * `signal` aborts.
   */
  copy(
    reference: string,
    onProgress: (progress: string) => void,
    signal: AbortSignal,
  ): Promise<CopyOutcome>;
}
