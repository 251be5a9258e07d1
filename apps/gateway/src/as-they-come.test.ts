import { systemClock } from "@remote-runtime/runtime";
import { describe, expect, test } from "vitest";
import { asTheyCome } from "./as-they-come.ts";

/** Work that ends when it is told to. */
function create(items: number) {
  const begun: number[] = [];
  const endings = Array.from({ length: items }, () => Promise.withResolvers<void>());
  const work = async (item: number): Promise<number> => {
    begun.push(item);
    await endings[item]?.promise;
    return item;
  };
  return {
    items: [...endings.keys()],
    begun,
    work,
    end: (item: number) => endings[item]?.resolve(),
  };
}

const patient = { width: 2, patienceMs: 60_000, clock: systemClock };

describe("asTheyCome()", () => {
  test("gives results as they come, and begins no more than are taken", async () => {
    const { items, begun, work, end } = create(5);
    const results = asTheyCome(items, work, patient);
    const first = results.next();
    expect(begun).toEqual([0, 1]);
    end(1);
    expect(await first).toEqual({ done: false, value: 1 });
    expect(begun).toEqual([0, 1]);
    const second = results.next();
    expect(begun).toEqual([0, 1, 2]);
    for (const item of items) end(item);
    const others = [await second, await results.next(), await results.next(), await results.next()];
    expect(others.map(({ value }) => value)).toEqual(expect.arrayContaining([0, 2, 3, 4]));
    expect(await results.next()).toEqual({ done: true, value: undefined });
  });

  test("goes on with others where all that it has begun hang", async () => {
    const { items, work, end } = create(6);
    const results = asTheyCome(items, work, { ...patient, patienceMs: 1 });
    end(5);
    expect(await results.next()).toEqual({ done: false, value: 5 });
  });

  test("ends at once where there is nothing", async () => {
    expect(await asTheyCome([], async () => 1, patient).next()).toEqual({
      done: true,
      value: undefined,
    });
  });
});
