import { ServiceError, type CallContext, type RuntimeObject } from "@remote-runtime/protocol";
import type { ReplicaInfo } from "@remote-runtime/registry";
import type { Asker } from "./asker.ts";
import type { Directory } from "./directory.ts";
import { inParts, likeliest } from "./merge.ts";
import { noReplica } from "./no-replica.ts";
import type { OwnerCall } from "./owner-call.ts";
import type { RecordReader } from "./record-reader.ts";
import type { ReplicaCaller } from "./replica-caller.ts";
import type { SessionFinder } from "./session-finder.ts";

/** The reads: from the replicas, and from their records where they are away. */
export interface Reader {
  runtime(id: string, context: CallContext): Promise<RuntimeObject | undefined>;
  session(sessionId: string, context: CallContext): Promise<RuntimeObject | undefined>;
  /** One entry for each id; null: there is none. Throws `unavailable` when nobody can tell of one of them. */
  sessions(sessionIds: readonly string[], context: CallContext): Promise<(RuntimeObject | null)[]>;
}

export type ReaderOptions = {
  directory: Directory;
  caller: ReplicaCaller;
  asker: Asker;
  callOwner: OwnerCall;
  records: RecordReader;
  sessions: SessionFinder;
};

/** A replica takes 64 KiB for the whole head of a request. */
const QUERY_CHARACTERS = 32 * 1024;
const LOOK_UPS_AT_ONCE = 100;

export function createReader({
  directory,
  caller,
  asker,
  callOwner,
  records,
  sessions,
}: ReaderOptions): Reader {
  async function runtime(id: string, context: CallContext): Promise<RuntimeObject | undefined> {
    const replicas = directory.replicasOf(id);
    if (replicas.length > 0 && replicas.every(caller.isSilent)) {
      const found = await records.record(id, context.owner);
      if (found.kind === "found") return records.view(found.value, context);
    }
    const reply = await callOwner(id, "runtime", { params: { runtime_id: id } }, context);
    switch (reply.kind) {
      case "answer":
        return reply.value;
      case "recorded":
        return records.view(reply.record, context);
      case "unsaid":
        throw reply.error;
      case "unknown":
        return undefined;
    }
  }

  async function session(
    sessionId: string,
    context: CallContext,
  ): Promise<RuntimeObject | undefined> {
    const found = await sessions.find(sessionId, context);
    const answer = found && ("id" in found ? await runtime(found.id, context) : found.answer);
    return answer?.status === "stopped" ? undefined : answer;
  }

  /** Sessions of replicas that are away: theirs are on record only. `undefined`: the registry cannot tell either. */
  async function fromRecord(
    sessionId: string,
    context: CallContext,
  ): Promise<RuntimeObject | null | undefined> {
    const holder = await records.holder(sessionId, context.owner);
    if (holder.kind === "registry-away") return undefined;
    if (holder.kind !== "found") {
      const canBeAsked = directory.snapshot().replicas.size > 0;
      return canBeAsked && !directory.isSettled() ? undefined : null;
    }
    const found = await records.record(holder.value, context.owner);
    if (found.kind === "registry-away") return undefined;
    if (found.kind !== "found" || found.value.desired === "stopped") return null;
    return records.view(found.value, context);
  }

  async function askedSessions(
    sessionIds: string[],
    context: CallContext,
    options?: { thorough: boolean },
  ): Promise<{ found: (RuntimeObject | undefined)[]; silent: ReplicaInfo[] }> {
    const query = { ids: sessionIds };
    const { answers, silent } = await asker.all("sessionBatch", { query }, context, options);
    const found = sessionIds.map((_, position) =>
      likeliest(answers.map(({ value }) => value[position])),
    );
    return { found, silent };
  }

  /** Of sessions that the registry cannot tell of: those that did not answer a moment ago may be back. */
  async function lastAnswers(
    sessionIds: string[],
    context: CallContext,
  ): Promise<Map<string, RuntimeObject | undefined>> {
    const last = new Map<string, RuntimeObject | undefined>();
    // Clients give up what they are told is not there.
    if (sessionIds.length > 0 && directory.snapshot().replicas.size === 0) throw noReplica();
    for (const part of inParts(sessionIds, QUERY_CHARACTERS)) {
      const { found, silent } = await askedSessions(part, context, { thorough: true });
      const [mayHave] = silent;
      const missing = part.find((_, i) => found[i] === undefined);
      if (mayHave && missing !== undefined) {
        const problem = `replica ${mayHave.id}, which may have session ${missing.slice(0, 80)}, does not answer`;
        throw new ServiceError("unavailable", problem);
      }
      part.forEach((sessionId, i) => last.set(sessionId, found[i]));
    }
    return last;
  }

  return {
    runtime,
    session,

    async sessions(sessionIds, context) {
      const found: (RuntimeObject | undefined)[] = [];
      for (const part of inParts(sessionIds, QUERY_CHARACTERS)) {
        found.push(...(await askedSessions(part, context)).found);
      }
      const result: (RuntimeObject | null | undefined)[] = [];
      for (let at = 0; at < sessionIds.length; at += LOOK_UPS_AT_ONCE) {
        const part = sessionIds.slice(at, at + LOOK_UPS_AT_ONCE);
        result.push(
          ...(await Promise.all(
            part.map(
              async (sessionId, i) => found[at + i] ?? (await fromRecord(sessionId, context)),
            ),
          )),
        );
      }
      const unsaid = new Set(sessionIds.filter((_, i) => result[i] === undefined));
      const last = await lastAnswers([...unsaid], context);
      return sessionIds.map((sessionId, i) => result[i] ?? last.get(sessionId) ?? null);
    },
  };
}
