import { ServiceError, type CallContext } from "@remote-runtime/protocol";
import type { ReplicaInfo } from "@remote-runtime/registry";
import { holdsCompute, type Clock } from "@remote-runtime/runtime";
import { asTheyCome } from "./as-they-come.ts";
import type { Directory } from "./directory.ts";
import { createListAsker, type ListReply } from "./list-asker.ts";
import { listPartOf, takeUnlisted, type ListPart } from "./list-part.ts";
import { noReplica } from "./no-replica.ts";
import type { RecordReader } from "./record-reader.ts";
import type { ReplicaCaller } from "./replica-caller.ts";

/**
 * The caller's runtimes, as the JSON text that answers `GET /list`: each replica's part as soon as it has come and the client
 * has taken what came before, so that a client which reads slowly makes nothing wait here but a few parts. Resolves with the
 * first of them. Throws when no replica answers anything else than an error, and `unavailable` when neither a replica nor the
 * registry tells what the replica has.
 */
export type Lister = (
  status: string | undefined,
  context: CallContext,
) => Promise<ReadableStream<Uint8Array>>;

export type ListerOptions = {
  directory: Pick<Directory, "snapshot" | "absent" | "absentMs" | "isCutOff">;
  caller: Pick<ReplicaCaller, "list" | "isSilent">;
  records: Pick<RecordReader, "recordsOf" | "isLost" | "view">;
  clock: Pick<Clock, "sleep">;
};

/** Replicas whose records are read, or wait to be taken. */
const RECORDS_AT_ONCE = 8;
/** Neighbours do it about 10 s after they have missed a replica for the first time. */
const TAKEN_OVER_WITHIN_MS = 30_000;

export function createLister({ directory, caller, records, clock }: ListerOptions): Lister {
  const askAll = createListAsker({ caller, clock });

  async function recorded(
    replica: ReplicaInfo,
    status: string | undefined,
    context: CallContext,
  ): Promise<ListReply> {
    try {
      const views = (await records.recordsOf([replica.id], context.owner))
        .filter(holdsCompute)
        .map((record) => records.view(record, context, { truthful: true }))
        .filter((view) => status === undefined || view.status === status);
      return { kind: "part", part: listPartOf(views) };
    } catch (error) {
      return { kind: "refusal", replica, error };
    }
  }

  /** What replicas have that do not answer, or not as they should, is on record. */
  async function* gather(
    status: string | undefined,
    context: CallContext,
  ): AsyncGenerator<ListPart> {
    const replicas = [...directory.snapshot().replicas.values()];
    const isCutOff = directory.isCutOff();
    // Nobody can be asked: that is no reason to say that there is nothing.
    if (replicas.length === 0 && isCutOff) throw noReplica();
    // Clients take what is not listed for gone: better no list than a part of it. What is known now is said before anything
    // is sent; later the answer can only be broken off.
    const gone = directory.absent().find((one) => mayHaveMore(one, replicas));
    if (gone && isCutOff) throw doesNotAnswer(gone);
    const listed = new Set<string>();
    const away: ReplicaInfo[] = [];
    const refusals: unknown[] = [];
    const silent = isCutOff ? replicas.filter(caller.isSilent) : [];
    for (const part of await lastAnswers(silent, status, context)) yield takeUnlisted(part, listed);
    const others = replicas.filter((replica) => !silent.includes(replica));
    for await (const reply of askAll(others, status, context)) {
      if (reply.kind === "part") yield takeUnlisted(reply.part, listed);
      else {
        away.push(reply.replica);
        if (reply.kind === "refusal") refusals.push(reply.error);
      }
    }
    if (refusals.length > 0 && refusals.length === replicas.length) throw refusals[0];
    // Not those that have answered though the registry lacks them: their records may be behind their answers.
    const left = directory.absent().filter(({ id }) => !replicas.some((one) => one.id === id));
    const replies = asTheyCome([...away, ...left], RECORDS_AT_ONCE, (replica) =>
      recorded(replica, status, context),
    );
    for await (const reply of replies) {
      if (reply.kind === "part") yield takeUnlisted(reply.part, listed);
      else if (away.includes(reply.replica)) {
        // The registry has gone away meanwhile.
        const parts = await lastAnswers([reply.replica], status, context);
        for (const part of parts) yield takeUnlisted(part, listed);
      } else if (mayHaveMore(reply.replica, replicas)) throw doesNotAnswer(reply.replica);
    }
    // What was on another's record by then had been taken over, from one that was asked too late by one that was too early.
    const heirs = others.filter(
      (one) => !away.includes(one) && mayInherit(one, [...away, ...left]),
    );
    const taken = asTheyCome(heirs, RECORDS_AT_ONCE, (heir) => recorded(heir, status, context));
    for await (const reply of taken)
      // Without the registry nobody takes anything over.
      if (reply.kind === "part") yield takeUnlisted(reply.part, listed);
  }

  function mayInherit(heir: ReplicaInfo, others: readonly ReplicaInfo[]): boolean {
    return others.some(
      ({ id, engineId }) =>
        engineId === heir.engineId && directory.absentMs(id) < TAKEN_OVER_WITHIN_MS,
    );
  }

  /** Whether one that has left may have runtimes that none of these has. */
  function mayHaveMore({ id, load, engineId }: ReplicaInfo, others: ReplicaInfo[]): boolean {
    // A neighbour on its engine takes over what it had.
    return load > 0 && !records.isLost(id) && others.every((other) => other.engineId !== engineId);
  }

  /** Of replicas that were silent a moment ago, and may be back: with the registry away nobody else can tell. */
  async function lastAnswers(
    silent: readonly ReplicaInfo[],
    status: string | undefined,
    context: CallContext,
  ): Promise<ListPart[]> {
    const parts: ListPart[] = [];
    for await (const reply of askAll(silent, status, context, { thorough: true })) {
      if (reply.kind !== "part") throw doesNotAnswer(reply.replica);
      parts.push(reply.part);
    }
    return parts;
  }

  return async function list(status, context) {
    const parts = gather(status, context);
    const first = await parts.next();
    return ReadableStream.from(written(first, parts));
  };
}

function doesNotAnswer({ id }: ReplicaInfo): ServiceError {
  return new ServiceError(
    "unavailable",
    `replica ${id} does not answer, and neither does the registry`,
  );
}

/** One object around the elements of all parts. */
async function* written(
  first: IteratorResult<ListPart>,
  others: AsyncGenerator<ListPart>,
): AsyncGenerator<Uint8Array> {
  const utf8 = new TextEncoder();
  let total = 0;
  let before = '{"runtimes":[';
  try {
    for (let next = first; !next.done; next = await others.next()) {
      const { ids, json } = next.value;
      if (ids.length === 0) continue;
      total += ids.length;
      yield utf8.encode(before);
      yield json;
      before = ",";
    }
    yield utf8.encode(`${total === 0 ? before : ""}],"total":${total}}`);
  } finally {
    // The client may have gone in the middle.
    await others.return(undefined);
  }
}
