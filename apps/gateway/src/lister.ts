import type { CallContext } from "@remote-runtime/protocol";
import type { ReplicaInfo } from "@remote-runtime/registry";
import { holdsCompute, type Clock } from "@remote-runtime/runtime";
import pLimit from "p-limit";
import { asTheyCome, type Pace } from "./as-they-come.ts";
import type { Directory } from "./directory.ts";
import { listPartOf, takeUnlisted, type ListPart } from "./list-part.ts";
import type { RecordReader } from "./record-reader.ts";
import { ReplicaAwayError, type ReplicaCaller } from "./replica-caller.ts";
import { within } from "./within.ts";

/**
 * The caller's runtimes, as the JSON text that answers `GET /list`: each replica's part as soon as it has come and the client
 * has taken what came before, so that a client which reads slowly makes nothing wait here but a few parts. Resolves with the
 * first of them. Throws only when no replica answers anything else than an error.
 */
export type Lister = (
  status: string | undefined,
  context: CallContext,
) => Promise<ReadableStream<Uint8Array>>;

export type ListerOptions = {
  directory: Pick<Directory, "snapshot" | "absent">;
  caller: Pick<ReplicaCaller, "list" | "isSilent">;
  records: Pick<RecordReader, "recordsOf" | "view">;
  clock: Pick<Clock, "sleep">;
};

/** Parts of one list that are asked for, or wait to be taken: of replicas, or of the records of those that are away. */
const PARTS_AT_ONCE = 8;
/** Of all lists: more at a time would only wait for each other, and for so long that replicas seem to be silent. */
const ASKED_AT_ONCE = 16;
/** What takes longer is no reason to wait with the others. */
const PATIENCE_MS = 300;

type Reply =
  | { kind: "part"; part: ListPart }
  /** Of both the runtimes are on record only: one does not answer, or not as it should, the other answers an error. */
  | { kind: "silent" | "refusal"; replica: ReplicaInfo; error?: unknown };

export function createLister({ directory, caller, records, clock }: ListerOptions): Lister {
  const pace: Pace = { width: PARTS_AT_ONCE, patienceMs: PATIENCE_MS, clock };

  const limit = pLimit(ASKED_AT_ONCE);

  function askInTurn(
    replica: ReplicaInfo,
    status: string | undefined,
    context: CallContext,
  ): Promise<Reply> {
    const { promise, resolve } = Promise.withResolvers<Reply>();
    void limit(() => {
      resolve(ask(replica, status, context));
      return within(PATIENCE_MS, [promise], clock);
    });
    return promise;
  }

  /** Never rejects. */
  async function ask(
    replica: ReplicaInfo,
    status: string | undefined,
    context: CallContext,
  ): Promise<Reply> {
    if (caller.isSilent(replica)) return { kind: "silent", replica };
    const input = { query: status === undefined ? {} : { status } };
    try {
      return { kind: "part", part: await caller.list({ replica, input, context }) };
    } catch (error) {
      const kind = error instanceof ReplicaAwayError ? "silent" : "refusal";
      return { kind, replica, error };
    }
  }

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

  async function* gather(
    status: string | undefined,
    context: CallContext,
  ): AsyncGenerator<ListPart> {
    const replicas = [...directory.snapshot().replicas.values()];
    const listed = new Set<string>();
    const away = new Set(directory.absent().map(({ id }) => id));
    const refusals: unknown[] = [];
    const asked = (each: ReplicaInfo): Promise<Reply> => askInTurn(each, status, context);
    for await (const reply of asTheyCome(replicas, asked, pace)) {
      if (reply.kind === "part") yield takeUnlisted(reply.part, listed);
      else {
        away.add(reply.replica.id);
        if (reply.kind === "refusal") refusals.push(reply.error);
      }
    }
    if (refusals.length > 0 && refusals.length === replicas.length) throw refusals[0];
    const read = (id: string): Promise<ListPart> => recorded(id, status, context);
    for await (const part of asTheyCome([...away], read, pace)) yield takeUnlisted(part, listed);
  }

  return async function list(status, context) {
    const parts = gather(status, context);
    const first = await parts.next();
    return ReadableStream.from(written(first, parts));
  };
}

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
