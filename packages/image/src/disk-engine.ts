/** A file system as its user sees it: what others or root have of it counts as used. */
export type DiskSpace = { totalBytes: number; freeBytes: number };

/** An image that an engine keeps, with all its names. */
export type StoredImage = {
  /** Content id, `sha256:…`. */
  id: string;
  /** As the engine writes them: tags, then digests. Empty: dangling. */
  names: readonly string[];
  /** `sha256:…`, by which registries know it though its names do not say so. Default: none. */
  digests?: readonly string[];
  /** With the layers that it shares with others. */
  sizeBytes: number;
  /** A server of ours brought it, under every tag that it has. */
  isBrought: boolean;
};

/**
 * What keeping a disk free needs of a Docker engine. Errors are ServiceError: `unavailable` (the engine does not answer),
 * `bad_request` (it refuses).
 */
export interface DiskEngine {
  /** Of the file system that the engine keeps images on; `undefined` where that cannot be known. */
  space(): Promise<DiskSpace | undefined>;
  /** All images, dangling ones too. */
  stored(): Promise<StoredImage[]>;
  /** Content ids of the images that containers have, whatever state these are in. */
  inUse(): Promise<ReadonlySet<string>>;
  /**
   * Says of the image with this content id that this server brought it under this name, and that it was used now. The engine
   * keeps that with the image, for all servers and over all restarts.
   */
  mark(id: string, reference: string): Promise<void>;
  /** When an image was last marked, in milliseconds since the epoch; 0: never, or it is gone. */
  markedAt(id: string): Promise<number>;
  /** Removes an image with all its names, unless a container has it, which the engine makes sure of. */
  remove(image: StoredImage): Promise<"removed" | "in use">;
  /** What the build cache has beside images. */
  cacheBytes(): Promise<number>;
  /** Gives up build cache, longest unused first, so that about `freeBytes` come free. */
  trimBuildCache(freeBytes: number): Promise<void>;
}
