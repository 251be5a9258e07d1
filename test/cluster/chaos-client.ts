import { setTimeout as delay } from "node:timers/promises";
import type { Answer } from "../support/call.ts";
import type { SeededRandom } from "../support/seeded-random.ts";
import { stubStart } from "../support/stub-start.ts";
import { WireRuntime } from "../support/wire-runtime.ts";
import type { Member } from "./member.ts";
import type { Promises } from "./promises.ts";

export type ChaosClientOptions = {
  name: string;
  gateways: readonly Member[];
  image: string;
  random: SeededRandom;
  promises: Promises;
};

/** A command is tried again for so long: more than any fault takes, with what follows from it. */
const COMMAND_DEADLINE_MS = 45_000;
const AGAIN_MS = 100;
/** Clients poll; and without a pause they would leave the servers no time to come back. */
const POLL_MS = 75;
const READS = 6;
/** In a registry that refuses at once. */
const NOWHERE = "127.0.0.1:1/nowhere:1";
/** How many live runtimes a client leaves for the end. */
const MOST_KEPT = 4;
/** No fault of these makes a runtime fail. */
const FAILED = '"status":"error"';

/**
 * Starts, reads and stops sessions at gateways that it picks at random, one after another until `signal` aborts. Commands
 * are tried again at another gateway when they meet a 503, or no answer; a read is answered by all but a gateway that is being
 * ended, and never with 5xx.
 */
export async function runChaosClient(
  { name, gateways, image, random, promises }: ChaosClientOptions,
  signal: AbortSignal,
): Promise<void> {
  const { kept, stopped, good, fail } = promises;
  const own: string[] = [];

  /** The first answer that is none of 503; no answer at all is the fault of a gateway that is being ended. */
  async function command(path: string, body: object): Promise<Answer> {
    const deadline = performance.now() + COMMAND_DEADLINE_MS;
    for (;;) {
      const answer = await random
        .pick(gateways)
        .api.post(path, body)
        .catch(() => undefined);
      if (answer && answer.status !== 503) return answer;
      if (performance.now() > deadline) {
        throw new Error(`${path} ${JSON.stringify(body)}: no answer; last: ${answer?.text}`);
      }
      await delay(AGAIN_MS);
    }
  }

  async function start(session: string): Promise<void> {
    const answer = await command("/start", stubStart(image, { session_id: session }));
    const text = answer.text.slice(0, 300);
    if (answer.status !== 201) return fail(`start of ${session}: ${answer.status} ${text}`);
    const { runtime_id: id } = WireRuntime.parse(answer.json());
    const before = kept.get(session) ?? id;
    if (before !== id) fail(`start of ${session}: ${id}, which was ${before} before`);
    kept.set(session, id);
    good.starts += 1;
  }

  /** `expected` is part of the answer. */
  async function read(path: string, expected: string): Promise<void> {
    const gateway = random.pick(gateways);
    const began = performance.now();
    const answer = await gateway.api.get(path).catch((error: unknown) => ({ error }));
    if ("error" in answer) {
      if (!gateway.wasDownSince(began)) fail(`${path} at ${gateway.id}: ${String(answer.error)}`);
      return;
    }
    const { status, text } = answer;
    if (status === 200 && text.includes(expected) && !text.includes(FAILED)) good.reads += 1;
    else fail(`${path} at ${gateway.id}: ${status} ${text.slice(0, 1_000)}`);
  }

  async function readAll(session: string): Promise<void> {
    const id = kept.get(session) ?? "";
    const asked: [path: string, expected: string][] = [
      [`/sessions/${session}`, id],
      [`/runtime/${id}`, id],
      [`/sessions/batch?ids=${session}`, id],
      ["/list", id],
      [`/image_exists?image=${image}`, '"exists":true'],
      // What nobody holds is asked of its home, whatever has become of that.
      [`/image_exists?image=${NOWHERE}`, '"exists":false'],
    ];
    for (let i = 0; i < READS; i += 1) {
      await read(...random.pick(asked));
      await delay(POLL_MS);
    }
  }

  async function stop(session: string): Promise<void> {
    const id = kept.get(session) ?? "";
    // From here on it may be stopped, whatever is answered.
    kept.delete(session);
    const { status, text } = await command("/stop", { runtime_id: id });
    if (status !== 200) return fail(`stop of ${session}, ${id}: ${status} ${text.slice(0, 300)}`);
    stopped.add(id);
    good.stops += 1;
  }

  for (let count = 0; !signal.aborted; count += 1) {
    const session = `${name}-${count}`;
    await start(session);
    await readAll(session);
    own.push(session);
    const older = random.pick(own);
    await start(older);
    await readAll(older);
    if (own.length > MOST_KEPT) {
      const [ended] = own.splice(own.indexOf(random.pick(own)), 1);
      if (ended !== undefined) await stop(ended);
    }
  }
}
