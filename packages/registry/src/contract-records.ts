import { expect, test } from "vitest";
import {
  eventually,
  FOREVER_MS,
  runtimeIds,
  SOON_MS,
  type RegistryFixture,
} from "./contract-fixture.ts";
import { exampleRecord } from "./example.ts";
import type { Registry } from "./registry.ts";

const A = "abcdaaaaaaaaaaaa";
const B = "abcdbbbbbbbbbbbb";
const C = "abcdcccccccccccc";

/** The part of the contract about what was asked for. */
export function describeRecordContract(make: () => Promise<RegistryFixture>): void {
  test("putRecord() keeps the record as it is until it is replaced or removed", async () => {
    await using fixture = await make();
    const { registry, other } = fixture;
    expect(await registry.record(A)).toBeUndefined();
    await registry.putRecord(exampleRecord(A));
    expect(await other.record(A)).toEqual(exampleRecord(A));
    const later = exampleRecord(A, { observed: { state: "ready", since: 5 }, restartCount: 1 });
    await registry.putRecord(later);
    expect(await other.record(A)).toEqual(later);
    await other.removeRecord(A, "replica-1");
    await other.removeRecord(A, "replica-1");
    expect(await registry.record(A)).toBeUndefined();
    expect(await registry.recordsOfReplica("replica-1")).toEqual([]);
  });

  test("putRecord() with a time forgets the record after it", async () => {
    await using fixture = await make();
    const { registry, elapse } = fixture;
    await registry.putRecord(exampleRecord(A));
    const ended = exampleRecord(B, { desired: "stopped", verdict: "stopped", endedAt: 1 });
    await registry.putRecord(ended, SOON_MS);
    expect(await recordIds(registry, "replica-1")).toEqual([A, B]);
    elapse(SOON_MS);
    await eventually(async () => expect(await registry.record(B)).toBeUndefined());
    expect(await recordIds(registry, "replica-1")).toEqual([A]);
  });

  test("putRecord() without a time ends an earlier one", async () => {
    await using fixture = await make();
    const { registry, elapse } = fixture;
    await registry.putRecord(exampleRecord(A), SOON_MS);
    await registry.putRecord(exampleRecord(A));
    await registry.putRecord(exampleRecord(B), SOON_MS);
    elapse(SOON_MS);
    await eventually(async () => expect(await registry.record(B)).toBeUndefined());
    expect(await recordIds(registry, "replica-1")).toEqual([A]);
  });

  test("recordsOfReplica() lists a record with the replica that has it now", async () => {
    await using fixture = await make();
    const { registry, other } = fixture;
    for (const id of runtimeIds(20)) await registry.putRecord(exampleRecord(id));
    await registry.takeOver(A, "replica-1", "replica-2");
    expect(await recordIds(other, "replica-1")).toEqual(runtimeIds(20).slice(1));
    expect(await other.recordsOfReplica("replica-2")).toEqual([
      exampleRecord(A, { replicaId: "replica-2" }),
    ]);
    await registry.takeOver(A, "replica-2", "replica-1");
    expect(await recordIds(other, "replica-1")).toEqual(runtimeIds(20));
    expect(await other.recordsOfReplica("replica-2")).toEqual([]);
  });

  test("recordsOfReplica() with `live` leaves out what was written with a time", async () => {
    await using fixture = await make();
    const { registry, other } = fixture;
    for (const id of [A, B, C]) await registry.putRecord(exampleRecord(id));
    await registry.putRecord(exampleRecord(B, { desired: "stopped" }), FOREVER_MS);
    await registry.putRecord(exampleRecord(C), FOREVER_MS);
    await registry.putRecord(exampleRecord(C));
    const live = await other.recordsOfReplica("replica-1", { live: true });
    expect(live.map(({ id }) => id).toSorted()).toEqual([A, C]);
    expect(await recordIds(other, "replica-1")).toEqual([A, B, C]);
  });

  test("records() finds those of these ids, whoever has them", async () => {
    await using fixture = await make();
    const { registry, other } = fixture;
    const ended = exampleRecord(B, { replicaId: "replica-2", desired: "stopped" });
    await registry.putRecord(exampleRecord(A));
    await registry.putRecord(ended, FOREVER_MS);
    await registry.putRecord(exampleRecord(C));
    const found = new Map([
      [A, exampleRecord(A)],
      [B, ended],
    ]);
    expect(await other.records([B, A, "abcdzzzzzzzzzzzz"])).toEqual(found);
    expect(await other.records([])).toEqual(new Map());
  });

  test("putRecord() writes nothing over the record of another replica, and says whose it is", async () => {
    await using fixture = await make();
    const { registry, other, elapse } = fixture;
    const foreign = exampleRecord(A, { replicaId: "replica-2", desired: "stopped" });
    expect(await registry.putRecord(exampleRecord(A))).toBeUndefined();
    expect(await other.putRecord(foreign)).toBe("replica-1");
    expect(await other.putRecord(foreign, SOON_MS)).toBe("replica-1");
    expect(await registry.record(A)).toEqual(exampleRecord(A));
    expect(await registry.recordsOfReplica("replica-2")).toEqual([]);
    await registry.putRecord(exampleRecord(A), SOON_MS);
    elapse(SOON_MS);
    await eventually(async () => expect(await other.putRecord(foreign)).toBeUndefined());
    expect(await registry.record(A)).toEqual(foreign);
  });

  test("putRecord() does not undo a stop, and keeps its time", async () => {
    await using fixture = await make();
    const { registry, other, elapse } = fixture;
    const ended = exampleRecord(A, { desired: "stopped", verdict: "stopped", endedAt: 1 });
    await registry.putRecord(exampleRecord(A));
    expect(await other.putRecord(ended, SOON_MS)).toBeUndefined();
    for (const desired of ["running", "paused"] as const) {
      expect(await registry.putRecord(exampleRecord(A, { desired }))).toBe("replica-1");
    }
    expect(await registry.recordsOfReplica("replica-1", { live: true })).toEqual([]);
    expect(await registry.recordsOfReplica("replica-1")).toEqual([ended]);
    const later = { ...ended, lastLogs: "done" };
    expect(await registry.putRecord(later, SOON_MS)).toBeUndefined();
    expect(await other.record(A)).toEqual(later);
    elapse(SOON_MS);
    await eventually(async () => expect(await registry.record(A)).toBeUndefined());
  });

  test("takeOver() moves the record from the named replica and no other", async () => {
    await using fixture = await make();
    const { registry, other } = fixture;
    const moved = exampleRecord(A, { replicaId: "replica-2" });
    await registry.putRecord(exampleRecord(A));
    expect(await other.takeOver(A, "replica-9", "replica-2")).toBeUndefined();
    expect(await other.takeOver(B, "replica-1", "replica-2")).toBeUndefined();
    expect(await other.takeOver(A, "replica-1", "replica-2")).toEqual(moved);
    expect(await other.takeOver(A, "replica-1", "replica-3")).toBeUndefined();
    expect(await registry.record(A)).toEqual(moved);
    expect(await registry.recordsOfReplica("replica-1", { live: true })).toEqual([]);
    expect(await registry.recordsOfReplica("replica-2", { live: true })).toEqual([moved]);
    expect(await registry.putRecord(exampleRecord(A))).toBe("replica-2");
    await registry.removeRecord(A, "replica-1");
    expect(await registry.record(A)).toEqual(moved);
    await registry.removeRecord(A, "replica-2");
    expect(await registry.recordsOfReplica("replica-2")).toEqual([]);
  });

  test("takeOver() keeps the time that an ended record has left", async () => {
    await using fixture = await make();
    const { registry, elapse } = fixture;
    await registry.putRecord(exampleRecord(A, { desired: "stopped" }), SOON_MS);
    await registry.takeOver(A, "replica-1", "replica-2");
    expect(await recordIds(registry, "replica-2")).toEqual([A]);
    expect(await registry.recordsOfReplica("replica-2", { live: true })).toEqual([]);
    elapse(SOON_MS);
    await eventually(async () => expect(await registry.record(A)).toBeUndefined());
  });

  test("takeOver() by twenty at once has one winner, and no update is lost", async () => {
    await using fixture = await make();
    const { registry, other } = fixture;
    await registry.putRecord(exampleRecord(A));
    const updated = exampleRecord(A, { restartCount: 1 });
    const [refused, ...taken] = await Promise.all([
      registry.putRecord(updated),
      ...Array.from({ length: 20 }, (_, i) => other.takeOver(A, "replica-1", `replica-1${i}`)),
    ]);
    const winners = taken.filter((record) => record !== undefined);
    expect(winners).toHaveLength(1);
    expect(await registry.record(A)).toEqual(winners[0]);
    const wasWritten = refused === undefined;
    expect(winners[0]?.restartCount).toBe(wasWritten ? 1 : 0);
  });
}

async function recordIds(registry: Registry, replicaId: string): Promise<string[]> {
  return (await registry.recordsOfReplica(replicaId)).map((record) => record.id).toSorted();
}
