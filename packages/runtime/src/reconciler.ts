import { ServiceError } from "@remote-runtime/protocol";
import type { RuntimeRecord } from "@remote-runtime/registry";
import type { Admission, Applicant } from "./admission.ts";
import type { Clock } from "./clock.ts";
import type { Engine } from "./engine.ts";
import { fail, note, observe, type Entry, type Loss } from "./entry.ts";
import { isPassing, judge } from "./judge.ts";
import type { Ledger } from "./ledger.ts";
import type { Log } from "./log.ts";
import { next, type Action } from "./next.ts";
import type { Steps } from "./step.ts";

/** Wait until it is asked again whether this replica may end containers. */
const MAY_END_MS = 1_000;

export interface Reconciler {
  /** Takes steps with the runtime until there is nothing to do; a step in progress is interrupted first. */
  wake(entry: Entry): void;
  /** Its container may be other than what is observed: it is looked at, and what follows is done. */
  suspect(entry: Entry, lost: Loss): void;
  /** Brings what the runtime holds of the engine's turns and memory in line with its state. */
  balance(entry: Entry): void;
  /** What readers see: while it waits for its turn, that and its place in the line. */
  shown(entry: Entry): RuntimeRecord;
  save(entry: Entry): void;
  /** Another replica has it: it holds nothing here any more, and no further step is taken with it. */
  lose(entry: Entry): void;
  /** No further step is taken. */
  close(): void;
}

export type ReconcilerOptions = {
  engine: Pick<Engine, "ping">;
  steps: Steps;
  admission: Admission;
  ledger: Pick<Ledger, "save" | "conclude">;
  clock: Clock;
  bootTimeoutMs: number;
  /** Memory that one runtime of resource factor 1 is counted with. */
  memoryReservedBytes: number;
  /** Its container is removed and its record final. */
  forget: (entry: Entry) => void;
  /**
   * Whether no other replica can have taken runtimes over without this one knowing. Until then no container is ended or
   * removed but by a caller's command.
   */
  mayEnd: () => boolean;
  /** What some runtime is doing has changed; called often. */
  onChange: () => void;
  log: Log;
};

