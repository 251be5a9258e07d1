import { ServiceError, type CallContext, type RuntimeObject } from "@remote-runtime/protocol";
import { exampleReplica } from "@remote-runtime/registry/testing";
import { expect, test } from "vitest";
import { createSessionFinder } from "./session-finder.ts";

const two = exampleReplica("two");
const context: CallContext = { owner: "alice", request: new Request("http://gateway.test") };
const answer = { runtime_id: "aaaabbbbccccdddd", status: "running" } as RuntimeObject;

/** The registry says who holds the session, and is away when the record is to be read. */
function create({ byId = [], has = true }: { byId?: (typeof two)[]; has?: boolean }) {
  const error = new ServiceError("unavailable", "the registry is away");
  type Options = Parameters<typeof createSessionFinder>[0];
  // Only what a start of a session asks for.
  return createSessionFinder({
    directory: {
      replicasOf: () => byId,
      isSettled: () => true,
      snapshot: () => ({ replicas: new Map([["two", two]]) }),
    } as unknown as Options["directory"],
    asker: {
      all: async () => ({ answers: has ? [{ replica: two, value: answer }] : [], silent: [] }),
    } as unknown as Options["asker"],
    records: {
      holder: async () => ({ kind: "found", value: answer.runtime_id }),
      record: async () => ({ kind: "registry-away", error }),
    } as unknown as Options["records"],
  });
}

test("holding() asks around when the registry goes away before the holder's record is read", async () => {
  const holding = await create({}).holding("s", new Set(), context);
  expect(holding).toEqual({ kind: "here", replica: two });
});

test("holding() goes by the id alone where that names a replica, and is not sure where nobody has the session", async () => {
  const one = exampleReplica("one");
  const byId = await create({ byId: [one] }).holding("s", new Set(), context);
  expect(byId).toEqual({ kind: "here", replica: one });
  const nobody = await create({ byId: [one], has: false }).holding("s", new Set(["one"]), context);
  expect(nobody).toEqual({ kind: "none", sure: false });
});
