import { expect, test } from "vitest";
import { imagePattern } from "./image-pattern.ts";

test.each([
  ["swebench", "docker.io/swebench/sweb.eval.x86_64.django_1776_django-11099:latest"],
  ["openhands", "docker.io/xingyaoww/sweb.eval.x86_64.django_s_django-11099:latest"],
  ["r.example.com/eval.{id}:v2", "r.example.com/eval.django__django-11099:v2"],
])("imagePattern(%j) makes an image of an instance id", (pattern, image) => {
  expect(imagePattern(pattern)("Django__django-11099")).toBe(image);
});

test("imagePattern() leaves names of images alone, and refuses a name without an id", () => {
  for (const name of ["python:3", "ghcr.io/a/b", "docker.io/swebench/sweb.base:latest"]) {
    expect(imagePattern("swebench")(name)).toBe(name);
  }
  expect(() => imagePattern("swe-bench")).toThrow("swebench or openhands");
});
