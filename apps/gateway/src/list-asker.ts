import type { CallContext } from "@remote-runtime/protocol";
import type { ReplicaInfo } from "@remote-runtime/registry";
import type { Clock } from "@remote-runtime/runtime";
import pLimit from "p-limit";
import { asTheyCome } from "./as-they-come.ts";
import type { ListPart } from "./list-part.ts";
import { ReplicaAwayError, type ReplicaCaller } from "./replica-caller.ts";

export type ListReply =
  | { kind: "part"; part: ListPart }
  /** It does not answer, or not as it should. */
  | { kind: "silent"; replica: ReplicaInfo }
  /** It answers an error. */
  | { kind: "refusal"; replica: ReplicaInfo; error: unknown };

/**
 * Asks each replica for its part of a list: one reply for each, as they come and are taken, few of them waiting. Those that
 * were silent a moment ago are asked only with `thorough`.
 */
export type ListAsker = (
  replicas: readonly ReplicaInfo[],
  status: string | undefined,
  context: CallContext,
  options?: { thorough: boolean },
) => AsyncGenerator<ListReply>;

/** Of one list: asked for, or waiting to be taken. */
const PARTS_AT_ONCE = 8;
/** Of all lists: more at a time would only wait for each other, and for so long that replicas seem to be silent. */
const ASKED_AT_ONCE = 16;
/** A replica that takes longer holds up no others: its reply comes at the end. */
const PATIENCE_MS = 1_000;

type Late = { kind: "late"; reply: Promise<ListReply> };

export function createListAsker({
  caller,
  clock,
}: {
  caller: Pick<ReplicaCaller, "list" | "isSilent">;
  clock: Pick<Clock, "sleep">;
}): ListAsker {
  const limit = pLimit(ASKED_AT_ONCE);

  async function ask(
    replica: ReplicaInfo,
    status: string | undefined,
    context: CallContext,
  ): Promise<ListReply> {
    const input = { query: status === undefined ? {} : { status } };
    try {
      return { kind: "part", part: await caller.list({ replica, input, context }) };
    } catch (error) {
      if (error instanceof ReplicaAwayError) return { kind: "silent", replica };
      return { kind: "refusal", replica, error };
    }
  }

  async function inTime(reply: Promise<ListReply>): Promise<ListReply | Late> {
    const ending = new AbortController();
    const late = clock.sleep(PATIENCE_MS, ending.signal).then(
      (): Late => ({ kind: "late", reply }),
      // The reply has come.
      () => reply,
    );
    return Promise.race([reply, late]).finally(() => ending.abort());
  }

  return async function* askAll(replicas, status, context, { thorough } = { thorough: false }) {
    const lates: Promise<ListReply>[] = [];
    const replies = asTheyCome(replicas, PARTS_AT_ONCE, (replica) =>
      limit(async (): Promise<ListReply | Late> => {
        if (!thorough && caller.isSilent(replica)) return { kind: "silent", replica };
        return inTime(ask(replica, status, context));
      }),
    );
    for await (const reply of replies) {
      if (reply.kind !== "late") yield reply;
      else lates.push(reply.reply);
    }
    for (const reply of lates) yield await reply;
  };
}
