import { ServiceError } from "@remote-runtime/protocol";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { canonicalReference, familiarReference } from "./canonical-reference.ts";

const DIGEST = `sha256:${"0a".repeat(32)}`;
const DIGEST_512 = `sha512:${"f".repeat(128)}`;

function problemOf(text: string): string {
  try {
    return `none: ${canonicalReference(text)}`;
  } catch (error) {
    if (error instanceof ServiceError && error.code === "bad_request") return error.message;
    throw error;
  }
}

describe("canonicalReference()", () => {
  test.each([
    ["python", "docker.io/library/python:latest"],
    ["python:3", "docker.io/library/python:3"],
    ["library/python:3", "docker.io/library/python:3"],
    ["docker.io/python:3", "docker.io/library/python:3"],
    ["index.docker.io/library/python:3", "docker.io/library/python:3"],
    ["docker.io/library/python:3", "docker.io/library/python:3"],
    ["team/tool", "docker.io/team/tool:latest"],
    ["a/b/c/d:1", "docker.io/a/b/c/d:1"],
    ["ghcr.io/openhands/runtime:0.62", "ghcr.io/openhands/runtime:0.62"],
    ["localhost/x", "localhost/x:latest"],
    ["localhost:5000/x", "localhost:5000/x:latest"],
    ["registry:5000/x:5000", "registry:5000/x:5000"],
    ["test.com:5000", "docker.io/library/test.com:5000"],
    ["192.168.1.1:5000/repo:tag", "192.168.1.1:5000/repo:tag"],
    ["[2001:db8::1]:5000/repo", "[2001:db8::1]:5000/repo:latest"],
    ["GHCR.io/team/tool", "GHCR.io/team/tool:latest"],
    ["my_team.x/tool", "my_team.x/tool:latest"],
    ["xn--n3h.com/i:xn--n3h.com", "xn--n3h.com/i:xn--n3h.com"],
    [
      "sweb.eval.x86_64.sphinx-doc_s_sphinx-8713:latest",
      "docker.io/library/sweb.eval.x86_64.sphinx-doc_s_sphinx-8713:latest",
    ],
    ["a__b/c--d.e:T.-_", "docker.io/a__b/c--d.e:T.-_"],
    [`python@${DIGEST}`, `docker.io/library/python@${DIGEST}`],
    [`python:3@${DIGEST}`, `docker.io/library/python@${DIGEST}`],
    [`localhost:5000/a:1@${DIGEST_512}`, `localhost:5000/a@${DIGEST_512}`],
    [`x:${"t".repeat(128)}`, `docker.io/library/x:${"t".repeat(128)}`],
    [`a.b/${"x".repeat(255)}`, `a.b/${"x".repeat(255)}:latest`],
    [DIGEST, DIGEST],
  ])("of %s is %s", (text, canonical) => {
    expect(canonicalReference(text)).toBe(canonical);
  });

  test.each([
    ["", "has no repository name"],
    ["docker.io/", "has no repository name"],
    ["ghcr.io/", "has no repository name"],
    [":tag", "has no repository name"],
    [`@${DIGEST}`, "has no repository name"],
    ["Python:3", "has upper-case letters in its repository name"],
    ["ghcr.io/OpenHands/runtime", "has upper-case letters in its repository name"],
    ["https://ghcr.io/x", "has no valid registry"],
    ["my_team.x:5000/tool", "has no valid registry"],
    ["-a.b/c", "has no valid registry"],
    ["[fe80::1%eth0]:5000/repo", "has no valid registry"],
    ["/a", "has no valid repository name"],
    ["a//b", "has no valid repository name"],
    ["a/b/", "has no valid repository name"],
    ["a...b/x", "has no valid registry"],
    ["a/b...c", "has no valid repository name"],
    ["a_-b", "has no valid repository name"],
    ["a b", "has no valid repository name"],
    ["a\n", "has no valid repository name"],
    ["café", "has no valid repository name"],
    ["a:", "has no valid tag"],
    ["a:b:c", "has no valid tag"],
    ["a:-b", "has no valid tag"],
    [`a:${"t".repeat(129)}`, "has no valid tag"],
    ["a@sha256:abc", "has no valid digest"],
    [`a@md5:${"a".repeat(32)}`, "has no valid digest"],
    [`a@${DIGEST.toUpperCase()}`, "has no valid digest"],
    [`a@${DIGEST}@${DIGEST}`, "has no valid digest"],
    ["0a".repeat(32), "is an image id without `sha256:`"],
    [`a.b/${"x".repeat(256)}`, "has a repository name of more than 255 characters"],
    ["openhands-brought:0a", "has a repository name that is kept for this service"],
    ["docker.io/openhands-brought", "has a repository name that is kept for this service"],
    ["a/".repeat(600), "is longer than 1024 characters"],
  ])("refuses %j as it %s", (text, problem) => {
    expect(problemOf(text)).toBe(`image: "${text.slice(0, 200)}" ${problem}`);
  });

  test("answers at once for what makes a careless pattern backtrack", () => {
    for (const part of ["a", "a-", "a.", "a/", "A.", "1:"]) problemOf(`${part.repeat(500)}!`);
  });
});

