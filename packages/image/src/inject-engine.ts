/** A path of an image, by its content id. */
export type InjectSource = { path: string; imageId: string };

/** What an engine keeps of a source: a volume with the files, made once. */
export type InjectVolume = InjectSource & { name: string };

/** Runs what writes to the engine's disk once there is room for it. */
export type InRoom = <T>(copy: () => Promise<T>) => Promise<T>;

/** What stands at a path of an image. */
export type PathKind = "absent" | "directory" | "other";

/**
 * What injection needs of a Docker engine. Errors are ServiceError: `not_found` (no such image), `unavailable` (the engine
 * does not answer), `bad_request` (it refuses).
 */
export interface InjectEngine {
  /** Asked once for each image and path, as images never change. */
  pathKind(source: InjectSource): Promise<PathKind>;
  /** Bytes that a copy of the directory takes on disk. All of it is read for that, once. */
  sizeOf(source: InjectSource): Promise<number>;
  /**
   * The name of the volume that holds the source, which is made where it is missing or was left unfinished; another process
   * that is making it is waited for. `inRoom` runs what copies the files, of which nothing is left where it throws. Ends
   * within 20 minutes and what `inRoom` waits for, with `unavailable`; `disk_full` where the engine finds no room.
   */
  ensureVolume(source: InjectSource, inRoom: InRoom): Promise<string>;
  /** All volumes there are, whichever process of this deployment has made them. */
  volumes(): Promise<InjectVolume[]>;
  /** Whether it is gone now: one that a container has is left. */
  removeVolume(name: string): Promise<boolean>;
  /** Removes containers that a process left behind which was killed while it asked or copied. */
  clean(): Promise<void>;
}
