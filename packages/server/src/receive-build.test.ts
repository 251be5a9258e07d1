import { mkdtempDisposable } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { createBuildReceiver } from "./receive-build.ts";

const MIB = 1024 * 1024;

test("createBuildReceiver() refuses what may be more than is held at once, until something else is gone", async () => {
  await using folder = await mkdtempDisposable(join(tmpdir(), "receive-build-"));
  const receive = createBuildReceiver({
    folder: join(folder.path, "builds"),
    maxContextBytes: MIB,
    maxHeldBytes: MIB,
    timeoutMs: 60_000,
  });
  /** A form that goes on until its sender hangs up; how long it is it does not say. */
  const upload = () => {
    const { promise: hungUp, resolve: hangUp } = Promise.withResolvers<void>();
    const body = new ReadableStream({
      pull: (controller) => hungUp.then(() => controller.error(new Error("reset"))),
    });
    const headers = { "content-type": "multipart/form-data; boundary=X" };
    const init: RequestInit = { method: "POST", headers, body, duplex: "half" };
    return { hangUp, received: receive(new Request("http://server.test/build", init)) };
  };
  const first = upload();
  await expect(upload().received).rejects.toMatchObject({
    code: "too_many_requests",
    message: expect.stringMatching(/ take 1 MiB of 1 here, and this one may take 1; send it again/),
  });
  first.hangUp();
  await expect(first.received).rejects.toMatchObject({ code: "bad_request" });
  const third = upload();
  third.hangUp();
  await expect(third.received).rejects.toMatchObject({ code: "bad_request" });
});
