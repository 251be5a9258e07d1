import { openAsBlob } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createClient, type Client } from "@remote-runtime/client";
import { BUILD_CONTEXT_PART, ServiceError, type BuildStatus } from "@remote-runtime/protocol";
import pLimit from "p-limit";
import { create } from "tar";
import type { ContextFile } from "./context-files.ts";
import { ExitError, exitCodes } from "./exit-error.ts";
import { explain, mayPass } from "./explain.ts";
import { plural } from "./plural.ts";
import type { Terminal } from "./terminal.ts";

/** Replicas build some at a time and let the others wait: so many for each of them, … */
const AT_ONCE_EACH = 4;
/** … and no more than these, as every one is an upload first. */
const MOST_AT_ONCE = 64;
const POLL_MS = 2_000;
/** A server that has not answered for so long is not waited for any more. */
const SILENCE_MS = 600_000;
/** Servers that have enough to build say how long they are to be left alone for; this is about as long. */
const FULL_MS = 10_000;
const UPLOAD_TIMEOUT_MS = 600_000;
/** Clients of a build wait for it half an hour; it may wait for its turn as long. */
const BUILD_TIMEOUT_MS = 3_600_000;

export type BuildWanted = { image: string; context: ContextFile };
/** `held`: a replica or a registry has it. */
export type BuildOutcome =
  | { kind: "held" | "built"; image: string }
  | { kind: "failed"; image: string; error: string };

/** Images of builds that are being sent, and of those that the servers have taken. */
type Ways = { sending: Set<string>; taken: Set<string> };

export type BuildImagesOptions = {
  client: Client;
  url: string;
  apiKey: string | undefined;
  terminal: Pick<Terminal, "now" | "sleep" | "signal">;
  onOutcome: (outcome: BuildOutcome) => void;
};

/**
 * Builds the images that are nowhere, some at a time. One that fails does not keep the others from being built. ExitError when
 * the user interrupts, with what becomes of the rest.
 */
export async function buildImages(
  wanted: readonly BuildWanted[],
  options: BuildImagesOptions,
): Promise<BuildOutcome[]> {
  const { signal } = options.terminal;
  if (wanted.length === 0) return [];
  const { replicas } = await options.client.call("replicas", {}, { signal });
  const ready = replicas.filter(({ state }) => state === "ready").length;
  const limit = pLimit(Math.min(MOST_AT_ONCE, AT_ONCE_EACH * Math.max(1, ready)));
  const ways: Ways = { sending: new Set(), taken: new Set() };
  const over = new Set<string>();
  const one = async ({ image, context }: BuildWanted): Promise<BuildOutcome> => {
    signal.throwIfAborted();
    const outcome = await buildOne(image, context, { ...options, ways }).catch((error: unknown) => {
      signal.throwIfAborted();
      return { kind: "failed" as const, image, error: explain(error).message };
    });
    over.add(image);
    options.onOutcome(outcome);
    return outcome;
  };
  try {
    return await Promise.all(wanted.map((each) => limit(() => one(each))));
  } catch (error) {
    if (!signal.aborted) throw error;
    const goOn = plural(ways.taken.difference(over).size, "build");
    const cut = ways.sending.size;
    const cutOff = cut === 0 ? "" : `${cut} cut off while being sent, which the servers may have, `;
    const text = `${over.size} of ${wanted.length} builds over, ${goOn} going on without this command, ${cutOff}the others not begun; the same command goes on with it`;
    throw new ExitError(exitCodes.interrupted, text, { cause: error });
  }
}

async function buildOne(
  image: string,
  context: ContextFile,
  options: BuildImagesOptions & { ways: Ways },
): Promise<BuildOutcome> {
  const { client, terminal, ways } = options;
  const { signal, now, sleep } = terminal;
  const asking = { query: { image } };
  const { exists } = await patiently(
    () => client.call("imageExists", asking, { signal }),
    terminal,
  );
  if (exists) return { kind: "held", image };
  const send = async (): Promise<string> => {
    ways.sending.add(image);
    const id = await upload(image, context, options).catch((error: unknown) => {
      // Who was cut off cannot know whether it was taken.
      if (!signal.aborted) ways.sending.delete(image);
      throw error;
    });
    ways.sending.delete(image);
    return id;
  };
  const build_id = await patiently(send, terminal);
  ways.taken.add(image);
  const deadline = now() + BUILD_TIMEOUT_MS;
  let answeredAt = now();
  for (;;) {
    const { status, error } = await client
      .call("buildStatus", { query: { build_id } }, { signal })
      .then((answer) => {
        answeredAt = now();
        return answer;
      })
      .catch((reason: unknown) => {
        // The build goes on, whoever does not answer for a moment.
        if (signal.aborted || !mayPass(reason) || now() - answeredAt >= SILENCE_MS) throw reason;
        return { status: "WORKING" as const, error: "" };
      });
    if (status === "SUCCESS") return { kind: "built", image };
    if (!goesOn(status)) return { kind: "failed", image, error: error === "" ? status : error };
    if (now() >= deadline) {
      const text = `build ${build_id} is not over after ${BUILD_TIMEOUT_MS / 60_000} min`;
      return { kind: "failed", image, error: text };
    }
    await sleep(POLL_MS, signal);
  }
}

/** Sends it again where the servers have too much to build already, for an hour, or do not answer, for ten minutes. */
async function patiently<T>(
  send: () => Promise<T>,
  { signal, now, sleep }: BuildImagesOptions["terminal"],
): Promise<T> {
  const deadline = now() + BUILD_TIMEOUT_MS;
  let silentSince: number | undefined;
  for (;;) {
    try {
      return await send();
    } catch (error) {
      signal.throwIfAborted();
      const isFull = error instanceof ServiceError && error.code === "too_many_requests";
      silentSince = isFull ? undefined : (silentSince ?? now());
      const isSilent = silentSince !== undefined && now() - silentSince >= SILENCE_MS;
      if (!(isFull || mayPass(error)) || isSilent || now() >= deadline) throw error;
    }
    await sleep(silentSince === undefined ? FULL_MS : POLL_MS, signal);
  }
}

function goesOn(status: BuildStatus): boolean {
  return status === "QUEUED" || status === "WORKING";
}

async function upload(
  image: string,
  context: ContextFile,
  { url, apiKey, terminal: { signal } }: BuildImagesOptions,
): Promise<string> {
  await using archive = await archiveOf(context);
  const body = new FormData();
  body.append("target_image", image);
  body.append(BUILD_CONTEXT_PART, await openAsBlob(archive.path), "context.tar.gz");
  const client = createClient({
    baseUrl: url,
    ...(apiKey === undefined ? {} : { apiKey }),
    fetch: (target, init = {}) => {
      const headers = new Headers(init.headers);
      // With the form's own boundary.
      headers.delete("content-type");
      return fetch(target, { ...init, headers, body });
    },
  });
  const options = { signal, timeoutMs: UPLOAD_TIMEOUT_MS };
  const { build_id } = await client.call("build", {}, options);
  return build_id;
}

async function archiveOf({ kind, path }: ContextFile): Promise<AsyncDisposable & { path: string }> {
  if (kind === "archive") return { path, [Symbol.asyncDispose]: async () => undefined };
  const folder = await mkdtemp(join(tmpdir(), "remote-runtime-build-"));
  const remove = (): Promise<void> => rm(folder, { recursive: true, force: true });
  try {
    const file = join(folder, "context.tar.gz");
    await create({ file, gzip: true, portable: true, cwd: path }, ["."]);
    return { path: file, [Symbol.asyncDispose]: remove };
  } catch (error) {
    await remove();
    throw error;
  }
}
