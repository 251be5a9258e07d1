export type EngineBuild = {
  /** A gzipped tar archive on disk, with the Dockerfile at its root. */
  contextPath: string;
  /** Every name that the image gets. */
  references: readonly string[];
  useCache: boolean;
  /** What the build prints, in pieces that end with a line. */
  onLog: (text: string) => void;
  signal: AbortSignal;
};

/**
 * What builds need of an engine. Errors are ServiceError: `bad_request` when the build itself has failed, `disk_full`, or
 * `unavailable` when the engine or a registry that the build needs does not answer or breaks off, or `signal` aborted.
 */
export interface BuildEngine {
  /** Ends when the engine holds the image under all its names; answers its content id. */
  build(build: EngineBuild): Promise<string>;
}
