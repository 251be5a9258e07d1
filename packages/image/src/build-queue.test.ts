import { expect, test } from "vitest";
import { createBuildQueue } from "./build-queue.ts";

/** Jobs that are named when they begin and end when told. */
function jobs() {
  const begun: string[] = [];
  const ends = new Map<string, () => void>();
  const job = (name: string) => () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    begun.push(name);
    ends.set(name, resolve);
    return promise;
  };
  const end = async (name: string): Promise<void> => {
    ends.get(name)?.();
    await new Promise(setImmediate);
  };
  return { begun, job, end };
}

test("createBuildQueue() runs so many at once, and gives each owner a turn", async () => {
  const { begun, job, end } = jobs();
  const queue = createBuildQueue({ maxRunning: () => 2, maxWaiting: 10 });
  for (const name of ["a1", "a2", "a3", "a4"]) queue.add("alice", job(name));
  for (const name of ["b1", "b2"]) queue.add("bob", job(name));
  queue.add("carol", job("c1"));
  expect(begun).toEqual(["a1", "a2"]);
  await end("a1");
  await end("a2");
  expect(begun.slice(2)).toEqual(["b1", "c1"]);
  await end("b1");
  await end("c1");
  expect(begun.slice(4)).toEqual(["a3", "b2"]);
});

test("createBuildQueue() runs as many as may run by then", async () => {
  const { begun, job, end } = jobs();
  let most = 1;
  const queue = createBuildQueue({ maxRunning: () => most, maxWaiting: 10 });
  for (const name of ["1", "2", "3", "4"]) queue.add("alice", job(name));
  most = 2;
  await end("1");
  expect(begun).toEqual(["1", "2", "3"]);
  most = 1;
  await end("2");
  expect(begun).toEqual(["1", "2", "3"]);
  await end("3");
  expect(begun).toEqual(["1", "2", "3", "4"]);
});

test("createBuildQueue() lets no more wait than may", async () => {
  const { begun, job, end } = jobs();
  const queue = createBuildQueue({ maxRunning: () => 1, maxWaiting: 1 });
  queue.add("alice", job("1"));
  queue.add("alice", job("2"));
  expect(() => queue.add("bob", job("3"))).toThrow(
    expect.objectContaining({
      code: "too_many_requests",
      message: expect.stringMatching(/^1 builds wait here already, and no more than 1 may; /),
    }),
  );
  await end("1");
  queue.add("bob", job("3"));
  await end("2");
  expect(begun).toEqual(["1", "2", "3"]);
});
