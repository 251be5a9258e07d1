import { expect, test } from "vitest";
import { createDigestMarks, digestOfMark, digestsIn } from "./digest-mark.ts";

const [one, two] = ["1", "2"].map((digit) => `sha256:${digit.repeat(64)}`);

test("digestsIn() reads digests out of names, each once", () => {
  const names = [`a@${one}`, `m.test/a@${one}`, `b@${two}`, "a:1", "m.test:5000/b:2", "x@sha512:3"];
  expect(digestsIn(names)).toEqual([one, two]);
});

test("markDigests() leaves tags that digestOfMark() reads, and goes on after one that fails", async () => {
  const tags: string[] = [];
  const warnings: string[] = [];
  const mark = createDigestMarks({
    engine: {
      async tag(reference, name) {
        if (tags.push(`${reference} ${name}`) === 1) throw new Error("away");
      },
    },
    log: { warn: (_, message) => warnings.push(message) },
  });
  await mark("a:1", [one ?? "", "sha512:3", two ?? ""]);
  expect(tags.map((each) => digestOfMark(each.split(" ")[1] ?? ""))).toEqual([one, two]);
  expect(warnings).toEqual([expect.stringContaining("pins by its digest")]);
  expect(digestOfMark(`openhands-brought:${"a".repeat(32)}`)).toBeUndefined();
});
