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

describe("asTheyCome()", () => {
  test("gives results as they come, and begins no more than are taken", async () => {
    const { items, begun, work, end } = create(5);
    const results = asTheyCome(items, 2, work);
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

  test("ends at once where there is nothing", async () => {
    expect(await asTheyCome([], 2, async () => 1).next()).toEqual({
      done: true,
      value: undefined,
    });
  });
});
