import { setImmediate as nextTurn } from "node:timers/promises";
import { exampleReplica } from "@remote-runtime/registry/testing";
import { describe, expect, test } from "vitest";
import { createListAsker } from "./list-asker.ts";
import { listPartOf } from "./list-part.ts";

const context = { owner: "alice", request: new Request("http://gateway.test") };
const replicas = Array.from({ length: 60 }, (_, i) => exampleReplica(`replica-${i}`));

describe("createListAsker()", () => {
  test("goes on with the others while many replicas hang, whose parts come at the end", async () => {
    const hanging = new Set(replicas.slice(0, 20).map(({ id }) => id));
    const end = Promise.withResolvers<void>();
    const askAll = createListAsker({
      caller: {
        isSilent: () => false,
        async list({ replica: { id } }) {
          if (hanging.has(id)) await end.promise;
          return listPartOf([{ runtime_id: id }]);
        },
      },
      // What answers at once does so before a turn of the event loop is over.
      clock: { sleep: () => nextTurn() },
    });
    const replies = askAll(replicas, undefined, context);
    const listed: (string | undefined)[] = [];
    const take = async (count: number): Promise<void> => {
      for (let left = count; left > 0; left -= 1) {
        const { value } = await replies.next();
        listed.push(value?.kind === "part" ? value.part.ids[0] : undefined);
      }
    };
    await take(40);
    expect(listed).toEqual(replicas.slice(20).map(({ id }) => id));
    end.resolve();
    await take(20);
    expect(new Set(listed)).toEqual(new Set(replicas.map(({ id }) => id)));
    expect(await replies.next()).toEqual({ done: true, value: undefined });
  });

  test("asks few replicas at a time, however many lists are wanted, and none that is silent", async () => {
    let asked = 0;
    let most = 0;
    const askAll = createListAsker({
      caller: {
        isSilent: ({ id }) => id === "replica-7",
        async list() {
          asked += 1;
          most = Math.max(most, asked);
          await nextTurn();
          asked -= 1;
          return listPartOf([]);
        },
      },
      clock: { sleep: () => Promise.withResolvers<void>().promise },
    });
    const lists = await Promise.all(
      Array.from({ length: 10 }, () => Array.fromAsync(askAll(replicas, undefined, context))),
    );
    for (const replies of lists) {
      expect(replies).toHaveLength(60);
      expect(replies.filter(({ kind }) => kind === "silent")).toEqual([
        { kind: "silent", replica: replicas[7] },
      ]);
    }
    expect(most).toBe(16);
  });
});
