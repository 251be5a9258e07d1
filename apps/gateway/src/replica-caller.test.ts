import { ServiceError } from "@remote-runtime/protocol";
import { exampleReplica } from "@remote-runtime/registry/testing";
import { systemClock } from "@remote-runtime/runtime";
import { describe, expect, test } from "vitest";
import { createReplicaCaller, ReplicaAwayError } from "./replica-caller.ts";

const replica = exampleReplica("one", { internalUrl: "http://one.test" });

/** A caller whose network answers as `answer` says. */
function create(answer: () => Promise<Response>) {
  let now = 0;
  const caller = createReplicaCaller({
    routing: "direct",
    publicUrl: null,
    clock: { ...systemClock, now: () => now },
    fetchOf: () => answer,
  });
  const call = (): Promise<unknown> => {
    const context = { owner: "alice", request: new Request("http://gateway.test") };
    return caller.call({ replica, route: "registryPrefix", input: {}, context });
  };
  return { caller, call, pass: (ms: number) => void (now += ms) };
}

const refused = (): Promise<Response> =>
  Promise.reject(Object.assign(new Error("refused"), { syscall: "connect" }));
const fine = async (): Promise<Response> => Response.json({ registry_prefix: "here" });

describe("createReplicaCaller()", () => {
  test.each([
    ["refuses the connection", refused, false],
    ["breaks off", () => Promise.reject(new TypeError("other side closed")), true],
    ["answers what no replica would", async () => new Response("<html>"), true],
  ])(
    "throws ReplicaAwayError when it %s, telling whether it may have got the request",
    async (_, answer, got) => {
      const { caller, call } = create(answer);
      const error = await call().catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(ReplicaAwayError);
      expect(error).toMatchObject({ code: "unavailable", mayHaveTaken: got });
      expect(caller.isSilent(replica)).toBe(true);
    },
  );

  test.each([
    ["itself", new Response("{}", { headers: { "x-replica-instance": replica.instance } }), true],
    ["as before it named itself", new Response("{}"), true],
    ["as another process", new Response("{}", { headers: { "x-replica-instance": "b" } }), false],
    ["with an error", new Response("{}", { status: 503 }), false],
  ])("answers() when the address answers %s", async (_, answer, isThere) => {
    const { caller } = create(async () => answer);
    expect(await caller.answers(replica)).toBe(isThere);
  });

  test("throws what the replica itself says, which is no silence", async () => {
    const refusal = { detail: "the engine does not answer", error: "" };
    const { caller, call } = create(async () => Response.json(refusal, { status: 503 }));
    const error = await call().catch((thrown: unknown) => thrown);
    expect(error).toEqual(new ServiceError("unavailable", "the engine does not answer"));
    expect(error).not.toBeInstanceOf(ReplicaAwayError);
    expect(caller.isSilent(replica)).toBe(false);
  });

  test("counts a replica as silent no more once it says anything, be it a refusal", async () => {
    let answer = refused;
    const { caller, call } = create(() => answer());
    await call().catch(() => undefined);
    expect(caller.isSilent(replica)).toBe(true);
    answer = async () => Response.json({ detail: "no such runtime" }, { status: 404 });
    await expect(call()).rejects.toMatchObject({ code: "not_found" });
    expect(caller.isSilent(replica)).toBe(false);
  });

  test("counts a replica as silent for two seconds, and while one caller tries it again", async () => {
    const held = Promise.withResolvers<Response>();
    let answer = refused;
    const { caller, call, pass } = create(() => answer());
    await call().catch(() => undefined);
    pass(1_999);
    expect(caller.isSilent(replica)).toBe(true);
    pass(1);
    expect(caller.isSilent(replica)).toBe(false);
    answer = () => held.promise;
    const trying = call();
    expect(caller.isSilent(replica)).toBe(true);
    held.resolve(await fine());
    await trying;
    expect(caller.isSilent(replica)).toBe(false);
  });
});
