import type { Registry, RuntimeRecord } from "@remote-runtime/registry";
import { createLedger, type Ledger } from "./ledger.ts";
import { exampleRecord } from "./record-example.ts";
import { createWorld, REPLICA, type TestRegistry } from "./runtimes-fixture.ts";

/** A ledger that has read the records, and what it works with. */
type Bench = {
  ledger: Ledger;
  registry: TestRegistry;
  log: string[];
  latest: Map<string, RuntimeRecord>;
  lost: string[][];
  ended: string[];
  replaced: string[];
  settle: () => Promise<void>;
  advance: (ms: number) => Promise<void>;
};

export async function bench(
  change: (registry: Registry) => Registry = (same) => same,
): Promise<Bench> {
  const { registry, clock } = createWorld();
  const log: string[] = [];
  const write = (_details: object, message: string): void => void log.push(message);
  const latest = new Map<string, RuntimeRecord>();
  const lost: string[][] = [];
  const ended: string[] = [];
  const replaced: string[] = [];
  const ledger = createLedger({
    registry: change(registry),
    replicaId: REPLICA,
    latest: (id) => latest.get(id),
    onLost: (id, owner) => void lost.push([id, owner]),
    onStopped: (id) => void ended.push(id),
    onReplaced: (id) => void replaced.push(id),
    clock,
    log: { info: write, warn: write },
  });
  await ledger.read([]);
  return {
    ledger,
    registry,
    log,
    latest,
    lost,
    ended,
    replaced,
    settle: clock.settle,
    advance: clock.advance,
  };
}

export const stopped = (change: Partial<RuntimeRecord> = {}): RuntimeRecord =>
  exampleRecord({ desired: "stopped", observed: { state: "none" }, endedAt: 1_000_000, ...change });
