import { createClient, type Client } from "@remote-runtime/client";
import { ExitError, exitCodes } from "./exit-error.ts";
import type { Terminal } from "./terminal.ts";

/** The options of every command that asks a server. */
export type ServerOptions = { url?: string; apiKey?: string };

const URL_NAMES = ["SANDBOX_REMOTE_RUNTIME_API_URL", "REMOTE_RUNTIME_URL"];
const KEY_NAMES = ["SANDBOX_API_KEY", "ALLHANDS_API_KEY", "OPENHANDS_API_KEY", "API_KEYS"];
/** Where a server listens that was told nothing else. */
const DEFAULT_URL = "http://127.0.0.1:8000";
/** What an HTTP header carries unchanged, without blanks. */
const KEY = /^[\x21-\x7e]+$/;

export const serverOptionHelp = {
  url: `the server (default: $${URL_NAMES.join(", $")}, ${DEFAULT_URL})`,
  apiKey: `a key of the server (default: $${KEY_NAMES.join(", $")})`,
};

/** A client of the server that options or environment name. Throws ExitError for a URL or key that cannot be used. */
export async function connect(
  { url, apiKey }: ServerOptions,
  { env }: Pick<Terminal, "env">,
): Promise<{ url: string; client: Client; apiKey: string | undefined }> {
  const baseUrl = checkedUrl(url ?? firstSet(env, URL_NAMES) ?? DEFAULT_URL);
  const found = firstSet(env, KEY_NAMES);
  const key = (apiKey ?? (found === undefined ? undefined : await firstKey(found)))?.trim();
  if (key !== undefined && !KEY.test(key)) {
    throw new ExitError(exitCodes.usage, "the API key has blanks or characters outside ASCII");
  }
  return {
    url: baseUrl,
    apiKey: key,
    client: createClient({ baseUrl, ...(key === undefined ? {} : { apiKey: key }) }),
  };
}

/** Neither a password in the URL nor what else stands in a wrong one is shown. */
function checkedUrl(text: string): string {
  const url = URL.canParse(text.trim()) ? new URL(text.trim()) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol)) {
    throw new ExitError(
      exitCodes.usage,
      `the server's URL must begin with http:// or https://, as ${DEFAULT_URL} does`,
    );
  }
  if (url.username !== "" || url.password !== "") {
    throw new ExitError(
      exitCodes.usage,
      "the server's URL must not have a user or password; the key goes into SANDBOX_API_KEY or --api-key",
    );
  }
  if (url.search !== "" || url.hash !== "") {
    throw new ExitError(exitCodes.usage, "the server's URL must not have a query or a fragment");
  }
  return url.href.replace(/\/+$/, "");
}

function firstSet(env: Terminal["env"], names: readonly string[]): string | undefined {
  return names
    .map((name) => env[name]?.trim())
    .find((value) => value !== undefined && value !== "");
}

/** Beside a server the variables may have its form, `name=key,name2=key2`: then the first key. */
async function firstKey(value: string): Promise<string> {
  if (!/[=,]/.test(value)) return value;
  const { parseApiKeys } = await import("@remote-runtime/server");
  const result = parseApiKeys(value);
  return (result.kind === "entries" && result.entries[0]?.key) || value;
}
