import { expect, test } from "vitest";
import { buildBaseImages } from "./build-base-images.ts";

test("buildBaseImages() names images, and neither stages nor what only a build can know", () => {
  const dockerfile = `
# FROM comment:1
ARG BASE=x
from --platform=linux/amd64 localhost/openhands/runtime:lock AS base
RUN echo FROM nowhere
FROM base as second
FROM \${BASE}
FROM scratch
FROM node:24
FROM Not An Image
`;
  expect(buildBaseImages(dockerfile)).toEqual([
    "localhost/openhands/runtime:lock",
    "docker.io/library/node:24",
  ]);
});

test("buildBaseImages() leaves all after a hundred names to the engine", () => {
  const names = Array.from({ length: 100_000 }, (_, i) => `a${i}`);
  const images = buildBaseImages(names.map((name) => `FROM ${name}\n`).join(""));
  expect(images).toHaveLength(100);
  expect(images.at(-1)).toBe("docker.io/library/a99:latest");
});
