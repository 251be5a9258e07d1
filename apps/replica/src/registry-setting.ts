import type { CredentialSource } from "@remote-runtime/docker";
import { canonicalReference, type Mirror } from "@remote-runtime/image";
import { ServiceError } from "@remote-runtime/protocol";
import { join } from "node:path";
import { z } from "zod";

/** `host[:port][/folder]`, as a piece of an environment schema. */
export function registryFolder() {
  return z
    .string()
    .transform((value, context) => {
      const problem = problemOf(value);
      if (problem === undefined) return value;
      context.addIssue({ code: "custom", message: problem });
      return z.NEVER;
    })
    .meta({ example: "registry.example.com/openhands" });
}

/** `registry=mirror[/folder]`, several between commas, as a piece of an environment schema. */
export function registryMirrors() {
  return z
    .string()
    .transform((value, context) => {
      const mirrors: Mirror[] = [];
      for (const [index, entry] of value.split(",").entries()) {
        const mirror = mirrorOf(entry);
        if (typeof mirror !== "string") mirrors.push(mirror);
        else context.addIssue({ code: "custom", message: `entry ${index + 1} has ${mirror}` });
      }
      return mirrors;
    })
    .meta({ example: "docker.io=mirror.example.com,ghcr.io=mirror.example.com/ghcr" });
}

/** Host and port of a registry's folder. */
export function registryHostOf(folder: string): string {
  return folder.split("/", 1)[0] ?? folder;
}

export type RegistryConfig = {
  REGISTRY?: string | undefined;
  REGISTRY_USERNAME?: string | undefined;
  REGISTRY_PASSWORD?: string | undefined;
  REGISTRY_PREFIX?: string | undefined;
  /** The folder of Docker's own `config.json`. */
  DOCKER_CONFIG?: string | undefined;
};

/** What clients are to begin the names of images with that they build. */
export function registryPrefixOf({ REGISTRY, REGISTRY_PREFIX }: RegistryConfig): string {
  return REGISTRY_PREFIX ?? REGISTRY ?? "localhost/openhands";
}

/** The credential for REGISTRY, and Docker's own configuration for all that it is not for. */
export function credentialSourceOf(config: RegistryConfig): CredentialSource {
  const { REGISTRY, REGISTRY_USERNAME: username, REGISTRY_PASSWORD: password } = config;
  const { DOCKER_CONFIG: folder } = config;
  const docker = folder === undefined ? {} : { configFile: join(folder, "config.json") };
  if (REGISTRY === undefined || username === undefined || password === undefined) return docker;
  return { ...docker, own: { registry: registryHostOf(REGISTRY), username, password } };
}

/** A credential has two halves, and somebody to show it to; what clients build is below where it is pushed to. */
export function registryProblems(config: RegistryConfig): string[] {
  const { REGISTRY, REGISTRY_USERNAME: username, REGISTRY_PASSWORD: password } = config;
  const { REGISTRY_PREFIX: prefix } = config;
  const problems: string[] = [];
  if (REGISTRY !== undefined && prefix !== undefined && !`${prefix}/`.startsWith(`${REGISTRY}/`)) {
    problems.push(
      `REGISTRY_PREFIX ${prefix} is not below REGISTRY ${REGISTRY}: what clients build there would not be pushed; leave it out, or let it begin with ${REGISTRY}/`,
    );
  }
  if (username === undefined && password === undefined) return problems;
  if (username === undefined) problems.push("REGISTRY_PASSWORD needs REGISTRY_USERNAME beside it");
  if (password === undefined) problems.push("REGISTRY_USERNAME needs REGISTRY_PASSWORD beside it");
  if (REGISTRY === undefined) {
    problems.push("REGISTRY_USERNAME and REGISTRY_PASSWORD need REGISTRY, whose they are");
  }
  return problems;
}

/** The mirror, or what is wrong with its entry. */
function mirrorOf(entry: string): Mirror | string {
  const [registry = "", folder = ""] = entry.split("=").map((part) => part.trim());
  if (registry.includes("/")) {
    return `the registry ${JSON.stringify(registry)}: one is mirrored whole, by its host alone`;
  }
  for (const [what, value] of [["registry", registry] as const, ["mirror", folder] as const]) {
    const problem = problemOf(value);
    if (problem !== undefined) return `the ${what} ${JSON.stringify(value)}, which ${problem}`;
  }
  return { registry, folder };
}

function problemOf(value: string): string | undefined {
  if (value.includes("://")) {
    return "is a host without http:// or https://, as it begins names of images; whether it speaks TLS is for the engine to know";
  }
  const host = registryHostOf(value);
  if (!/[.:]/.test(host)) {
    return `begins with ${JSON.stringify(host)}, which is no registry's host: one has a dot or a port`;
  }
  try {
    canonicalReference(`${value}/image`);
    return undefined;
  } catch (error) {
    return `cannot begin the name of an image: ${ServiceError.from(error).message}`;
  }
}
