import { ServiceError } from "@remote-runtime/protocol";
import { expect, test } from "vitest";
import { createPublisher, isBelow } from "./publisher.ts";
import { RegistryAwayError } from "./registry-away-error.ts";

const { signal } = new AbortController();
const backoff = { sleep: async () => undefined, random: () => 0.5 };

/** A publisher whose engine meets these failures, one a push, before it succeeds. */
function fixture(failures: Error[] = []) {
  const pushed: string[] = [];
  let log = "";
  const push = async (reference: string): Promise<void> => {
    pushed.push(reference);
    const failure = failures.shift();
    if (failure) throw failure;
  };
  const publisher = createPublisher({
    engine: { push },
    folder: "r.test:5000/team",
    backoff,
    now: () => 0,
  });
  const publish = (...references: string[]) =>
    publisher.publish(references, (text) => (log += text), signal);
  return { pushed, publish, log: () => log };
}

test("publish() pushes every name below the registry's folder, and no other", async () => {
  const { pushed, publish, log } = fixture();
  await publish("r.test:5000/team/a", "localhost/team/a:1", "r.test:5000/team/deep/a:2");
  await publish("r.test:5000/teams/a:1", "r.test:5000/a:1", "docker.io/r.test/a:1");
  expect(pushed).toEqual(["r.test:5000/team/a:latest", "r.test:5000/team/deep/a:2"]);
  expect(log()).toContain("=> pushed r.test:5000/team/deep/a:2\n");
});

test("publish() tries again while the registry is away, and says so in the log", async () => {
  const { pushed, publish, log } = fixture([new RegistryAwayError("no route to host")]);
  await publish("r.test:5000/team/a:1");
  expect(pushed).toHaveLength(2);
  expect(log()).toContain("no route to host; try 2 of 5 in 1.0 s\n");
});

test("publish() gives up at once when it is denied, with the reason", async () => {
  const { pushed, publish, log } = fixture([new ServiceError("not_found", "push: denied")]);
  await expect(publish("r.test:5000/team/a:1")).rejects.toMatchObject({
    code: "bad_gateway",
    message: "the image was built, but could not be pushed: push: denied",
  });
  expect(pushed).toHaveLength(1);
  expect(log()).toContain("ERROR the image was built, but could not be pushed: push: denied\n");
});

test("isBelow() takes docker.io by any of its names", () => {
  expect(isBelow("docker.io/me/a:1", "docker.io/me")).toBe(true);
  expect(isBelow("docker.io/me/a:1", "index.docker.io/me")).toBe(true);
  expect(isBelow("docker.io/mine/a:1", "docker.io/me")).toBe(false);
});
