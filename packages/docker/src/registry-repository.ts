import type { Recent } from "@remote-runtime/image";
import { ServiceError } from "@remote-runtime/protocol";
import { z } from "zod";
import { askRegistry, jsonOf } from "./registry-answer.ts";
import { parseChallenge, type RegistryChallenge } from "./registry-challenge.ts";
import type { FoundCredential } from "./registry-credential.ts";

/** One repository of an image registry, for as long as one image of it is asked for. */
export interface RegistryRepository {
  /** A manifest by tag or digest, as JSON, and the headers that came with it. Throws as `ManifestReader` does. */
  manifest(at: string): Promise<{ document: unknown; headers: Headers }>;
}

export type RegistryRepositoryOptions = {
  /** Host and port as the image's name has it. */
  host: string;
  /** The path below it. */
  path: string;
  isPlain: boolean;
  found: FoundCredential;
  /** What registries have asked for before, by host: it spares a refusal each time. */
  challenges: Pick<Recent<RegistryChallenge>, "get" | "set">;
  signal: AbortSignal;
};

type Credential = FoundCredential["credential"];

const HUB = "docker.io";
const HUB_SERVER = "registry-1.docker.io";
const ACCEPT = [
  "application/vnd.oci.image.index.v1+json",
  "application/vnd.docker.distribution.manifest.list.v2+json",
  "application/vnd.oci.image.manifest.v1+json",
  "application/vnd.docker.distribution.manifest.v2+json",
].join(", ");
const CLIENT = "openhands-remote-runtime";
const CHALLENGE_MS = 10 * 60_000;

/** `GET /v2/…/manifests/…` as the distribution specification has it, with a token or a password where the registry wants one. */
export function openRepository(options: RegistryRepositoryOptions): RegistryRepository {
  const { host, path, isPlain, found, challenges, signal } = options;
  const { credential, problem } = found;
  const server = host === HUB ? HUB_SERVER : host;
  const base = `${isPlain ? "http" : "https"}://${server}/v2/${path}/manifests/`;
  let authorization: string | undefined;

  const send = (url: URL): Promise<Response> =>
    askRegistry(host, url, {
      headers: { accept: ACCEPT, ...(authorization === undefined ? {} : { authorization }) },
      signal,
    });

  async function answer(challenge: RegistryChallenge): Promise<string | undefined> {
    if (challenge.kind === "basic") return basicOf(credential);
    if (!isPlain && challenge.realm.protocol !== "https:") {
      throw new ServiceError("bad_gateway", `${host} gives out its tokens without TLS`);
    }
    return `Bearer ${await tokenOf(challenge)}`;
  }

  async function tokenOf({
    realm,
    service,
  }: RegistryChallenge & { kind: "bearer" }): Promise<string> {
    const words = new URLSearchParams({ service, scope: `repository:${path}:pull` });
    const refresh = refreshTokenOf(credential);
    const url = new URL(realm);
    const init: RequestInit = { signal };
    if (refresh === undefined) {
      for (const [name, value] of words) url.searchParams.set(name, value);
      const basic = basicOf(credential);
      if (basic !== undefined) init.headers = { authorization: basic };
    } else {
      const grant = { grant_type: "refresh_token", client_id: CLIENT, refresh_token: refresh };
      for (const [name, value] of Object.entries(grant)) words.set(name, value);
      Object.assign(init, { method: "POST", body: words });
    }
    const given = Token.safeParse(await jsonOf(host, await askRegistry(host, url, init), problem));
    const token = given.data?.token ?? given.data?.access_token;
    if (token !== undefined) return token;
    throw new ServiceError("bad_gateway", `${host} gives no token`);
  }

  return {
    async manifest(at) {
      const url = URL.parse(base + at);
      if (!url) throw new ServiceError("bad_request", `${host} is no address`);
      const before = challenges.get(host);
      if (before && authorization === undefined) authorization = await answer(before);
      let response = await send(url);
      const challenge =
        response.status === 401 && authorization === undefined
          ? parseChallenge(response.headers.get("www-authenticate"))
          : undefined;
      if (challenge) {
        await response.body?.cancel();
        challenges.set(host, challenge, CHALLENGE_MS);
        authorization = await answer(challenge);
        response = await send(url);
      }
      return { document: await jsonOf(host, response, problem), headers: response.headers };
    },
  };
}

const Token = z.object({ token: z.string().optional(), access_token: z.string().optional() });

function basicOf(credential: Credential): string | undefined {
  if (!credential || !("username" in credential) || credential.username === "") return undefined;
  const pair = `${credential.username}:${credential.password}`;
  return `Basic ${Buffer.from(pair).toString("base64")}`;
}

/** Of a login that keeps a token in place of a password; the published type lacks it. */
function refreshTokenOf(credential: Credential): string | undefined {
  const token: unknown = credential && Reflect.get(credential, "identitytoken");
  return typeof token === "string" && token !== "" ? token : undefined;
}
