import {
  canonicalReference,
  digestsIn,
  type ArchiveEngine,
  type EngineImage,
  type ImageDisk,
  type ImageStore,
} from "@remote-runtime/image";
import { ServiceError } from "@remote-runtime/protocol";
import type { Log } from "@remote-runtime/runtime";
import {
  authenticate,
  createBufferRelief,
  streamAnswer,
  type App,
  type Keyring,
} from "@remote-runtime/server";
import { createTurns } from "./turns.ts";

export const ARCHIVE_PATH = "/images/archive";
/** What registries know the image by, `sha256:…`, with commas between: an archive does not say it. */
export const DIGESTS_HEADER = "X-Image-Digests";

export type ArchiveServerOptions = {
  images: Pick<ImageStore, "held">;
  engine: Pick<ArchiveEngine, "save">;
  /** Makes room for the archive, which the engine writes to its disk before it gives any of it. */
  disk: Pick<ImageDisk, "within" | "used" | "keep">;
  keyring: Keyring;
  log: Log;
  /** At once; the others wait when they ask for that, and are told to ask elsewhere when not. Default 2. */
  maxServed?: number;
  /** Default 16. */
  maxWaiting?: number;
};

/** For room for the archive: whoever copies has a start that waits, and others to ask. */
const PATIENCE_MS = 0;
/** Nobody takes bytes for so long: the reader is gone, or the engine is. */
const SILENCE_MS = 5 * 60_000;

/**
 * Mounts `GET /images/archive?image=…[&wait=1]`, by which another replica copies an image that this one's engine holds. Whoever has a
 * key may ask: a sandbox of the image would show as much.
 */
export function mountArchives(app: App, options: ArchiveServerOptions): void {
  const { images, engine, disk, keyring, log, maxServed = 2, maxWaiting = 16 } = options;
  const turns = createTurns(maxServed);
  const relief = createBufferRelief();

  app.get(ARCHIVE_PATH, async function serveArchive(context) {
    authenticate(context.req.raw.headers, keyring);
    const reference = context.req.query("image") ?? "";
    const image = await images.held(reference);
    if (!image) {
      throw new ServiceError("not_found", `image: ${reference} is not on this engine`);
    }
    const mostBefore = context.req.query("wait") === "1" ? maxWaiting : 0;
    if (!turns.isFree() && turns.waiting() >= mostBefore) {
      throw new ServiceError("unavailable", "too many images are being copied from here already");
    }
    return streamAnswer(context.env, (gone) => followed(reference, image, gone), {
      type: "application/x-tar",
      headers: { [DIGESTS_HEADER]: digestsIn(image.references).join(",") },
      onEnd(error) {
        if (error !== undefined) log.warn({ err: error, image: reference }, "a copy broke off");
      },
    });
  });

  async function* followed(
    reference: string,
    { id, sizeBytes }: EngineImage,
    gone: AbortSignal,
  ): AsyncGenerator<Uint8Array> {
    // Whoever waits too long goes, and asks another.
    const giveBack = await turns.take(gone);
    const release = relief.hold();
    disk.used(id);
    // Room must not be made by removing what is copied.
    const letGo = disk.keep([canonicalReference(reference), id]);
    const silence = new AbortController();
    const timer = setTimeout(() => silence.abort(), SILENCE_MS);
    timer.unref();
    try {
      const signal = AbortSignal.any([gone, silence.signal]);
      const what = `copy of ${reference}`;
      // Whoever copies is told nothing but bytes, and gives up by itself.
      const onWait = (): void => undefined;
      const use = { what, sizeBytes, onWait, signal, patienceMs: PATIENCE_MS };
      const archive = await disk.within(use, (aborting) => engine.save(reference, aborting));
      for await (const chunk of archive) {
        yield chunk;
        timer.refresh();
      }
    } finally {
      clearTimeout(timer);
      letGo();
      release();
      giveBack();
    }
  }
}
