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

export type PullRequest = {
  /** What the image's registry has now is wanted, and nobody's copy of what it had. Default false. */
  fresh?: boolean | undefined;
  /** Where another engine pulls the image, that may be said instead of pulling it here too. Default false. */
  mayWait?: boolean | undefined;
};

/** Nothing was pulled, as another engine is pulling the image. */
export type PulledElsewhere = {
  /** Ends when it is worth asking again: there may be a copy, or nobody pulls it any more. Rejects when `signal` aborts. */
  wait: (onProgress: OnPullProgress, signal: AbortSignal) => Promise<void>;
};

/**
 * What this package needs of a Docker engine. Errors are ServiceError: `not_found` (no such image, or no right to it),
 * `unavailable` (engine or registry does not answer).
 */
export interface ImageEngine {
  /** `undefined` when the engine does not hold it. */
  image(reference: string): Promise<EngineImage | undefined>;
  images(): Promise<EngineImage[]>;
  /** Ends when the image is there, or with `mayWait` earlier. */
  pull(
    reference: string,
    onProgress: OnPullProgress,
    signal: AbortSignal,
    request?: PullRequest,
  ): Promise<PulledElsewhere | void>;
}
