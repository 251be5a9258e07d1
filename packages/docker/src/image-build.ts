import { createReadStream } from "node:fs";
import { Readable } from "node:stream";
import type { EngineBuild } from "@remote-runtime/image";
import { ServiceError } from "@remote-runtime/protocol";
import { z } from "zod";
import { openBuildSession } from "./build-session.ts";
import { createBuildTrace } from "./build-trace.ts";
import type { Docker } from "./create-docker.ts";
import { buildError } from "./build-error.ts";
import { engineError, engineReason, statusCode } from "./engine-error.ts";
import { jsonLines } from "./json-lines.ts";
import type { CredentialSource } from "./registry-credential.ts";

export type ImageBuildOptions = EngineBuild & { docker: Docker; credentials: CredentialSource };

const TRACE = "moby.buildkit.trace";
const IMAGE = "moby.image.id";

const Message = z.object({
  id: z.string().optional(),
  aux: z.unknown().optional(),
  error: z.string().optional(),
});
const BuiltImage = z.object({ ID: z.string() });

/**
 * Builds with BuildKit through the engine's own API, which needs nothing beside its socket: the archive is the request's
 * body. Ends when the image has all its names. When `signal` aborts, the engine gives the build up.
 */
export async function buildImage(options: ImageBuildOptions): Promise<string> {
  const { docker, references, signal, credentials } = options;
  const what = `build of ${references[0] ?? ""}`;
  const session = await openBuildSession(docker, credentials);
  // A build that the engine refuses early may end before its archive is read.
  const context = createReadStream(options.contextPath).on("error", () => undefined);
  try {
    const output = await send(context, session.id, options);
    return await follow(output, options.onLog, what);
  } catch (error) {
    if (signal.aborted)
      throw new ServiceError("unavailable", `${what}: given up`, { cause: error });
    // What fails before there is a line of output is answered in place of it.
    throw (statusCode(error) ?? 0) >= 500
      ? buildError(what, engineReason(error))
      : engineError(what, error);
  } finally {
    context.destroy();
    session.close();
  }
}

/** dockerode's own `buildImage` opens a session that tells one credential to every registry. */
function send(
  file: Readable,
  session: string,
  { docker, references, useCache, signal }: ImageBuildOptions,
): Promise<Readable> {
  const query = { version: "2", session, t: references, forcerm: true, nocache: !useCache };
  return new Promise((resolve, reject) => {
    docker.modem.dial(
      {
        method: "POST",
        path: "/build?",
        file,
        options: query,
        abortSignal: signal,
        isStream: true,
        statusCodes: { 200: true, 400: "bad parameter", 500: "server error" },
      },
      (error: unknown, output: unknown) => {
        if (output instanceof Readable) resolve(output);
        else reject(error instanceof Error ? error : new Error("no answer"));
      },
    );
  });
}

async function follow(
  output: Readable,
  onLog: (text: string) => void,
  what: string,
): Promise<string> {
  const trace = createBuildTrace();
  let imageId: string | undefined;
  for await (const value of jsonLines(output)) {
    const { id, aux, error } = Message.parse(value);
    if (error !== undefined) throw buildError(what, error);
    if (id === TRACE && typeof aux === "string") {
      const text = trace.add(aux);
      if (text !== "") onLog(text);
    } else if (id === IMAGE) imageId = BuiltImage.parse(aux).ID;
  }
  if (imageId !== undefined) return imageId;
  throw new ServiceError("unavailable", `${what}: the engine broke it off`);
}
