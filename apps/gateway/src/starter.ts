import {
  ServiceError,
  type CallContext,
  type RuntimeObject,
  type StartRequest,
} from "@remote-runtime/protocol";
import type { ReplicaInfo } from "@remote-runtime/registry";
import type { Directory } from "./directory.ts";
import type { Placed, Placer } from "./placer.ts";
import type { RecordReader } from "./record-reader.ts";
import { ReplicaAwayError, type ReplicaCaller } from "./replica-caller.ts";
import type { Holding, SessionFinder } from "./session-finder.ts";

export type StarterOptions = {
  directory: Directory;
  caller: ReplicaCaller;
  records: RecordReader;
  sessions: SessionFinder;
  placer: Placer;
  /** Told of a start that went to the replica that has its session. */
  onHeld: (replica: ReplicaInfo) => void;
  newSessionId: () => string;
};

const MOST_TRIES = 5;

/**
 * Starts a runtime on the replica that has its session, else where its image belongs. A replica that does not answer is
 * passed over; what is on record for a session whose replica is away is the answer, as that runtime lives on.
 */
export function createStarter(
  options: StarterOptions,
): (body: StartRequest, context: CallContext) => Promise<RuntimeObject> {
  const { directory, caller, records, sessions, placer } = options;

  async function afterFailure(
    error: unknown,
    attempt: {
      sessionId: string;
      replica: ReplicaInfo;
      passedOver: Set<string>;
      context: CallContext;
    },
  ): Promise<Holding> {
    const { sessionId, replica, passedOver, context } = attempt;
    if (error instanceof ReplicaAwayError) {
      passedOver.add(replica.id);
      const holding = await sessions.holding(sessionId, passedOver, context);
      // Without the registry a second runtime of the session would go unnoticed.
      if (holding.kind === "none" && !holding.sure && error.mayHaveTaken) throw error;
      return holding;
    }
    // Another gateway was faster with the same session: its replica has the answer.
    if (ServiceError.from(error).code !== "conflict") throw error;
    const holding = await sessions.holding(sessionId, passedOver, context);
    if (holding.kind === "none") throw error;
    if (holding.kind === "here" && holding.replica.id === replica.id) throw error;
    return holding;
  }

  return async function start(body, context) {
    const sessionId = body.session_id ?? body.runtime_id ?? options.newSessionId();
    // The oldest clients are told by `runtime_id` standing alone: nothing is added to their body.
    const named = (body.session_id ?? body.runtime_id) ? body : { ...body, session_id: sessionId };
    const passedOver = new Set<string>();
    let holding = await sessions.holding(sessionId, passedOver, context);
    let last: unknown;
    for (let tries = 0; tries < MOST_TRIES; tries += 1) {
      if (holding.kind === "away") return records.view(holding.record, context);
      if (holding.kind === "here") options.onHeld(holding.replica);
      const { replica, kind }: Placed =
        holding.kind === "here"
          ? { replica: holding.replica, kind: "held" }
          : await placer.place(body.image, {
              sessionId,
              alone: !holding.sure,
              except: passedOver,
              last,
            });
      try {
        const started = await caller.call({
          replica,
          route: "start",
          input: { body: named },
          context,
          placement: kind,
          isUnclaimed: holding.kind === "none" && holding.sure,
        });
        directory.remember(started.runtime_id, replica.id);
        return started;
      } catch (error) {
        last = error;
        holding = await afterFailure(error, { sessionId, replica, passedOver, context });
      }
    }
    throw last;
  };
}
