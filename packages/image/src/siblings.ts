/** The other replicas whose engines hold images that this one's lacks. */
export interface Siblings {
  /**
   * Copies an image over from one of them, under its name; `false` when none has it, or none can give it. Progress is one
   * line of text. Throws `unavailable` when `signal` aborts.
   */
  copy(
    reference: string,
    onProgress: (progress: string) => void,
    signal: AbortSignal,
  ): Promise<boolean>;
}
