/** What mirrors need of an engine. */
export interface MirrorEngine {
  /** Gives the image its other name, and takes the first one away. Both have a tag. */
  rename(from: string, to: string): Promise<void>;
}
