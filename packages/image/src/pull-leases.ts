/** What all engines agree on: which one of them pulls an image, by canonical reference, from its public registry. */
export interface PullLeases {
  /**
   * Takes the image for this engine for some seconds, or begins its time anew. Answers `undefined`, or which replica has
   * it where another engine does. Throws `unavailable` where that is not known.
   */
  take(name: string): Promise<string | undefined>;
  /** Gives it back, if this engine has it. */
  release(name: string): Promise<void>;
}
