import { Readable } from "node:stream";
import { ServiceError } from "@remote-runtime/protocol";
import { z } from "zod";
import type { Docker } from "./create-docker.ts";
import { dialEngine } from "./engine-dial.ts";
import { engineError } from "./engine-error.ts";
import { imagePath } from "./image-path.ts";
import { jsonLines } from "./json-lines.ts";

const LoadMessage = z.object({ error: z.string().optional() });

/** `docker save` of one image. */
export async function saveImage(
  docker: Docker,
  reference: string,
  abortSignal: AbortSignal,
): Promise<AsyncIterable<Uint8Array>> {
  const what = `archive of ${reference}`;
  try {
    const answer = await dialEngine(docker, {
      method: "GET",
      path: `/images/${imagePath(reference)}/get`,
      abortSignal,
      isStream: true,
      statusCodes: { 200: true, 404: "no such image", 500: "server error" },
    });
    if (answer instanceof Readable) return answer;
    throw new ServiceError("unavailable", `${what}: the engine gave no answer`);
  } catch (error) {
    throw engineError(what, error);
  }
}

/** `docker load`. */
export async function loadImage(
  docker: Docker,
  archive: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): Promise<void> {
  const broken = new AbortController();
  const file = Readable.from(archive, { objectMode: false });
  // Without this the engine would take what has come for all there is.
  file.once("error", (error) => broken.abort(error));
  try {
    const answer = await dialEngine(docker, {
      method: "POST",
      path: "/images/load?",
      options: { quiet: true },
      file,
      abortSignal: AbortSignal.any([signal, broken.signal]),
      isStream: true,
      statusCodes: { 200: true, 500: "server error" },
    });
    if (!(answer instanceof Readable)) throw new Error("the engine gave no answer");
    for await (const value of jsonLines(answer)) {
      const { error } = LoadMessage.parse(value);
      if (error !== undefined) throw new Error(error);
    }
    // The engine may have answered before the archive was read to its end.
    broken.signal.throwIfAborted();
  } catch (error) {
    const cause: unknown = broken.signal.aborted ? broken.signal.reason : error;
    throw engineError("load of an image", cause);
  } finally {
    file.destroy();
  }
}
