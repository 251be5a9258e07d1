import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { ServiceError } from "@remote-runtime/protocol";
import type Dockerode from "dockerode";
import { z } from "zod";
import { engineReason } from "./engine-error.ts";

const HELPER_DEADLINE_MS = 10_000;
/** Under this name Docker's own client keeps the credential of docker.io. */
const DOCKER_HUB = "https://index.docker.io/v1/";

/** Docker's own `config.json`, as far as it speaks of registries. */
const DockerConfig = z.object({
  auths: z
    .record(
      z.string(),
      z.object({ auth: z.string().optional(), identitytoken: z.string().optional() }),
    )
    .default({}),
  credHelpers: z.record(z.string(), z.string()).default({}),
  credsStore: z.string().optional(),
});
type DockerConfig = z.infer<typeof DockerConfig>;
const HelperAnswer = z.object({ Username: z.string(), Secret: z.string() });

export type CredentialSource = {
  /** Wins for its registry, a host with its port. */
  own?: { registry: string; username: string; password: string } | undefined;
  /** Default: `~/.docker/config.json`. */
  configFile?: string;
  /** Asks `docker-credential-{helper} get` for a registry; `undefined` when it knows none. */
  askHelper?: (helper: string, registry: string) => Promise<string | undefined>;
};

/**
 * The credential for the registry of `reference`: our own, or what `docker login` left; `undefined` when there is none. `bad_request`
 * when the config file or a helper that it names cannot be used.
 */
export async function registryCredential(
  reference: string,
  {
    configFile = join(homedir(), ".docker", "config.json"),
    askHelper = runHelper,
    own,
  }: CredentialSource = {},
): Promise<Dockerode.AuthConfig | undefined> {
  const registry = registryOf(reference);
  if (own && registryOf(`${own.registry}/image`) === registry) {
    return { username: own.username, password: own.password, serveraddress: registry };
  }
  const config = await readConfig(configFile);
  if (!config) return undefined;
  // As for Docker's own client, an empty one is none.
  const helper = config.credHelpers[registry] ?? config.credsStore ?? "";
  if (helper !== "") {
    const answer = await askHelper(helper, registry);
    const credential =
      answer === undefined ? undefined : parseHelperAnswer(answer, helper, registry);
    if (credential) return credential;
  }
  return storedCredential(config, registry);
}

export type FoundCredential = { credential?: Dockerode.AuthConfig | undefined; problem?: string };

/** Most images need no credential, so one that cannot be read is a problem only if what it is for then fails. */
export async function findCredential(
  reference: string,
  source: CredentialSource,
): Promise<FoundCredential> {
  try {
    return { credential: await registryCredential(reference, source) };
  } catch (error) {
    return { problem: `; tried without a credential, because ${engineReason(error)}` };
  }
}

/** The part before the first slash names a registry only if it cannot be a user of docker.io. */
function registryOf(reference: string): string {
  const [first = "", ...rest] = reference.split("/");
  const named = rest.length > 0 && (/[.:]/.test(first) || first === "localhost");
  return !named || first === "docker.io" || first === "index.docker.io" ? DOCKER_HUB : first;
}

async function readConfig(file: string): Promise<DockerConfig | undefined> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw new ServiceError("bad_request", `Docker's config file ${file} cannot be read`, {
      cause: error,
    });
  }
  try {
    return DockerConfig.parse(JSON.parse(text));
  } catch (error) {
    throw new ServiceError(
      "bad_request",
      `Docker's config file ${file} is not as Docker writes it`,
      { cause: error },
    );
  }
}

function storedCredential(
  config: DockerConfig,
  registry: string,
): Dockerode.AuthConfig | undefined {
  const entry = Object.entries(config.auths).find(
    ([key]) => key === registry || hostOf(key) === registry,
  )?.[1];
  if (!entry) return undefined;
  const [username = "", ...password] = Buffer.from(entry.auth ?? "", "base64")
    .toString("utf8")
    .split(":");
  if (entry.identitytoken) return tokenCredential(username, entry.identitytoken, registry);
  if (username === "") return undefined;
  return { username, password: password.join(":"), serveraddress: registry };
}

/** Older clients wrote whole URLs. */
function hostOf(key: string): string {
  return key.replace(/^https?:\/\//, "").replace(/\/.*$/, "");
}

function parseHelperAnswer(answer: string, helper: string, registry: string): Dockerode.AuthConfig {
  try {
    const { Username, Secret } = HelperAnswer.parse(JSON.parse(answer));
    if (Username === "<token>") return tokenCredential(Username, Secret, registry);
    return { username: Username, password: Secret, serveraddress: registry };
  } catch (error) {
    throw new ServiceError(
      "bad_request",
      `docker-credential-${helper} gave no credential for ${registry}`,
      { cause: error },
    );
  }
}

function tokenCredential(
  username: string,
  identitytoken: string,
  registry: string,
): Dockerode.AuthConfig {
  // The engine's API takes a token too, which the published type lacks.
  const credential: Dockerode.AuthConfig & { identitytoken: string } = {
    username: username === "<token>" ? "" : username,
    password: "",
    serveraddress: registry,
    identitytoken,
  };
  return credential;
}

function runHelper(helper: string, registry: string): Promise<string | undefined> {
  if (!/^[\w.-]+$/.test(helper))
    throw new ServiceError("bad_request", `${helper} is no name of a credential helper`);
  return new Promise((resolve, reject) => {
    const child = execFile(
      `docker-credential-${helper}`,
      ["get"],
      { timeout: HELPER_DEADLINE_MS },
      (error, output) => {
        if (!error) resolve(output);
        else if (/not found/i.test(output)) resolve(undefined);
        else
          reject(
            new ServiceError("bad_request", `docker-credential-${helper} failed`, { cause: error }),
          );
      },
    );
    // A helper that ends before it has read is judged by its exit code above.
    child.stdin?.on("error", () => undefined);
    child.stdin?.end(registry);
  });
}
