import { RegistryAwayError } from "@remote-runtime/image";
import { ServiceError } from "@remote-runtime/protocol";

const MOST_BYTES = 4 * 1024 * 1024;

/** One request to a registry, or to who gives out its tokens. Throws RegistryAwayError when there is no answer. */
export async function askRegistry(host: string, url: URL, init: RequestInit): Promise<Response> {
  try {
    return await fetch(url, init);
  } catch (error) {
    throw new RegistryAwayError(`${host} does not answer${reasonOf(error, init.signal)}`, {
      cause: error,
    });
  }
}

/** The JSON of an answer that went well; throws as `ManifestReader` does for any other. `problem` is added where the credential matters. */
export async function jsonOf(host: string, response: Response, problem = ""): Promise<unknown> {
  const { status } = response;
  if (status !== 200) {
    await response.body?.cancel();
    if (status === 429) throw new RegistryAwayError(`${host} wants to be asked less (429)`);
    if (status >= 500) throw new RegistryAwayError(`${host} answers ${status}`);
    if (status === 404 || status === 401 || status === 403) {
      throw new ServiceError("not_found", `${host} does not have it, or not for us${problem}`);
    }
    throw new ServiceError("bad_gateway", `${host} answers ${status}`);
  }
  const text = await textOf(host, response);
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new ServiceError("bad_gateway", `${host} answers no JSON`, { cause: error });
  }
}

async function textOf(host: string, { body }: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  try {
    for await (const chunk of body ?? []) {
      bytes += chunk.byteLength;
      if (bytes > MOST_BYTES) break;
      chunks.push(chunk);
    }
  } catch (error) {
    throw new RegistryAwayError(`${host} broke off`, { cause: error });
  }
  if (bytes <= MOST_BYTES) return Buffer.concat(chunks).toString("utf8");
  throw new ServiceError("bad_gateway", `${host} answers more than 4 MiB`);
}

/** `fetch` says only that it failed; what says why is its cause. */
function reasonOf(error: unknown, signal: AbortSignal | null | undefined): string {
  if (signal?.aborted) return " in time";
  const cause = error instanceof Error ? error.cause : undefined;
  const code = cause instanceof Error && "code" in cause ? cause.code : undefined;
  return typeof code === "string" ? ` (${code})` : "";
}
