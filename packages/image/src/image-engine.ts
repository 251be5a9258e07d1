/** An image as the engine reports it. */
export type EngineImage = {
  /** Content id, `sha256:…`. */
  id: string;
  /** Every name that it goes by, as the engine writes them. */
  references: string[];
  sizeBytes: number;
  /** Milliseconds since the epoch. */
  createdAt: number;
  entrypoint: string[];
  command: string[];
};

/**
 * What this package needs of a Docker engine. Errors are ServiceError: `not_found` (no such image, or no right to it),
 * `unavailable` (engine or registry does not answer).
 */
export interface ImageEngine {
  /** `undefined` when the engine does not hold it. */
  image(reference: string): Promise<EngineImage | undefined>;
  images(): Promise<EngineImage[]>;
  /**
   * Ends when the image is there. Progress is one line of text with its units. `fresh`: what the image's registry has now is
   * wanted, and nobody's copy of what it had (default false).
   */
  pull(
    reference: string,
    onProgress: (progress: string) => void,
    signal: AbortSignal,
    fresh?: boolean,
  ): Promise<void>;
}
