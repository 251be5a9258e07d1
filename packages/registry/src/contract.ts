import { ServiceError } from "@remote-runtime/protocol";
import { describe, expect, test } from "vitest";
import { FOREVER_MS, replicaIds, runtimeIds, type RegistryFixture } from "./contract-fixture.ts";
import { describeChangeContract } from "./contract-changes.ts";
import { describeInventoryContract } from "./contract-inventory.ts";
import { describePinContract } from "./contract-pins.ts";
import { describePresenceContract } from "./contract-presence.ts";
import { describePullLeaseContract } from "./contract-pull-leases.ts";
import { describeRecordContract } from "./contract-records.ts";
import { exampleImages, exampleRecord, exampleReplica } from "./example.ts";
import type { HeldImage } from "./image-inventory.ts";
import type { RuntimeRecord } from "./record.ts";
import type { ReplicaInfo } from "./replica-info.ts";

const A = "abcdaaaaaaaaaaaa";
const B = "abcdbbbbbbbbbbbb";
const C = "abcdcccccccccccc";
const KEY = { owner: "default", sessionId: "s" };

/** What every kind of registry does alike. */
export function describeRegistryContract(name: string, make: () => Promise<RegistryFixture>): void {
  describe(name, () => {
    describePresenceContract(make);
    describeInventoryContract(make);
    describeChangeContract(make);
    describePinContract(make);
    describePullLeaseContract(make);
    describeSessions(make);
    describeRecordContract(make);
    describeForeignEntries(make);

    test("close() can be called twice, and ends all other calls as unavailable", async () => {
      await using fixture = await make();
      const { registry } = fixture;
      await registry.close();
      await registry.close();
      await expect(registry.replicas()).rejects.toMatchObject(unavailable);
      await expect(registry.claimSession(KEY, A)).rejects.toMatchObject(unavailable);
      await expect(registry.putRecord(exampleRecord(A))).rejects.toMatchObject(unavailable);
      await expect(registry.record(A)).rejects.toThrow(ServiceError);
    });
  });
}

const unavailable = { name: "ServiceError", code: "unavailable" };

function describeSessions(make: () => Promise<RegistryFixture>): void {
  test("claimSession() gives a session to the first and tells the others who has it", async () => {
    await using fixture = await make();
    const { registry, other } = fixture;
    expect(await registry.sessionHolder(KEY)).toBeUndefined();
    expect(await registry.claimSession(KEY, A)).toBe(A);
    expect(await other.claimSession(KEY, B)).toBe(A);
    expect(await registry.claimSession(KEY, A)).toBe(A);
    expect(await other.sessionHolder(KEY)).toBe(A);
  });

  test("claimSession() keeps owners apart, whatever their names", async () => {
    await using fixture = await make();
    const { registry } = fixture;
    expect(await registry.claimSession({ owner: "a:b", sessionId: "c" }, A)).toBe(A);
    expect(await registry.claimSession({ owner: "a", sessionId: "b:c" }, B)).toBe(B);
    expect(await registry.claimSession({ owner: 'a","b', sessionId: "c" }, C)).toBe(C);
  });

  test("claimSession() of twenty at once has one winner", async () => {
    await using fixture = await make();
    const { registry, other } = fixture;
    const claims = runtimeIds(20).map((id, i) => (i % 2 ? registry : other).claimSession(KEY, id));
    const holders = new Set(await Promise.all(claims));
    expect([...holders]).toEqual([await registry.sessionHolder(KEY)]);
  });

  test("claimSession() replaces the named holder and no other", async () => {
    await using fixture = await make();
    const { registry } = fixture;
    expect(await registry.claimSession(KEY, A, C)).toBe(A);
    expect(await registry.claimSession(KEY, B, C)).toBe(A);
    expect(await registry.claimSession(KEY, B, A)).toBe(B);
    expect(await registry.sessionHolder(KEY)).toBe(B);
  });

  test("claimSession() of twenty that replace the same holder has one winner", async () => {
    await using fixture = await make();
    const { registry, other } = fixture;
    const before = "abcdzzzzzzzzzzzz";
    await registry.claimSession(KEY, before);
    const claims = runtimeIds(20).map((id, i) =>
      (i % 2 ? registry : other).claimSession(KEY, id, before),
    );
    const holders = [...new Set(await Promise.all(claims))];
    expect(holders).toEqual([await registry.sessionHolder(KEY)]);
    expect(holders).not.toEqual([before]);
  });

  test("putRecord() with a time frees the session for its holder only", async () => {
    await using fixture = await make();
    const { registry, other } = fixture;
    const ended = (id: string) => exampleRecord(id, { ...KEY, desired: "stopped" });
    await registry.claimSession(KEY, A);
    await other.putRecord(exampleRecord(A, KEY));
    await other.putRecord(ended(B), FOREVER_MS);
    expect(await registry.sessionHolder(KEY)).toBe(A);
    const foreign = { ...ended(A), replicaId: "replica-2" };
    expect(await other.putRecord(foreign, FOREVER_MS)).toBe("replica-1");
    expect(await registry.sessionHolder(KEY)).toBe(A);
    await other.putRecord(ended(A), FOREVER_MS);
    expect(await registry.sessionHolder(KEY)).toBeUndefined();
    expect(await other.claimSession(KEY, B)).toBe(B);
  });
}

