import { z } from "zod";
import { docker } from "../support/docker.ts";
import type { Cluster } from "./cluster.ts";

const REPLICA_LABEL = "openhands.runtime.replica";
const RECORD_LABEL = "openhands.runtime.record";
const Labelled = z.object({ sessionId: z.string() });
const LINE = /^(?<replica>\S+) (?<id>\S+) (?<record>.+)$/;

/**
 * Session and runtime of each container that the cluster's own replicas made, as its own label says, all seen at one moment:
 * of those in any state, or of those that run.
 */
export async function containerSessions(
  { replicas }: Pick<Cluster, "replicas">,
  state: "any" | "running" = "any",
): Promise<[session: string, id: string][]> {
  const printed = await docker(
    "ps",
    ...(state === "any" ? ["--all"] : []),
    "--filter",
    `label=${RECORD_LABEL}`,
    "--format",
    `{{.Label "${REPLICA_LABEL}"}} {{.Names}} {{.Label "${RECORD_LABEL}"}}`,
  );
  const makers = new Set(replicas.map(({ id }) => id));
  return printed.split("\n").flatMap((line): [string, string][] => {
    const { replica = "", id = "", record = "" } = LINE.exec(line)?.groups ?? {};
    return makers.has(replica) ? [[Labelled.parse(JSON.parse(record)).sessionId, id]] : [];
  });
}
