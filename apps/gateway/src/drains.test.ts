import { expect, test } from "vitest";
import { createDrains } from "./drains.ts";

test("what is told while the registry is asked is newer than its answer, once", async () => {
  const answers = [new Set(["one"]), new Set(["one", "three"]), new Set(["one", "three"])];
  const asked: PromiseWithResolvers<void>[] = [];
  const drains = createDrains({
    async drains() {
      const answer = answers[asked.length] ?? new Set();
      const question = Promise.withResolvers<void>();
      asked.push(question);
      await question.promise;
      return answer;
    },
  });
  const shown = (): string[] => ["one", "two", "three"].filter(drains.has);
  const first = drains.read();
  asked[0]?.resolve();
  await first;
  expect(shown()).toEqual(["one"]);

  const second = drains.read();
  drains.told("two", true);
  drains.told("one", false);
  expect(shown()).toEqual(["two"]);
  asked[1]?.resolve();
  await second;
  expect(shown()).toEqual(["two", "three"]);

  const third = drains.read();
  asked[2]?.resolve();
  await third;
  expect(shown()).toEqual(["one", "three"]);
});
