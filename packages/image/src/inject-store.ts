import { ServiceError } from "@remote-runtime/protocol";
import type { DiskUse } from "./disk-use.ts";
import { type ImageDisk, unboundedDisk } from "./image-disk.ts";
import type { EngineImage, OnPullProgress } from "./image-engine.ts";
import type { ImageStore } from "./image-store.ts";
import type { InjectEngine, InjectSource } from "./inject-engine.ts";
import type { InjectMapping } from "./inject-mapping.ts";
import { reworded } from "./registry-away-error.ts";

/** A path of an image that is ready to be mounted. */
export type Injection = {
  path: string;
  volume: string;
  /** As the mapping names it. */
  image: string;
  imageId: string;
};

export interface InjectStore {
  /** The mapped paths. */
  readonly paths: readonly string[];
  /** Throws `bad_request` unless all are mapped. */
  requireMapped(paths: readonly string[]): void;
  /** Those of the mapped `paths` that the image does not have. */
  lacking(image: EngineImage, paths: readonly string[]): Promise<string[]>;
  /**
   * The volume for a mapped path, after a pull and a copy where it is not there yet, each shared by all who wait for it.
   * Progress is one line of text. Throws as `ImageStore.fetch` does, `bad_request` where the path is not mapped or the image
   * has no such directory; `disk_full` where there is no room for the copy; `unavailable` when `signal` aborts.
   */
  ready(
    path: string,
    onProgress: (progress: string) => void,
    signal: AbortSignal,
  ): Promise<Injection>;
  /**
   * Makes the volumes of images that the engine holds, where there is room at once, and removes those that no mapping leads to any more, which
   * containers do not use. To be called from time to time.
   */
  tend(): Promise<void>;
}

export type InjectStoreOptions = {
  engine: InjectEngine;
  images: Pick<ImageStore, "held" | "fetch">;
  mappings: readonly InjectMapping[];
  /** Makes room for what is copied. Default: there is always room. */
  disk?: Pick<ImageDisk, "within">;
  /** Aborts when the process is about to end. */
  signal: AbortSignal;
};

/** The volume that is being made, and who is told of what holds it up. */
type Making = { volume: Promise<string>; listeners: Set<OnPullProgress> };

/** Keeps paths of images as volumes, one for each content: what is mounted is never copied for a sandbox. */
export function createInjectStore(options: InjectStoreOptions): InjectStore {
  const { engine, images, mappings, disk = unboundedDisk } = options;
  const makings = new Map<string, Making>();

  function mappingOf(path: string): InjectMapping {
    const mapping = mappings.find((one) => one.path === path);
    if (mapping) return mapping;
    const known = mappings.length === 0 ? "nothing" : mappings.map((one) => one.path).join(", ");
    throw new ServiceError(
      "bad_request",
      `inject: ${path} is not mapped here; INJECT maps ${known}`,
    );
  }

  /** One at a time for each source, whoever asks. Who waits for room goes on alone where one that does not wait has failed. */
  function making(
    mapping: InjectMapping,
    image: EngineImage,
    { waits }: { waits: boolean },
  ): Making {
    const keyOf = (isPatient: boolean): string => `${image.id} ${mapping.path} ${isPatient}`;
    const key = keyOf(waits);
    const begun = makings.get(key);
    if (begun) return begun;
    const listeners = new Set<OnPullProgress>();
    const begin = (): Promise<string> =>
      make(mapping, image, {
        ...(waits ? {} : { patienceMs: 0 }),
        onWait: (reason) => listeners.forEach((listener) => listener(reason)),
      });
    const before = waits ? makings.get(keyOf(false)) : undefined;
    const volume = (before ? before.volume.catch(begin) : begin()).finally(() =>
      makings.delete(key),
    );
    makings.set(key, { volume, listeners });
    return { volume, listeners };
  }

  async function make(
    { path, image }: InjectMapping,
    { id }: EngineImage,
    wait: Pick<DiskUse, "onWait" | "patienceMs">,
  ): Promise<string> {
    const source = { path, imageId: id };
    const kind = await engine.pathKind(source);
    if (kind !== "directory") {
      const what = kind === "absent" ? "has no such path" : "has no directory there";
      throw new ServiceError("bad_request", `the image ${image} ${what}`);
    }
    const use = { ...wait, what: `copy of ${path}`, signal: options.signal, isEndless: true };
    return engine.ensureVolume(source, async (copy) =>
      disk.within({ ...use, sizeBytes: await engine.sizeOf(source) }, copy),
    );
  }

  async function isWanted({ path, imageId }: InjectSource): Promise<boolean> {
    const mapping = mappings.find((one) => one.path === path);
    if (!mapping) return false;
    // Without the image nobody knows what it would be now.
    const held = await images.held(mapping.image);
    return held === undefined || held.id === imageId;
  }

  async function makeIfHeld(mapping: InjectMapping): Promise<void> {
    const held = await images.held(mapping.image);
    if (held) await making(mapping, held, { waits: false }).volume;
  }

  async function removeUnwanted(): Promise<void> {
    await engine.clean();
    for (const volume of await engine.volumes()) {
      if (!(await isWanted(volume))) await engine.removeVolume(volume.name);
    }
  }

  return {
    paths: mappings.map(({ path }) => path),
    requireMapped: (paths) => paths.forEach(mappingOf),
    async lacking(image, paths) {
      const kinds = await Promise.all(
        paths.map((path) => engine.pathKind({ path, imageId: image.id })),
      );
      return paths.filter((_, index) => kinds[index] === "absent");
    },
    async ready(path, onProgress, signal) {
      const mapping = mappingOf(path);
      const { image } = mapping;
      const says = (progress: string): void => onProgress(`${path} of ${image}: ${progress}`);
      try {
        const held =
          (await images.held(image)) ?? (await images.fetch(image, "IfNotPresent", says, signal));
        signal.throwIfAborted();
        const begun = making(mapping, held, { waits: true });
        const volume = await unlessAborted(begun, says, signal);
        return { path, image, imageId: held.id, volume };
      } catch (error) {
        const known = ServiceError.from(error);
        throw reworded(known, `INJECT ${path}=${image}: ${known.message}`);
      }
    },
    async tend() {
      const outcomes = [];
      for (const mapping of mappings)
        outcomes.push(...(await Promise.allSettled([makeIfHeld(mapping)])));
      await removeUnwanted();
      for (const outcome of outcomes) if (outcome.status === "rejected") throw outcome.reason;
    },
  };
}

/** A volume that is there is found in a moment, and nobody needs to hear of a copy. */
const COPY_NOTICE_MS = 250;

/** The copy goes on without those who wait for it. */
async function unlessAborted(
  { volume, listeners }: Making,
  onProgress: OnPullProgress,
  signal: AbortSignal,
): Promise<string> {
  const aborted = Promise.withResolvers<never>();
  const onAbort = (): void => aborted.reject(new ServiceError("unavailable", "was given up"));
  signal.addEventListener("abort", onAbort, { once: true });
  listeners.add(onProgress);
  const notice = setTimeout(onProgress, COPY_NOTICE_MS, "copying, once for all sandboxes");
  try {
    return await Promise.race([volume, aborted.promise]);
  } finally {
    clearTimeout(notice);
    listeners.delete(onProgress);
    signal.removeEventListener("abort", onAbort);
  }
}
