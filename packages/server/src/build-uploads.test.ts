import { mkdir, mkdtempDisposable, readdir, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ServiceError } from "@remote-runtime/protocol";
import { expect, test } from "vitest";
import { createBuildUploads } from "./build-uploads.ts";

const MIB = 1024 * 1024;

function uploadsIn(folder: string, waitMs: number) {
  return createBuildUploads({
    folder,
    maxContextBytes: MIB,
    maxHeldBytes: 2 * MIB,
    reserveBytes: 0,
    timeoutMs: 60_000,
    waitMs: () => waitMs,
  });
}

/** A form whose file begins and does not end before its sender hangs up. Which size it has it says, or does not. */
function upload(length?: number) {
  const { promise: hungUp, resolve: hangUp } = Promise.withResolvers<void>();
  const begin = '--X\r\nContent-Disposition: form-data; name="context"; filename="c"\r\n\r\nabcd';
  const body = new ReadableStream({
    start: (controller) => controller.enqueue(new TextEncoder().encode(begin)),
    pull: (controller) => hungUp.then(() => controller.error(new Error("reset"))),
  });
  const headers = {
    "content-type": "multipart/form-data; boundary=X",
    ...(length === undefined ? {} : { "content-length": String(length) }),
  };
  const init: RequestInit = { method: "POST", headers, body, duplex: "half" };
  return { hangUp, request: new Request("http://server.test/build", init) };
}

test("createBuildUploads() lets an upload wait for room until another one is gone, and refuses it after a time", async () => {
  await using folder = await mkdtempDisposable(join(tmpdir(), "build-uploads-"));
  const { receive } = uploadsIn(join(folder.path, "builds"), 150);
  // Text of four bytes for three: of a MiB each, of which there is room for two.
  const sent = [0, 1, 2].map(() => upload(MIB + MIB / 3));
  const received = sent.map(({ request }) => receive(request));
  await expect(Promise.race(received)).rejects.toMatchObject({
    code: "too_many_requests",
    message: expect.stringMatching(/ take 2 MiB of 2 here.* this one may take 1 more; send it aga/),
  });
  const late = upload(MIB);
  const lateReceived = receive(late.request);
  for (const { hangUp } of [...sent, late]) hangUp();
  const ends = await Promise.allSettled([...received, lateReceived]);
  const codes = ends.map((end) => end.status === "rejected" && ServiceError.from(end.reason).code);
  expect(codes.filter((code) => code === "bad_request")).toHaveLength(3);
});

test("createBuildUploads() takes many of which nobody knows how large they are", async () => {
  await using folder = await mkdtempDisposable(join(tmpdir(), "build-uploads-"));
  const { receive } = uploadsIn(join(folder.path, "builds"), 150);
  const two = [upload(), upload()];
  const received = two.map(({ request }) => receive(request));
  for (const { hangUp } of two) hangUp();
  for (const end of await Promise.allSettled(received)) {
    expect(end).toMatchObject({ reason: { code: "bad_request" } });
  }
});

test("createBuildUploads() removes what another life has left", async () => {
  await using folder = await mkdtempDisposable(join(tmpdir(), "build-uploads-"));
  await mkdir(join(folder.path, "builds", "upload-abc"), { recursive: true });
  await writeFile(join(folder.path, "builds", "upload-abc", "file"), "left behind");
  const uploads = uploadsIn(join(folder.path, "builds"), 150);
  await uploads.empty();
  expect(await readdir(folder.path)).toEqual([]);
});
