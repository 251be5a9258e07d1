import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { imagePattern } from "./image-pattern.ts";

const ID = "django__django-11099";

test.each([
  ["swebench", "docker.io/swebench/sweb.eval.x86_64.django_1776_django-11099:latest"],
  ["openhands", "docker.io/xingyaoww/sweb.eval.x86_64.django_s_django-11099:latest"],
  ["r.example.com/eval.{id}:v2", "r.example.com/eval.django__django-11099:v2"],
])(
  "imagePattern(%j) makes an image of an instance id, also of one in an image's name",
  (pattern, image) => {
    expect(imagePattern(pattern)("Django__django-11099")).toBe(image);
    for (const name of ["_s_", "_1776_", "__"].map((between) => ID.replace("__", between))) {
      expect(imagePattern(pattern)(`sweb.eval.x86_64.${name}:latest`)).toBe(image);
      expect(imagePattern(pattern)(`sweb.eval.x86_64.${name}`)).toBe(image);
    }
  },
);

test("imagePattern() gives a list of thousands of images without a registry the one that is meant", () => {
  const list = new URL("../../../bench/data/swebench-full-images.txt", import.meta.url);
  const lines = readFileSync(list, "utf8").trim().split("\n");
  expect(lines.length).toBeGreaterThan(2_000);
  const published = lines.map(imagePattern("openhands"));
  expect(published).toEqual(lines.map((line) => `docker.io/xingyaoww/${line}`));
  expect(lines.map(imagePattern("docker.io/xingyaoww/{image}"))).toEqual(published);
  expect(lines.map(imagePattern("swebench"))).toEqual(
    lines.map((line) => `docker.io/swebench/${line.replace("_s_", "_1776_")}`),
  );
});

test("imagePattern() leaves other names of images alone, and refuses a name without a place", () => {
  for (const name of ["python:3", "ghcr.io/a/b", "docker.io/swebench/sweb.base:latest"]) {
    expect(imagePattern("swebench")(name)).toBe(name);
  }
  expect(imagePattern("openhands")("sweb.base.x86_64:latest")).toBe(
    "docker.io/xingyaoww/sweb.base.x86_64:latest",
  );
  for (const none of ["swe-bench", "r.example.com/{image}/{id}"]) {
    expect(() => imagePattern(none)).toThrow("swebench or openhands");
  }
});
