import { ServiceError } from "@remote-runtime/protocol";
import { describe, expect, test } from "vitest";
import { createPublishedImages } from "./published-images.ts";
import { RegistryAwayError } from "./registry-away-error.ts";

/** Registries that have `images`; those in `away` do not answer, those in `silent` never end, what is asked of `odd` names fails. */
function fixture() {
  const images = new Set<string>();
  const away = new Set<string>();
  const silent = new Set<string>();
  const odd = new Set<string>();
  const refused = new Set<string>();
  const asked: string[] = [];
  const warnings: unknown[] = [];
  let now = 0;
  const hostOf = (reference: string): string => reference.split("/")[0] ?? "";
  const published = createPublishedImages({
    engine: {
      async isPublished(reference) {
        asked.push(reference);
        if (away.has(hostOf(reference))) throw new RegistryAwayError("no route to host");
        if (refused.has(hostOf(reference))) throw new ServiceError("forbidden", "unauthorized");
        if (odd.has(reference)) throw new ServiceError("unavailable", "layer version unsupported");
        if (silent.has(hostOf(reference))) await new Promise(() => undefined);
        return images.has(reference);
      },
    },
    mirrors: [{ registry: "docker.io", folder: "m.test/hub" }],
    now: () => now,
    deadlineMs: 20,
    log: { warn: (details) => warnings.push(details) },
  });
  const pass = (ms: number): void => void (now += ms);
  return { published, images, away, silent, odd, refused, asked, warnings, pass };
}

describe("has()", () => {
  test("asks once for all that ask at once, and remembers a yes for a minute", async () => {
    const { published, images, asked, pass } = fixture();
    images.add("r.test/a:1");
    const names = ["r.test/a:1", "r.test/a:1"];
    expect(await Promise.all(names.map((name) => published.has(name)))).toEqual([true, true]);
    pass(59_000);
    expect(await published.has("r.test/a:1")).toBe(true);
    expect(asked).toHaveLength(1);
    pass(2_000);
    images.clear();
    expect(await published.has("r.test/a:1")).toBe(false);
    expect(asked).toHaveLength(2);
  });

  test("remembers a no for seconds only, as images are pushed right after it", async () => {
    const { published, images, asked, pass } = fixture();
    expect(await published.has("r.test/a:1")).toBe(false);
    images.add("r.test/a:1");
    expect(await published.has("r.test/a:1")).toBe(false);
    pass(3_001);
    expect(await published.has("r.test/a:1")).toBe(true);
    expect(asked).toHaveLength(2);
  });

  test("says no at once for whatever is asked of a registry that is away, and tells of it once", async () => {
    const { published, images, away, asked, warnings, pass } = fixture();
    away.add("r.test");
    images.add("other.test/a:1");
    for (const name of ["r.test/a:1", "r.test/b:1"]) expect(await published.has(name)).toBe(false);
    expect(await published.has("other.test/a:1")).toBe(true);
    expect(asked).toEqual(["r.test/a:1", "other.test/a:1"]);
    pass(30_001);
    expect(await published.has("r.test/b:1")).toBe(false);
    expect([asked.length, warnings.length]).toEqual([3, 1]);
    pass(30_001);
    away.clear();
    images.add("r.test/b:1");
    expect(await published.has("r.test/b:1")).toBe(true);
  });

  test("takes a registry that is silent beyond the deadline for one that is away", async () => {
    const { published, silent, warnings } = fixture();
    silent.add("r.test");
    expect(await published.has("r.test/a:1")).toBe(false);
    expect(warnings).toEqual([expect.objectContaining({ host: "r.test" })]);
  });

  test("says no for seconds for the one name whose question fails, and tells why once", async () => {
    const { published, images, odd, asked, warnings, pass } = fixture();
    odd.add("r.test/a:1");
    images.add("r.test/b:1");
    expect(await published.has("r.test/a:1")).toBe(false);
    expect(await published.has("r.test/b:1")).toBe(true);
    pass(3_001);
    expect(await published.has("r.test/a:1")).toBe(false);
    expect(asked).toEqual(["r.test/a:1", "r.test/b:1", "r.test/a:1"]);
    expect(warnings).toEqual([expect.objectContaining({ image: "r.test/a:1" })]);
    odd.clear();
    images.add("r.test/a:1");
    pass(3_001);
    expect(await published.has("r.test/a:1")).toBe(true);
  });

  test("takes what a registry refuses for absent, and tells why once in ten minutes", async () => {
    const { published, images, refused, asked, warnings, pass } = fixture();
    refused.add("r.test");
    images.add("other.test/a:1");
    for (const name of ["r.test/a:1", "r.test/b:1"]) expect(await published.has(name)).toBe(false);
    expect(await published.has("other.test/a:1")).toBe(true);
    const told = { host: "r.test", image: "r.test/a:1", err: expect.any(ServiceError) as unknown };
    expect(warnings).toEqual([told]);
    pass(3_001);
    expect(await published.has("r.test/a:1")).toBe(false);
    expect([asked.length, warnings.length]).toEqual([4, 1]);
    pass(10 * 60_000);
    expect(await published.has("r.test/a:1")).toBe(false);
    expect(warnings).toEqual([told, told]);
  });

  test("gives a silent mirror a share of the deadline, and then asks the registry", async () => {
    const { published, images, silent, warnings } = fixture();
    silent.add("m.test");
    images.add("docker.io/library/python:3");
    expect(await published.has("python:3")).toBe(true);
    const message = "no answer within 0.01 s";
    expect(warnings).toEqual([
      { host: "m.test", err: expect.objectContaining({ message }) as unknown },
    ]);
  });

  test("asks a mirror before the registry that it stands for", async () => {
    const { published, images, asked } = fixture();
    images.add("m.test/hub/library/python:3");
    expect(await published.has("python:3")).toBe(true);
    images.add("docker.io/library/node:24");
    expect(await published.has("node:24")).toBe(true);
    expect(asked).toEqual([
      "m.test/hub/library/python:3",
      "m.test/hub/library/node:24",
      "docker.io/library/node:24",
    ]);
  });

  test("asks nobody for content ids and for an engine's own names", async () => {
    const { published, asked } = fixture();
    for (const name of [`sha256:${"0".repeat(64)}`, "localhost/openhands/runtime:1"]) {
      expect(await published.has(name)).toBe(false);
    }
    await expect(published.has("Not An Image")).rejects.toMatchObject({ code: "bad_request" });
    expect(asked).toEqual([]);
  });
});