/** One loop per runtime: compares what is desired with what is observed and takes the next step. */
export function createReconciler(options: ReconcilerOptions): Reconciler {
  const { engine, steps, admission, ledger, clock, log } = options;
  const closing = new AbortController();

  function wake(entry: Entry): void {
    if (entry.step !== null) {
      entry.interrupt.abort();
      return;
    }
    run(entry).catch((error: unknown) => {
      log.warn({ runtime: entry.record.id, err: error }, "a runtime is left as it is");
    });
  }

  async function run(entry: Entry): Promise<void> {
    balance(entry);
    for (let action = nextOf(entry); action.kind !== "rest"; action = nextOf(entry)) {
      if (closing.signal.aborted) return;
      entry.step = action.kind;
      entry.interrupt = new AbortController();
      const taken = await attempt(entry, action);
      // In the same breath as what follows: whoever wakes a runtime without a step begins another loop.
      entry.step = null;
      // What came of it is found by the next process; the registry may be closed by now.
      if (closing.signal.aborted) return;
      balance(entry);
      if (taken && action.kind === "remove" && !entry.isLost) {
        ledger.conclude(entry.record);
        options.forget(entry);
        options.onChange();
        return;
      }
      save(entry);
    }
  }

  /** Whether the step was taken; one that failed has waited, or has made the runtime fail. */
  async function attempt(entry: Entry, action: Action): Promise<boolean> {
    const { signal } = entry.interrupt;
    try {
      await take(entry, action);
      return true;
    } catch (error) {
      // An aborted step is not a failure: what is desired has changed, and the loop looks again.
      if (!signal.aborted) await onFailure(entry, error);
      return false;
    }
  }

  function nextOf(entry: Entry): Action {
    if (entry.isLost) return { kind: "rest" };
    return next({
      desired: entry.record.desired,
      observed: entry.record.observed,
      suspect: entry.suspicion !== null,
      debris: entry.debris,
      turn: admission.turnOf(entry.record.id),
      imageHeld: entry.image !== null,
      now: clock.now(),
      bootTimeoutMs: options.bootTimeoutMs,
    });
  }

  async function take(entry: Entry, action: Action): Promise<void> {
    switch (action.kind) {
      case "rest":
        return;
      case "look":
        return steps.look(entry);
      case "fetch":
        return steps.fetch(entry);
      case "queue":
        admission.request(applicant(entry));
        return;
      case "create":
        return steps.create(entry);
      case "start":
        return steps.start(entry);
      case "probe":
        return steps.probe(entry);
      case "halt":
        return steps.halt(entry);
      case "remove":
        return steps.remove(entry);
      case "autopsy":
        return steps.autopsy(entry);
      case "give-up":
        return steps.giveUp(entry);
      case "clear":
        // Afterwards it may be another's, and no longer failed.
        if (!options.mayEnd()) return clock.sleep(MAY_END_MS, entry.interrupt.signal);
        return steps.clear(entry);
    }
  }

  async function onFailure(entry: Entry, cause: unknown): Promise<void> {
    const { step, failures, record, interrupt } = entry;
    const error = ServiceError.from(cause);
    if (error.code === "internal")
      log.warn({ runtime: record.id, step, err: cause }, "a step failed");
    const engineAnswers = !isPassing(error) || (await engine.ping());
    // What is found on its return may be its own doing.
    if (!engineAnswers && entry.suspicion) entry.suspicion = { lost: "engine_lost" };
    if (interrupt.signal.aborted) return;
    const judgement = judge({ step, error, engineAnswers, failures });
    switch (judgement.kind) {
      case "fail":
        fail(entry, clock.now(), judgement.verdict, error.message);
        return;
      case "wait":
        if (judgement.counts) entry.failures += 1;
        if (step === "fetch") observe(entry, { state: "pulling", progress: judgement.why });
        note(entry, clock.now(), "Retry", judgement.why);
        save(entry);
        // Ends early when the runtime is woken.
        await clock.sleep(judgement.ms, interrupt.signal).catch(() => undefined);
    }
  }

  function applicant({ record }: Entry): Applicant {
    const { id, owner, spec } = record;
    return { id, owner, memoryBytes: options.memoryReservedBytes * spec.resourceFactor };
  }

  function balance(entry: Entry): void {
    if (entry.isLost) return;
    const { id, desired, observed } = entry.record;
    switch (observed.state) {
      case "booting":
      case "ready":
        // What is being removed counts no more: nobody shall wait for a removal.
        if (desired === "stopped") admission.release(id);
        else admission.occupy(applicant(entry));
        if (observed.state !== "ready") return;
        admission.started(id);
        entry.failures = 0;
        return;
      case "failed":
        admission.release(id);
        return;
      case "none":
      case "queued":
      case "pulling":
        // A pull takes no turn, even when the image was there before.
        if (desired !== "running" || entry.image === null) admission.release(id);
        return;
      case "created":
      case "paused":
      case "exited":
        if (desired !== "running") admission.release(id);
    }
  }

  function shown(entry: Entry): RuntimeRecord {
    const position = admission.position(entry.record.id);
    if (position === undefined) return entry.record;
    const reason = admission.reason();
    return { ...entry.record, observed: { state: "queued", position, reason } };
  }

  function save(entry: Entry): void {
    // What it is like when it has been accepted is written then.
    if (entry.step === "accept" || entry.isLost) return;
    const record = shown(entry);
    if (record === entry.saved) return;
    entry.saved = record;
    ledger.save(record);
    options.onChange();
  }

  return {
    wake,
    balance,
    shown,
    save,
    suspect(entry, lost) {
      if (!hasContainer(entry.record)) return;
      entry.suspicion = { lost };
      // Any other step is followed by the look in any case.
      if (entry.step === null || entry.step === "probe") wake(entry);
    },
    lose(entry) {
      entry.isLost = true;
      admission.release(entry.record.id);
      entry.interrupt.abort();
      options.onChange();
    },
    close: () => closing.abort(),
  };
}

function hasContainer({ observed }: RuntimeRecord): boolean {
  switch (observed.state) {
    case "created":
    case "booting":
    case "ready":
    case "paused":
    case "exited":
      return true;
    case "none":
    case "queued":
    case "pulling":
    case "failed":
      return false;
  }
}
