import type { CallContext } from "@remote-runtime/protocol";
import { holdsCompute, type Clock } from "@remote-runtime/runtime";
import { asTheyCome } from "./as-they-come.ts";
import type { Directory } from "./directory.ts";
import { createListAsker } from "./list-asker.ts";
import { listPartOf, takeUnlisted, type ListPart } from "./list-part.ts";
import { noReplica } from "./no-replica.ts";
import type { RecordReader } from "./record-reader.ts";
import type { ReplicaCaller } from "./replica-caller.ts";

/**
 * The caller's runtimes, as the JSON text that answers `GET /list`: each replica's part as soon as it has come and the client
 * has taken what came before, so that a client which reads slowly makes nothing wait here but a few parts. Resolves with the
 * first of them. Throws only when no replica answers anything else than an error,
 * or none is known while the registry is away.
 */
export type Lister = (
  status: string | undefined,
  context: CallContext,
) => Promise<ReadableStream<Uint8Array>>;

export type ListerOptions = {
  directory: Pick<Directory, "snapshot" | "absent" | "isCutOff">;
  caller: Pick<ReplicaCaller, "list" | "isSilent">;
  records: Pick<RecordReader, "recordsOf" | "view">;
  clock: Pick<Clock, "sleep">;
};

/** Replicas whose records are read, or wait to be taken. */
const RECORDS_AT_ONCE = 8;

export function createLister({ directory, caller, records, clock }: ListerOptions): Lister {
  const askAll = createListAsker({ caller, clock });

  async function recorded(
    replicaId: string,
    status: string | undefined,
    context: CallContext,
  ): Promise<ListPart> {
    const views = (await records.recordsOf([replicaId], context.owner))
      .filter(holdsCompute)
      .map((record) => records.view(record, context, { truthful: true }));
    return listPartOf(views.filter((view) => status === undefined || view.status === status));
  }

  /** The runtimes of replicas that do not answer, or not as they should, are on record. */
  async function* gather(
    status: string | undefined,
    context: CallContext,
  ): AsyncGenerator<ListPart> {
    const replicas = [...directory.snapshot().replicas.values()];
    // Nobody can be asked: that is no reason to say that there is nothing.
    if (replicas.length === 0 && directory.isCutOff()) throw noReplica();
    const listed = new Set<string>();
    const away = new Set(directory.absent().map(({ id }) => id));
    const refusals: unknown[] = [];
    for await (const reply of askAll(replicas, status, context)) {
      if (reply.kind === "part") yield takeUnlisted(reply.part, listed);
      else {
        away.add(reply.replica.id);
        if (reply.kind === "refusal") refusals.push(reply.error);
      }
    }
    if (refusals.length > 0 && refusals.length === replicas.length) throw refusals[0];
    const parts = asTheyCome([...away], RECORDS_AT_ONCE, (id) => recorded(id, status, context));
    for await (const part of parts) yield takeUnlisted(part, listed);
  }

  return async function list(status, context) {
    const parts = gather(status, context);
    const first = await parts.next();
    return ReadableStream.from(written(first, parts));
  };
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
