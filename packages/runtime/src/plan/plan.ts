import { posix } from "node:path";
import { isWithin, type EngineImage, type Injection } from "@remote-runtime/image";
import { ServiceError, type RuntimeSpec } from "@remote-runtime/protocol";
import type { RuntimeRecord } from "@remote-runtime/registry";
import { SANDBOX_PORT, type ContainerPlan } from "../engine.ts";
import { runtimeUrl } from "../url.ts";
import { commandOf } from "./command.ts";
import { environmentOf } from "./environment.ts";

/** What the server allows each runtime, and tells it. */
export type ContainerLimits = {
  /** For `resource_factor` 1. */
  memoryBytes: number;
  pidsLimit: number;
  /** `http://domain[:port]` of the host form, if there is one. */
  wildcardBase: string | null;
  /** 0: never. */
  idleTimeoutSeconds: number;
};

export type PlanInput = {
  record: RuntimeRecord;
  /** The image as the engine holds it. */
  image: EngineImage;
  injections: readonly Injection[];
  limits: ContainerLimits;
};

type Owner = Pick<ContainerPlan, "user" | "groups" | "ownedDirectory">;

/** The engine's default weight of a container, and the least and most that it takes. */
const CPU_SHARES = { usual: 1024, least: 2, most: 262_144 };
/** Images that were made for agent servers have it, owned by the agent's user; stock images do not. */
const WORKSPACE = "/workspace";
const AGENT_SERVER = /agent[-_]server/;

/** The container of a runtime. Throws `bad_request` when neither the request nor the image names a command. */
export function planContainer({ record, image, injections, limits }: PlanInput): ContainerPlan {
  const { id, replicaId, hostPort, spec } = record;
  const { wildcardBase, idleTimeoutSeconds } = limits;
  const url = runtimeUrl(record, { base: record.publicBase, wildcardBase });
  const owner = ownerOf(spec, injections.length > 0);
  const home = injections.length > 0 ? homeOf(owner) : null;
  return {
    id,
    replicaId,
    recordLabel: JSON.stringify(record),
    // By its digest an engine may know it under a mirror's name only.
    image: spec.image.includes("@") ? image.id : spec.image,
    ...startOf(spec, image),
    environment: environmentOf({ record, url, idleTimeoutSeconds, home }),
    ...(spec.workingDir !== null && { workingDir: spec.workingDir }),
    ...owner,
    ...(injections.length > 0 && {
      mounts: injections.map(({ path, volume }) => ({ path, volume })),
    }),
    memoryBytes: Math.round(limits.memoryBytes * spec.resourceFactor),
    cpuShares: cpuSharesOf(spec.resourceFactor),
    pidsLimit: limits.pidsLimit,
    ...(hostPort !== null && { hostPort }),
    ...(spec.runtimeClass !== null && { runtimeClass: spec.runtimeClass }),
  };
}

function startOf(
  spec: RuntimeSpec,
  image: EngineImage,
): Pick<ContainerPlan, "command" | "appendArguments"> {
  const command = commandOf(spec.command);
  if (command) return { command };
  const own = [...image.entrypoint, ...image.command];
  if (own.length === 0) {
    throw new ServiceError(
      "bad_request",
      `command: the image ${spec.image} has none of its own, and none was sent`,
    );
  }
  // By itself an agent server listens on 8000.
  const isAgentServer = own.some((word) => AGENT_SERVER.test(word));
  const hasPort = own.some((word) => /^--port(?:=|$)/.test(word));
  if (!isAgentServer || hasPort) return {};
  return { appendArguments: ["--port", String(SANDBOX_PORT.agent)] };
}

/** Only what was asked for: without a user the image's own runs, as V0's servers need root. */
function ownerOf(spec: RuntimeSpec, isInjected: boolean): Owner {
  const { runAsUser: uid, runAsGroup: gid, fsGroup, workingDir } = spec;
  // The engine takes no group without a user, so a lone one is added to those of the image's user.
  const extra = uid === null ? [gid, fsGroup] : [fsGroup === gid ? null : fsGroup];
  const groups = [...new Set(extra.filter((group) => group !== null))].map(String);
  if (uid === null) return { groups };
  const asked = workingDir === null ? "/" : posix.resolve("/", workingDir);
  const path = asked === "/" && isInjected ? WORKSPACE : asked;
  return {
    user: gid === null ? String(uid) : `${uid}:${gid}`,
    groups,
    ...(path !== "/" && { ownedDirectory: { path, uid, gid: gid ?? fsGroup ?? uid } }),
  };
}

/** An image that does not know the user has no home for it, and the engine then says `/`, where it may not write. */
function homeOf({ user, ownedDirectory }: Owner): string | null {
  if (user === undefined || ownedDirectory === undefined || ownedDirectory.uid === 0) return null;
  return isWithin(ownedDirectory.path, WORKSPACE) ? WORKSPACE : null;
}

function cpuSharesOf(resourceFactor: number): number {
  const shares = Math.round(CPU_SHARES.usual * resourceFactor);
  return Math.min(Math.max(shares, CPU_SHARES.least), CPU_SHARES.most);
}
