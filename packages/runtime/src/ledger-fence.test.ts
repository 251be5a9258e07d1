import { ServiceError } from "@remote-runtime/protocol";
import type { Registry } from "@remote-runtime/registry";
import { describe, expect, test } from "vitest";
import { bench, stopped } from "./ledger-fixture.ts";
import { exampleRecord } from "./record-example.ts";

const KEY = { owner: "alice", sessionId: "session-1" };
const record = exampleRecord();

describe("a runtime that another replica has taken over", () => {
  const theirs = exampleRecord({ replicaId: "replica-2" });

  test.each([
    ["is saved", record],
    ["has ended", stopped()],
  ])("is not written to when it %s, and keeps its session", async (_, own) => {
    const { ledger, registry, lost, settle } = await bench();
    await registry.putRecord(theirs);
    await registry.claimSession(KEY, record.id);
    ledger.reclaim(own);
    await settle();
    expect(lost).toEqual([[record.id, "replica-2"]]);
    expect(await registry.record(record.id)).toEqual(theirs);
    expect(await registry.sessionHolder(KEY)).toBe(record.id);
  });

  test("is refused in the middle of its start, and stays on record", async () => {
    const { ledger, registry } = await bench();
    await registry.putRecord(theirs);
    await expect(ledger.accept(record)).rejects.toMatchObject({ code: "conflict" });
    expect(await registry.record(record.id)).toEqual(theirs);
  });

  test("is ended there when it was stopped here, at once or when the registry is back", async () => {
    for (const isAway of [false, true]) {
      const { ledger, registry, settle } = await bench();
      await registry.putRecord(theirs);
      await registry.claimSession(KEY, record.id);
      registry.setAway(isAway);
      ledger.drop(record.id, stopped({ verdict: "stopped" }));
      await settle();
      registry.setAway(false);
      await ledger.retry();
      expect(await registry.record(record.id)).toEqual({
        ...theirs,
        desired: "stopped",
        verdict: "stopped",
        endedAt: 1_000_000,
      });
      expect(await registry.sessionHolder(KEY)).toBeUndefined();
    }
  });

  describe("and was stopped here, as several were,", () => {
    const ids = ["first", "second", "third"].map((word) => word.padEnd(16, "x"));

    /** Three that the registry has not been told of, and those whose record it was asked for since. */
    async function stopAll(change: (registry: Registry) => Registry = (same) => same) {
      const asked: string[] = [];
      const made = await bench((registry) =>
        change({
          ...registry,
          record: (id) => {
            asked.push(id);
            return registry.record(id);
          },
        }),
      );
      const { ledger, registry, settle } = made;
      for (const id of ids) await registry.putRecord({ ...theirs, id });
      registry.setAway(true);
      for (const id of ids) ledger.drop(id, stopped({ id, verdict: "stopped" }));
      await settle();
      asked.length = 0;
      const live = async (): Promise<string[]> => {
        const records = await Promise.all(ids.map((id) => registry.record(id)));
        return records.flatMap((one) => (one && one.desired !== "stopped" ? [one.id] : []));
      };
      return { ...made, asked, live };
    }

    test("has the registry asked once while that is away, and all are ended when it is back", async () => {
      const { ledger, registry, asked, live } = await stopAll();
      await ledger.retry();
      expect(asked).toEqual(ids.slice(0, 1));
      registry.setAway(false);
      await ledger.retry();
      expect(await live()).toEqual([]);
    });

    test.each<[string, () => Promise<string>]>([
      ["changes hands just then", async () => "replica-3"],
      [
        "is refused for itself",
        () => Promise.reject(new ServiceError("internal", "no such thing")),
      ],
    ])("holds up none of the others where it %s, and is tried again", async (_, answer) => {
      const hindered = new Set(ids.slice(0, 1));
      const { ledger, registry, live } = await stopAll((same) => ({
        ...same,
        putRecord: (record, ...rest) =>
          hindered.has(record.id) ? answer() : same.putRecord(record, ...rest),
      }));
      registry.setAway(false);
      await ledger.retry();
      expect(await live()).toEqual(ids.slice(0, 1));
      hindered.clear();
      await ledger.retry();
      expect(await live()).toEqual([]);
    });
  });

  test("is not written once it is dropped", async () => {
    const { ledger, registry, settle } = await bench();
    registry.setAway(true);
    ledger.save(record);
    await settle();
    ledger.drop(record.id);
    registry.setAway(false);
    await ledger.read([]);
    await ledger.retry();
    expect(await registry.record(record.id)).toBeUndefined();
  });
});

describe("a runtime that a gateway has ended", () => {
  test("is not written anew, claims no session, and is reported", async () => {
    const { ledger, registry, ended, lost, settle } = await bench();
    await registry.putRecord(stopped());
    ledger.reclaim(record);
    await settle();
    expect(ended).toEqual([record.id]);
    expect(lost).toEqual([]);
    expect(await registry.record(record.id)).toEqual(stopped());
    expect(await registry.sessionHolder(KEY)).toBeUndefined();
    await expect(ledger.accept(record)).rejects.toMatchObject({
      code: "conflict",
      message: expect.stringContaining("has been stopped"),
    });
  });
});
