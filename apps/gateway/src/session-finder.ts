import { ServiceError, type CallContext, type RuntimeObject } from "@remote-runtime/protocol";
import type { ReplicaInfo, RuntimeRecord } from "@remote-runtime/registry";
import { isLive } from "@remote-runtime/runtime";
import type { Asker } from "./asker.ts";
import type { Directory } from "./directory.ts";
import { likeliest } from "./merge.ts";
import { noReplica } from "./no-replica.ts";
import type { RecordReader } from "./record-reader.ts";

/** Who has a session's runtime, as far as a start of the session goes. */
export type Holding =
  | { kind: "here"; replica: ReplicaInfo }
  /** The runtime lives on, with a replica that cannot be asked. */
  | { kind: "away"; record: RuntimeRecord }
  /** `sure`: the registry says so. */
  | { kind: "none"; sure: boolean };

export interface SessionFinder {
  /** The id of the session's runtime by the registry; the replicas' own answer where that cannot tell. */
  find(
    sessionId: string,
    context: CallContext,
  ): Promise<{ id: string } | { answer: RuntimeObject } | undefined>;
  /** Replicas in `except` count as away. A runtime that was lost with its replica is ended, so that it holds nothing. */
  holding(sessionId: string, except: ReadonlySet<string>, context: CallContext): Promise<Holding>;
}

type Around = {
  found?: { answer: RuntimeObject; replica: ReplicaInfo };
  /** Those that did not answer. */
  silent: ReplicaInfo[];
};

export function createSessionFinder({
  directory,
  asker,
  records,
}: {
  directory: Directory;
  asker: Asker;
  records: RecordReader;
}): SessionFinder {
  /** Nobody else can tell: those that did not answer a moment ago are asked as well. */
  async function askAround(sessionId: string, context: CallContext): Promise<Around> {
    // Nobody can be asked: that is no reason to say that there is no such session.
    if (directory.snapshot().replicas.size === 0) throw noReplica();
    const input = { params: { session_id: sessionId } };
    const { answers, silent } = await asker.all("session", input, context, { thorough: true });
    const answer = likeliest(answers.map(({ value }) => value));
    const from = answers.find(({ value }) => value === answer);
    return answer && from ? { found: { answer, replica: from.replica }, silent } : { silent };
  }

  /** `undefined`: the registry has gone away meanwhile, and by its id alone nobody has it. */
  async function holdingBy(
    id: string,
    except: ReadonlySet<string>,
    owner: string,
  ): Promise<Holding | undefined> {
    const found = await records.record(id, owner);
    const record = found.kind === "found" ? found.value : undefined;
    if (record?.verdict === "replica_lost" && record.desired !== "stopped") {
      await records.end(record);
      return { kind: "none", sure: true };
    }
    // Where its record is there it is. The one that its id names would refuse the session, as another has it by now.
    const known = record && directory.snapshot().replicas.get(record.replicaId);
    const candidates = record
      ? [known].filter((one) => one !== undefined)
      : directory.replicasOf(id);
    const replica = candidates.find((candidate) => !except.has(candidate.id));
    // What has failed can be started anew anywhere, but where it was its remains are cleared away.
    if (replica && (!replica.draining || !record || isLive(record)))
      return { kind: "here", replica };
    if (found.kind === "registry-away") return undefined;
    return record && isLive(record) ? { kind: "away", record } : { kind: "none", sure: true };
  }

  return {
    async find(sessionId, context) {
      const holder = await records.holder(sessionId, context.owner);
      if (holder.kind === "found") return { id: holder.value };
      if (holder.kind === "none" && directory.isSettled()) return undefined;
      const { found, silent } = await askAround(sessionId, context);
      const [mayHave] = silent;
      if (found || !mayHave) return found;
      // Clients take a 404 for the end of it.
      const problem = `replica ${mayHave.id}, which may have session ${sessionId.slice(0, 80)}, does not answer`;
      throw new ServiceError("unavailable", problem);
    },

    async holding(sessionId, except, context) {
      const holder = await records.holder(sessionId, context.owner);
      const holding =
        holder.kind === "found" ? await holdingBy(holder.value, except, context.owner) : undefined;
      if (holding) return holding;
      const sure = holder.kind === "none";
      if (sure && directory.isSettled()) return { kind: "none", sure };
      const replica = (await askAround(sessionId, context)).found?.replica;
      return replica && !except.has(replica.id)
        ? { kind: "here", replica }
        : { kind: "none", sure };
    },
  };
}
