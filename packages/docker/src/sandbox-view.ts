import type { Sandbox } from "@remote-runtime/runtime";
import { z } from "zod";
import { CONTAINER_LABEL } from "./container-label.ts";
import type { Reach } from "./reach.ts";
import { sandboxEndpoints, type SandboxAddresses } from "./sandbox-endpoints.ts";

const Labels = z.object({
  [CONTAINER_LABEL.id]: z.string().min(1),
  [CONTAINER_LABEL.replica]: z.string(),
  [CONTAINER_LABEL.record]: z.string().min(1),
});
const Networks = z
  .record(z.string(), z.object({ IPAddress: z.string().nullish() }).nullable())
  .nullish();

/** What `GET /containers/json` says of a container. */
const ListedContainer = z.object({
  Names: z.array(z.string()),
  Labels,
  State: z.string(),
  Ports: z
    .array(
      z.object({
        IP: z.string().nullish(),
        PrivatePort: z.number(),
        PublicPort: z.number().nullish(),
      }),
    )
    .nullish(),
  NetworkSettings: z.object({ Networks }).nullish(),
});

/** What `GET /containers/{name}/json` says of it. */
const InspectedContainer = z.object({
  Name: z.string(),
  Config: z.object({ Labels }),
  State: z.object({
    Status: z.string(),
    ExitCode: z.number().int(),
    OOMKilled: z.boolean().nullish(),
  }),
  NetworkSettings: z.object({
    Networks,
    Ports: z
      .record(
        z.string(),
        z.array(z.object({ HostIp: z.string(), HostPort: z.string() })).nullable(),
      )
      .nullish(),
  }),
});

/** What the engine says of a container from before it kills the process for a removal, and of one whose removal failed. */
const LEAVING: ReadonlySet<string> = new Set(["removing", "dead"]);

export type SandboxView = {
  /** A listed container. `ended` when only an inspect knows how it ended. `undefined` when it is none of ours. */
  listed(container: unknown): { sandbox: Sandbox } | { ended: string } | undefined;
  /** An inspected container; `undefined` when it is none of ours. */
  inspected(container: unknown): Sandbox | undefined;
};

/** Reads the engine's description of containers; one that cannot be read is `undefined`, never an error. */
export function createSandboxView({
  reach,
  network,
}: {
  reach: Reach;
  network: string;
}): SandboxView {
  const endpointsOf = (at: SandboxAddresses): Sandbox["endpoints"] =>
    sandboxEndpoints(at, { reach, network });
  return {
    listed(json) {
      const parsed = ListedContainer.safeParse(json);
      if (!parsed.success) return undefined;
      const container = parsed.data;
      const id = container.Labels[CONTAINER_LABEL.id];
      if (!container.Names.includes(`/${id}`)) return undefined;
      const kind = stateKind(container.State);
      if (kind === "exited") return { ended: id };
      const bindings = (container.Ports ?? []).flatMap(({ IP, PrivatePort, PublicPort }) =>
        PublicPort ? [{ port: PrivatePort, host: IP ?? "", publicPort: PublicPort }] : [],
      );
      const addresses = addressesOf(container.NetworkSettings?.Networks);
      const endpoints = kind === "running" ? endpointsOf({ addresses, bindings }) : {};
      return { sandbox: { ...labelled(container.Labels), state: { kind }, endpoints } };
    },
    inspected(json) {
      const parsed = InspectedContainer.safeParse(json);
      if (!parsed.success) return undefined;
      const { Name, Config, State, NetworkSettings } = parsed.data;
      if (Name !== `/${Config.Labels[CONTAINER_LABEL.id]}`) return undefined;
      const kind = stateKind(State.Status);
      const state: Sandbox["state"] =
        kind === "exited"
          ? {
              kind,
              exitCode: State.ExitCode,
              oomKilled: State.OOMKilled ?? false,
              ...(LEAVING.has(State.Status) ? { removing: true } : {}),
            }
          : { kind };
      const bindings = Object.entries(NetworkSettings.Ports ?? {}).flatMap(([port, hosts]) =>
        (hosts ?? []).map(({ HostIp, HostPort }) => ({
          port: Number.parseInt(port, 10),
          host: HostIp,
          publicPort: Number(HostPort),
        })),
      );
      const addresses = addressesOf(NetworkSettings.Networks);
      const endpoints = kind === "running" ? endpointsOf({ addresses, bindings }) : {};
      return { ...labelled(Config.Labels), state, endpoints };
    },
  };
}

/** The name that a description carries, to say which one cannot be read. */
export function containerName(json: unknown): string {
  const parsed = z.object({ Names: z.array(z.string()).min(1) }).safeParse(json);
  return parsed.success ? (parsed.data.Names[0] ?? "").slice(1) : "(nameless)";
}

/**
 * `paused` is frozen: the process lives and holds its memory. `restarting` runs again in a moment. `removing`, `dead` and
 * whatever an engine may add have no process.
 */
function stateKind(status: string): Sandbox["state"]["kind"] {
  switch (status) {
    case "created":
      return "created";
    case "running":
    case "paused":
    case "restarting":
      return "running";
    default:
      return "exited";
  }
}

function labelled(
  labels: z.infer<typeof Labels>,
): Pick<Sandbox, "id" | "replicaId" | "recordLabel"> {
  return {
    id: labels[CONTAINER_LABEL.id],
    replicaId: labels[CONTAINER_LABEL.replica],
    recordLabel: labels[CONTAINER_LABEL.record],
  };
}

function addressesOf(networks: z.infer<typeof Networks>): Map<string, string> {
  return new Map(
    Object.entries(networks ?? {}).flatMap(([name, attachment]) =>
      attachment?.IPAddress ? [[name, attachment.IPAddress]] : [],
    ),
  );
}
