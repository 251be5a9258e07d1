import {
  canonicalReference,
  createRecent,
  type ImageParts,
  type ManifestReader,
} from "@remote-runtime/image";
import { ServiceError } from "@remote-runtime/protocol";
import { z } from "zod";
import type { Docker } from "./create-docker.ts";
import { engineRegistries, type EngineRegistries, type Platform } from "./engine-registries.ts";
import type { RegistryChallenge } from "./registry-challenge.ts";
import {
  findCredential,
  type CredentialSource,
  type FoundCredential,
} from "./registry-credential.ts";
import { openRepository } from "./registry-repository.ts";

const MOST_LAYERS = 1_000;
const MOST_HOSTS = 1_000;
/** Helpers are programs: they are not run for each image of a list. */
const CREDENTIAL_MS = 60_000;
const Digest = z.string().regex(/^[a-z0-9.+_-]+:[a-zA-Z0-9=_-]{32,200}$/);
const Described = z.object({ digest: Digest, size: z.number().int().nonnegative() });
/** https://github.com/opencontainers/image-spec, and what Docker had before it: the fields are the same. */
const Manifest = z.object({ config: Described, layers: z.array(Described).max(MOST_LAYERS) });
const Index = z.object({
  manifests: z.array(
    z.object({
      digest: Digest,
      platform: z
        .object({ os: z.string(), architecture: z.string(), variant: z.string().optional() })
        .optional(),
    }),
  ),
});
type Index = z.infer<typeof Index>;

/** What every image of these is made for; an engine that can do more takes it as well. */
const PLAIN_VARIANTS: readonly (string | undefined)[] = [undefined, "", "v1", "v7", "v8"];

/** Asks registries itself, as an engine's API tells no layers; platform and trust are those of the engine. */
export function createManifestReader({
  docker,
  credentials,
  now,
}: {
  docker: Docker;
  credentials: CredentialSource;
  /** Milliseconds. */
  now: () => number;
}): ManifestReader {
  const challenges = createRecent<RegistryChallenge>({ now, limit: MOST_HOSTS });
  const found = createRecent<Promise<FoundCredential>>({ now, limit: MOST_HOSTS });
  let engine: Promise<EngineRegistries> | undefined;

  function ofEngine(): Promise<EngineRegistries> {
    engine ??= engineRegistries(docker).catch((error: unknown) => {
      engine = undefined;
      throw error;
    });
    return engine;
  }

  function credentialOf(host: string): Promise<FoundCredential> {
    const asked = found.get(host) ?? findCredential(`${host}/image`, credentials);
    if (found.get(host) === undefined) found.set(host, asked, CREDENTIAL_MS);
    return asked;
  }

  return {
    async parts(reference, signal) {
      const name = canonicalReference(reference);
      const slash = name.indexOf("/");
      const host = name.slice(0, slash);
      // A digest has a colon of its own.
      const [, path = "", tag, digest] =
        /^([^:@]+)(?::(.+)|@(.+))$/.exec(name.slice(slash + 1)) ?? [];
      const { platform, isPlain } = await ofEngine();
      const repository = openRepository({
        host,
        path,
        isPlain: isPlain(host),
        found: await credentialOf(host),
        challenges,
        signal,
      });
      let { document, headers } = await repository.manifest(tag ?? digest ?? "");
      const index = Index.safeParse(document);
      if (index.success) {
        const own = manifestFor(index.data, platform);
        if (own === undefined) {
          const wanted = `${platform.os}/${platform.architecture}`;
          throw new ServiceError("not_found", `${host} has it for other platforms than ${wanted}`);
        }
        ({ document, headers } = await repository.manifest(own));
      }
      const { success, data } = Manifest.safeParse(document);
      if (!success) {
        throw new ServiceError("bad_gateway", `${host} has a manifest of it that tells no sizes`);
      }
      const parts = [data.config, ...data.layers];
      return {
        parts: parts.map((part) => ({ digest: part.digest, sizeBytes: part.size })),
        allowance: allowanceOf(headers),
      };
    },
  };
}

/** The digest of the manifest that the engine takes. */
function manifestFor({ manifests }: Index, { os, architecture }: Platform): string | undefined {
  const ours = manifests.filter(
    ({ platform }) => platform?.os === os && platform.architecture === architecture,
  );
  const plain = ours.find(({ platform }) => PLAIN_VARIANTS.includes(platform?.variant));
  return (plain ?? ours[0])?.digest;
}

/** As Docker Hub tells it: `ratelimit-limit: 100;w=21600`. https://docs.docker.com/docker-hub/usage/pulls/ */
function allowanceOf(headers: Headers): ImageParts["allowance"] {
  const [all = Number.NaN, left = Number.NaN] = ["ratelimit-limit", "ratelimit-remaining"].map(
    (name) => Number.parseInt(headers.get(name) ?? "", 10),
  );
  return all > 0 && left >= 0 ? { all, left } : undefined;
}