const letters = "abcdefghijklmnopqrstuvwxyz0123456789".split("");
const word = fc.string({ unit: fc.constantFrom(...letters), minLength: 1, maxLength: 8 });
const component = fc
  .tuple(
    word,
    fc.array(fc.tuple(fc.constantFrom(".", "_", "__", "-", "---"), word), { maxLength: 2 }),
  )
  .map(([first, rest]) => first + rest.flat().join(""));
const path = fc.array(component, { minLength: 2, maxLength: 4 }).map((parts) => parts.join("/"));
const port = fc.option(fc.integer({ min: 1, max: 65535 }), { nil: undefined });
const domain = fc
  .tuple(word, fc.constantFrom(".io", ".example.com", "-x.y"), port)
  .map(([host, suffix, number]) => `${host}${suffix}${number === undefined ? "" : `:${number}`}`);
const tag = fc.stringMatching(/^\w[\w.-]{0,30}$/);

describe("canonicalReference() of any name that the grammar allows", () => {
  test("adds what is missing, and is its own canonical form", () => {
    fc.assert(
      fc.property(domain, path, fc.option(tag, { nil: undefined }), (host, name, version) => {
        const written = `${host}/${name}${version === undefined ? "" : `:${version}`}`;
        const canonical = `${host}/${name}:${version ?? "latest"}`;
        expect(canonicalReference(written)).toBe(canonical);
        expect(canonicalReference(canonical)).toBe(canonical);
      }),
    );
  });

  test("takes all four ways to write an official image for one, and shows the shortest", () => {
    fc.assert(
      fc.property(component, tag, (name, version) => {
        const ways = ["", "library/", "docker.io/", "index.docker.io/library/"];
        const canonical = new Set(
          ways.map((way) => canonicalReference(`${way}${name}:${version}`)),
        );
        expect(canonical).toEqual(new Set([`docker.io/library/${name}:${version}`]));
        for (const one of canonical) expect(familiarReference(one)).toBe(`${name}:${version}`);
      }),
    );
  });

  test("never answers something that is not canonical, whatever the text", () => {
    const text = fc.string({ unit: fc.constantFrom(..."abA1._-/:@[] é".split("")), maxLength: 24 });
    fc.assert(
      fc.property(text, (written) => {
        const answer = problemOf(written);
        if (!answer.startsWith("none: ")) return;
        const canonical = answer.slice("none: ".length);
        expect(canonicalReference(canonical)).toBe(canonical);
        expect(canonicalReference(familiarReference(canonical))).toBe(canonical);
      }),
      { numRuns: 2_000 },
    );
  });
});

describe("familiarReference()", () => {
  test.each([
    ["docker.io/library/python:3", "python:3"],
    ["docker.io/team/tool:latest", "team/tool:latest"],
    ["docker.io/library/a/b:1", "library/a/b:1"],
    ["docker.io/my.team/tool:1", "docker.io/my.team/tool:1"],
    ["docker.io/localhost/tool:1", "docker.io/localhost/tool:1"],
    [`docker.io/library/python@${DIGEST}`, `python@${DIGEST}`],
    ["ghcr.io/library/python:3", "ghcr.io/library/python:3"],
    ["not canonical", "not canonical"],
  ])("of %s is %s", (canonical, familiar) => {
    expect(familiarReference(canonical)).toBe(familiar);
  });
});
