import { INSTANCE_HEADER } from "@remote-runtime/protocol";
import type { ReplicaInfo } from "@remote-runtime/registry";
import { ConfigError } from "@remote-runtime/server";

const HEALTH_DEADLINE_MS = 1_000;

/** Whether the very process that announced itself so answers where it said; whoever has its address since does not count. */
export async function answersHealth({
  internalUrl,
  instance,
}: Pick<ReplicaInfo, "internalUrl" | "instance">): Promise<boolean> {
  try {
    const answer = await fetch(`${internalUrl}/health`, {
      redirect: "error",
      signal: AbortSignal.timeout(HEALTH_DEADLINE_MS),
    });
    await answer.body?.cancel();
    return answer.headers.get(INSTANCE_HEADER) === instance;
  } catch {
    // Nobody listens, or nobody answers in time: it is gone.
    return false;
  }
}

/** Two processes, one id: they would take each other's sandboxes for their own. */
export function idClash(own: ReplicaInfo, other: ReplicaInfo): ConfigError {
  return new ConfigError([
    `REPLICA_ID: "${own.id}" is the id of this replica (${own.internalUrl}) and of another one that is running ` +
      `(${other.internalUrl}); give each replica an id of its own with REPLICA_ID, or end one of them`,
  ]);
}
