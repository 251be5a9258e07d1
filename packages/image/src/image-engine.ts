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

/** Told of a pull: one line of text with its units, and how many bytes have come, where that is known. */
export type OnPullProgress = (progress: string, bytes?: number) => void;

/**
 * What this package needs of a Docker engine. Errors are ServiceError: `not_found` (no such image, or no right to it),
 * `unavailable` (engine or registry does not answer).
 */
export interface ImageEngine {
  /** `undefined` when the engine does not hold it. */
  image(reference: string): Promise<EngineImage | undefined>;
  images(): Promise<EngineImage[]>;
  /**
   * Ends when the image is there. `fresh`: what the image's registry has now is
   * wanted, and nobody's copy of what it had (default false).
   */
  pull(
    reference: string,
    onProgress: OnPullProgress,
    signal: AbortSignal,
    fresh?: boolean,
  ): Promise<void>;
}
