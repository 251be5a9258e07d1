import { z } from "zod";
import { docker } from "../support/docker.ts";
import type { Cluster } from "./cluster.ts";

const RECORD_LABEL = "openhands.runtime.record";
const Labelled = z.object({ sessionId: z.string() });

/** Session and runtime of each container of the cluster, in any state, as its own label says. */
export async function containerSessions(
  cluster: Pick<Cluster, "containers">,
): Promise<[session: string, id: string][]> {
  const ids = await cluster.containers();
  const format = `{{index .Config.Labels "${RECORD_LABEL}"}}`;
  const labels = await Promise.all(
    // One that is being removed is none.
    ids.map((id) => docker("inspect", "--format", format, id).catch(() => "")),
  );
  return labels.flatMap((label, i): [string, string][] =>
    label === "" ? [] : [[Labelled.parse(JSON.parse(label)).sessionId, ids[i] ?? ""]],
  );
}
