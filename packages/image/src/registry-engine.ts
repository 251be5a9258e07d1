/** What this package needs of an engine towards image registries, which it asks on its own way and with its credentials. */
export interface RegistryEngine {
  /**
   * Whether the image's registry has it, for us. Throws RegistryAwayError when that does not answer, `unavailable` when the
   * engine does not or `signal` aborted.
   */
  isPublished(reference: string, signal: AbortSignal): Promise<boolean>;
}
