import { expect, test } from "vitest";
import { imageSources } from "./image-sources.ts";

const mirrors = [{ registry: "docker.io", folder: "m.test/hub" }];
const words = (name: string, fresh = false) =>
  imageSources(name, { folder: "r.test/team", mirrors, fresh }).map((source) => {
    if (source.kind === "mirror") return source.reference;
    return source.kind === "registry" && source.isShared ? "registry, shared" : source.kind;
  });
const DIGEST = `sha256:${"0".repeat(64)}`;

test("imageSources() asks what is near before the public registry", () => {
  expect(words("docker.io/library/python:3")).toEqual([
    "m.test/hub/library/python:3",
    "siblings",
    "registry, shared",
  ]);
  expect(words("ghcr.io/a/b:1")).toEqual(["siblings", "registry, shared"]);
});

test("imageSources() asks this deployment's registry for what belongs there", () => {
  expect(words("r.test/team/runtime:1")).toEqual(["registry", "siblings"]);
  expect(words("r.test/teams/runtime:1")).toEqual(["siblings", "registry, shared"]);
});

test("imageSources() wants no copy of what has a digest, or is to be fresh", () => {
  expect(words(`docker.io/library/python@${DIGEST}`)).toEqual([
    `m.test/hub/library/python@${DIGEST}`,
    "registry",
  ]);
  expect(words("ghcr.io/a/b:1", true)).toEqual(["registry"]);
});