function describeForeignEntries(make: () => Promise<RegistryFixture>): void {
  test("what another version wrote counts as absent where it does not parse", async () => {
    await using fixture = await make();
    const { registry } = fixture;
    await registry.announce(exampleReplica("r1"), FOREVER_MS);
    await registry.announce(exampleReplica("r2", { tag: "too long" }), FOREVER_MS);
    const images = new Map([...exampleImages(["a:1"]), ["b:1", foreign<HeldImage>("present")]]);
    await registry.publishInventory("r1", images);
    await registry.putRecord(exampleRecord(A));
    await registry.putRecord(exampleRecord(B, { desired: foreign<"running">("hibernated") }));
    await registry.claimSession(KEY, "runtime/1");
    expect(await replicaIds(registry)).toEqual(["r1"]);
    expect((await registry.inventory("r1"))?.images).toEqual(exampleImages(["a:1"]));
    expect(await registry.record(B)).toBeUndefined();
    expect(await registry.records([A, B])).toEqual(new Map([[A, exampleRecord(A)]]));
    expect(await registry.recordsOfReplica("replica-1")).toEqual([exampleRecord(A)]);
    expect(await registry.sessionHolder(KEY)).toBeUndefined();
    expect(await registry.claimSession(KEY, A)).toBe(A);
  });

  test("a replica that an older version announced has the fields that are new", async () => {
    await using fixture = await make();
    const { registry } = fixture;
    const { instance, runtimes, loadVersion, pulling, ...older } = exampleReplica("r1");
    await registry.announce(foreign<ReplicaInfo>(older), FOREVER_MS);
    expect(await registry.replicas()).toEqual([
      { ...older, instance, runtimes, loadVersion, pulling },
    ]);
    await registry.withdraw("r1", "");
    expect(await registry.replicas()).toEqual([]);
  });

  test("an entry that nobody can read keeps no instance away", async () => {
    await using fixture = await make();
    const { registry, other } = fixture;
    const replica = exampleReplica("r1", { instance: "one" });
    await other.announce({ ...replica, instance: "future", tag: "too long" }, FOREVER_MS);
    expect(await registry.announce(replica, FOREVER_MS)).toBeUndefined();
    expect(await other.replicas()).toEqual([replica]);
  });

  test("what another version wrote loses the fields that are not known here", async () => {
    await using fixture = await make();
    const { registry } = fixture;
    const replica = { ...exampleReplica("r1"), zone: "north" };
    const record: RuntimeRecord & { colour: string } = { ...exampleRecord(A), colour: "red" };
    await registry.announce(replica, FOREVER_MS);
    await registry.putRecord(record);
    expect(await registry.replicas()).toEqual([exampleReplica("r1")]);
    expect(await registry.record(A)).toEqual(exampleRecord(A));
  });
}

/** A value that this version's types do not know; another version's do. */
function foreign<T>(value: unknown): T {
  return value as T;
}
