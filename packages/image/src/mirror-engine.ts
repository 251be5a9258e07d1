/** What mirrors need of an engine. */
export interface MirrorEngine {
  /** Gives an image one more name, which has a tag. */
  tag(reference: string, name: string): Promise<void>;
  /** Takes one of its names, which is not the only one, from an image. */
  untag(name: string): Promise<void>;
}
