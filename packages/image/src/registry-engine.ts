/** What this package needs of an engine towards image registries, which it asks on its own way and with its credentials. */
export interface RegistryEngine {
  /**
   * Whether the image's registry has it, for us. Throws RegistryAwayError when that does not answer, `forbidden` when it does
   * not let us know, `unavailable` when the engine does not answer or `signal` aborted.
   */
  isPublished(reference: string, signal: AbortSignal): Promise<boolean>;
  /**
   * Ends when the registry has the image that the engine holds under this name, which has a tag. Progress is one line of
   * text with its units. Throws RegistryAwayError as above, `not_found` when the registry does not let us.
   */
  push(
    reference: string,
    onProgress: (progress: string) => void,
    signal: AbortSignal,
  ): Promise<void>;
}
