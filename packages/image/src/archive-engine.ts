/** What copies between engines need of one. Errors are ServiceError. */
export interface ArchiveEngine {
  /**
   * The image under this name as an archive, uncompressed. It may take long to begin, as the engine writes all of it to
   * disk first. Throws `not_found` when the engine does not hold it.
   */
  save(reference: string, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>>;
  /** Takes such an archive in. An archive that breaks off leaves nothing behind, and its error is thrown. */
  load(archive: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<void>;
}
