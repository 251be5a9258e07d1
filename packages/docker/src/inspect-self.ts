import { readFile } from "node:fs/promises";
import { hostname } from "node:os";
import { z } from "zod";
import type { Docker } from "./create-docker.ts";
import { engineCall } from "./engine-call.ts";
import { statusCode } from "./engine-error.ts";
import { ServiceError } from "@remote-runtime/protocol";

/** The container that this process runs in, on the engine that it uses. */
export type Self = {
  containerId: string;
  /** Compose's names for the project and for this service, and which of its containers this is (from 1). */
  composeProject: string | undefined;
  composeService: string | undefined;
  composeNumber: number | undefined;
  /** False when it shares the network of the host or of another container: it cannot join a network then. */
  ownNetwork: boolean;
  /** Its address on a network other than the sandboxes', where other containers reach it. */
  networkAddress: string | undefined;
  /** The address of the engine's host as this container sees it; unknown where the engine does not say. */
  hostAddress: string | undefined;
  /** The port of the host that leads to a TCP port of this container. */
  publishedPort(containerPort: number): number | undefined;
};

export type SelfSource = {
  /** Text of /proc/self/mountinfo; empty where there is none. */
  mountinfo: () => Promise<string>;
  hostname: () => string;
};

const Inspected = z.object({
  Id: z.string(),
  HostConfig: z.object({ NetworkMode: z.string() }),
  Config: z.object({ Labels: z.record(z.string(), z.string()).nullish() }),
  NetworkSettings: z.object({
    Networks: z
      .record(
        z.string(),
        z.object({ IPAddress: z.string().nullish(), Gateway: z.string().nullish() }).nullable(),
      )
      .nullish(),
    Ports: z.record(z.string(), z.array(z.object({ HostPort: z.string() })).nullable()).nullish(),
  }),
});
type Inspected = z.infer<typeof Inspected>;
type Networks = NonNullable<Inspected["NetworkSettings"]["Networks"]>;

/**
 * Who this process is to the engine; `undefined` when it is in no container of that engine. `sandboxNetwork` is left out
 * when `networkAddress` is chosen, unless there is no other.
 */
export async function inspectSelf(
  docker: Docker,
  {
    sandboxNetwork = "",
    source = thisProcess,
  }: { sandboxNetwork?: string; source?: SelfSource } = {},
): Promise<Self | undefined> {
  const id = containerId(await source.mountinfo(), source.hostname());
  if (id === undefined) return undefined;
  try {
    const json = await engineCall(`own container ${id.slice(0, 12)}`, async (abortSignal) =>
      Inspected.parse(await docker.getContainer(id).inspect({ abortSignal })),
    );
    return describe(json, sandboxNetwork);
  } catch (error) {
    // A container, but of another engine.
    if (error instanceof ServiceError && statusCode(error.cause) === 404) return undefined;
    throw error;
  }
}

const thisProcess: SelfSource = {
  async mountinfo() {
    try {
      return await readFile("/proc/self/mountinfo", "utf8");
    } catch {
      // Not Linux, so in no container either.
      return "";
    }
  },
  hostname,
};

/** The engine mounts three files of each container's folder into it; by default it also names the container by its id. */
function containerId(mountinfo: string, name: string): string | undefined {
  const mounted = /\/containers\/([0-9a-f]{64})\/\S+ \/etc\/(?:hostname|hosts|resolv\.conf) /.exec(
    mountinfo,
  )?.[1];
  return mounted ?? (/^[0-9a-f]{12}$/.test(name) ? name : undefined);
}

function describe(
  { Id, HostConfig, Config, NetworkSettings }: Inspected,
  sandboxNetwork: string,
): Self {
  const labels = Config.Labels ?? {};
  const number = Number(labels["com.docker.compose.container-number"]);
  const ports = NetworkSettings.Ports ?? {};
  return {
    containerId: Id,
    composeProject: labels["com.docker.compose.project"],
    composeService: labels["com.docker.compose.service"],
    composeNumber: Number.isInteger(number) && number > 0 ? number : undefined,
    ownNetwork: !/^(host|none|container:.*)$/.test(HostConfig.NetworkMode),
    networkAddress: address(NetworkSettings.Networks ?? {}, sandboxNetwork),
    hostAddress: hostAddress(NetworkSettings.Networks ?? {}, sandboxNetwork),
    publishedPort: (containerPort) =>
      Number(ports[`${containerPort}/tcp`]?.[0]?.HostPort) || undefined,
  };
}

/** As seen from the sandboxes' network, if this container is in it: engines may part one network from another's ports. */
function hostAddress(networks: Networks, sandboxNetwork: string): string | undefined {
  const all = [networks[sandboxNetwork], ...Object.values(networks)];
  return all.find((at) => at?.Gateway)?.Gateway ?? undefined;
}

function address(networks: Networks, sandboxNetwork: string): string | undefined {
  const known = Object.entries(networks).flatMap(([name, at]) =>
    at?.IPAddress ? [{ name, address: at.IPAddress }] : [],
  );
  return (known.find(({ name }) => name !== sandboxNetwork) ?? known[0])?.address;
}
