import { ServiceError } from "@remote-runtime/protocol";
import { expect, test } from "vitest";
import type { EngineImage, PulledElsewhere, PullRequest } from "./image-engine.ts";
import { createImageBringer } from "./image-bringer.ts";
import { RegistryAwayError, RegistryBusyError } from "./registry-away-error.ts";
import { createRegistryPauses } from "./registry-pauses.ts";
import type { CopyOutcome } from "./siblings.ts";

const quiet = (): void => undefined;
const { signal } = new AbortController();
const DIGEST = `sha256:${"0".repeat(64)}`;

/** Sources that have these names, or fail with these errors; all else they do not have. */
function fixture(
  answers: Record<string, "yes" | Error>,
  copied: CopyOutcome = "none",
  elsewhere?: PulledElsewhere,
) {
  const asked: string[] = [];
  const named: string[] = [];
  const held: string[] = [];
  const marked: string[][] = [];
  const bringer = createImageBringer({
    pauses: createRegistryPauses({ now: () => 0 }),
    engine: {
      image: async (reference) => (held.includes(reference) ? imageOf(held) : undefined),
      images: async () => [imageOf(held)],
      async pull(reference) {
        asked.push(reference);
        const answer = answers[reference] ?? new ServiceError("not_found", "manifest unknown");
        if (answer !== "yes") throw answer;
        held.push(reference);
      },
      async tag(reference, name) {
        held.push(name);
        named.push(`${name} is ${reference}`);
      },
      async untag(name) {
        named.push(`no ${name}`);
      },
    },
    siblings: {
      async copy() {
        asked.push("siblings");
        return copied;
      },
    },
    shared: {
      async run(_reference, mayWait, pull) {
        asked.push("others");
        if (elsewhere && mayWait) return elsewhere;
        await pull();
        return undefined;
      },
    },
    folder: "r.test/team",
    mirrors: [{ registry: "docker.io", folder: "m.test" }],
    markDigests: async (reference, digests) => void marked.push([reference, ...digests]),
    log: { warn: quiet },
  });
  const pull = (reference: string, request?: PullRequest) =>
    bringer.pull(reference, quiet, signal, request);
  return { pull, asked, named, held, marked, bringer };
}

function imageOf(references: string[]): EngineImage {
  return { id: "sha256:1", references, sizeBytes: 1, createdAt: 0, entrypoint: [], command: [] };
}

test("pull() names what a mirror has as it was asked for", async () => {
  const { pull, asked, named } = fixture({ "m.test/library/python:3": "yes" });
  await pull("python:3");
  expect(asked).toEqual(["m.test/library/python:3"]);
  const name = "docker.io/library/python:3 is m.test/library/python:3";
  expect(named).toEqual([name, "no m.test/library/python:3"]);
  // What was there by the mirror's name before stays so.
  await pull("m.test/library/python:3");
  await pull("python:3");
  expect(named.slice(2)).toEqual([name]);
});

test("what a mirror gave by its digest goes by its own name too", async () => {
  const name = `m.test/library/python@${DIGEST}`;
  const { pull, named, bringer } = fixture({ [name]: "yes" });
  const asked = `python:3@${DIGEST}`;
  expect(await bringer.image(asked)).toBeUndefined();
  await pull(asked);
  expect(named).toEqual([]);
  expect(await bringer.image(asked)).toMatchObject({ id: "sha256:1" });
  expect(await bringer.images()).toEqual([imageOf([name, `docker.io/library/python@${DIGEST}`])]);
});

test("pull() goes on to other engines and then to the image's own registry", async () => {
  const away = new RegistryAwayError("no route to host");
  const { pull, asked } = fixture({ "m.test/library/python:3": away, "python:3": "yes" });
  await pull("python:3");
  expect(asked).toEqual(["m.test/library/python:3", "siblings", "others", "python:3"]);
});

test("pull() says that another engine asks the public registry, and asks it itself for who may not wait", async () => {
  const elsewhere = { wait: async () => undefined };
  const { pull, asked } = fixture({ "python:3": "yes" }, "none", elsewhere);
  expect(await pull("python:3", { mayWait: true })).toBe(elsewhere);
  expect(asked).toEqual(["m.test/library/python:3", "siblings", "others"]);
  expect(await pull("python:3")).toBeUndefined();
  expect(asked.at(-1)).toBe("python:3");
});

test("pull() takes what is to be fresh, has a digest or is this deployment's own, whoever else does", async () => {
  const name = `python@${DIGEST}`;
  const yes = "yes";
  const { pull, asked } = fixture({ "python:3": yes, [name]: yes, "r.test/team/a:1": yes });
  await pull("python:3", { fresh: true, mayWait: true });
  for (const other of [name, "r.test/team/a:1"]) await pull(other, { mayWait: true });
  expect(asked).not.toContain("others");
});

test("pull() ends with a copy, and asks no public registry then", async () => {
  const { pull, asked } = fixture({}, "copied");
  await pull("python:3");
  expect(asked).toEqual(["m.test/library/python:3", "siblings"]);
});

test("pull() copies what this deployment's registry does not give", async () => {
  const away = new RegistryAwayError("no route to host");
  const copied = fixture({ "r.test/team/a:1": away }, "copied");
  await copied.pull("r.test/team/a:1");
  expect(copied.asked).toEqual(["r.test/team/a:1", "siblings"]);
  const absent = fixture({ "r.test/team/a:1": away });
  await expect(absent.pull("r.test/team/a:1")).rejects.toBe(away);
});

test("pull() fails as the image's own registry does, whatever a mirror has said", async () => {
  const away = new RegistryAwayError("no route to host");
  const absent = fixture({ "m.test/library/python:3": away });
  await expect(absent.pull("python:3")).rejects.toMatchObject({ code: "not_found" });
  const offline = fixture({ "python:3": away });
  await expect(offline.pull("python:3")).rejects.toBe(away);
});

test("pull() leaves a registry alone that wants to be asked less, and asks the next source meanwhile", async () => {
  const busy = new RegistryBusyError("toomanyrequests");
  const { pull, asked } = fixture({ "m.test/library/python:3": busy, "python:3": "yes" });
  await pull("python:3");
  await expect(pull("node:24")).rejects.toMatchObject({ code: "not_found" });
  expect(asked.filter((reference) => reference.startsWith("m.test/"))).toEqual([
    "m.test/library/python:3",
  ]);
});

test("pull() may be tried again when other engines are busy and the image's own registry does not have it", async () => {
  for (const name of ["python:3", "r.test/team/a:1"]) {
    const busy = fixture({}, "busy");
    const error: unknown = await busy.pull(name).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(RegistryAwayError);
    expect(error).toMatchObject({ message: expect.stringContaining("manifest unknown (replicas") });
  }
  await fixture({ "python:3": "yes" }, "busy").pull("python:3");
  const full = new ServiceError("disk_full", "no space left on device");
  await expect(fixture({ "python:3": full }, "busy").pull("python:3")).rejects.toBe(full);
  // The registry has the last word for one that wants what it has now.
  await expect(fixture({}, "busy").pull("python:3", { fresh: true })).rejects.toMatchObject({
    code: "not_found",
  });
});

test("pull() keeps the digest of what came by a mirror's tag, which goes with the mirror's name", async () => {
  const { pull, held, marked } = fixture({ "m.test/library/python:3": "yes" });
  held.push(`m.test/library/python@${DIGEST}`);
  await pull("python:3");
  expect(marked).toEqual([["python:3", DIGEST]]);
});
