import { z } from "zod";
import { type Answer, call } from "../support/call.ts";
import type { StubServer } from "../support/stub-server.ts";
import { until } from "../support/until.ts";
import { WireRuntime } from "../support/wire-runtime.ts";
import type { ClientTrace } from "./client-trace.ts";

const ImageAnswer = z.object({ exists: z.boolean(), url: z.url() });

/** What a client holds on to between its requests. */
type Held = { id: string; url: string; key: string };

/** One object of a client: its requests with its headers. Each throws where the real one would end with an error. */
export interface ClientReplay {
  /** Start or attach, resume if it is paused, poll, probe: what connecting does. Returns how it got its runtime. */
  connect(): Promise<{ held: Held; how: "started" | "attached" | "resumed" }>;
  pause(): Promise<void>;
  stop(): Promise<void>;
}

/** A client of that generation for one session, with the server's address as its configuration has it. */
export function createClientReplay(
  trace: ClientTrace,
  server: Pick<StubServer, "url" | "key" | "image">,
  session: string,
): ClientReplay {
  let base = server.url;
  let held: Held | undefined;

  async function ask(expected: number[], path: string, body?: unknown): Promise<Answer> {
    // `requests` writes blanks into its JSON, httpx none.
    const text =
      body === undefined
        ? undefined
        : JSON.stringify(body, null, /requests/.test(trace.userAgent) ? 1 : 0);
    const headers = {
      "X-API-Key": server.key,
      "User-Agent": trace.userAgent,
      ...(held === undefined ? {} : { "X-Session-API-Key": held.key }),
    };
    const answer = await call(base + path, { headers, body: text });
    if (expected.includes(answer.status)) return answer;
    throw new Error(`${trace.client}: ${path} answered ${answer.status}: ${answer.text}`);
  }

  /** It goes on at the URL of each answer, also of one that says no. */
  async function followUrl(): Promise<void> {
    for (const [image, expected] of [
      ["docker.io/xingyaoww/none:1", false],
      [server.image, true],
    ] as const) {
      const path = `/image_exists?image=${encodeURIComponent(image)}`;
      const { exists, url } = ImageAnswer.parse((await ask([200], path)).json());
      if (exists !== expected) throw new Error(`${trace.client}: ${path} answered ${exists}`);
      base = url;
    }
  }

  /** Old ones compare the code of /start with 201 and of all others with 200. */
  async function find(): Promise<{
    runtime: WireRuntime;
    how: "started" | "attached" | "resumed";
  }> {
    const found = await ask([200, 404], trace.lookup(session));
    const runtime = found.status === 200 ? WireRuntime.parse(found.json()) : undefined;
    if (runtime?.status === "running") return { runtime, how: "attached" };
    if (runtime?.status === "paused") {
      await ask([200], "/resume", { runtime_id: runtime.runtime_id });
      return { runtime, how: "resumed" };
    }
    const started = await ask([201], "/start", trace.start(session, server.image));
    return { runtime: WireRuntime.parse(started.json()), how: "started" };
  }

  async function poll({ id }: Held): Promise<void> {
    await until(
      async () => {
        const runtime = WireRuntime.parse((await ask([200], trace.poll(session, id))).json());
        if (runtime.runtime_id !== id)
          throw new Error(`${trace.client}: the poll answers ${runtime.runtime_id} for ${id}`);
        const reading = trace.read(runtime);
        if (reading === "fatal")
          throw new Error(`${trace.client} gives up at ${JSON.stringify(runtime)}`);
        return reading;
      },
      (reading) => reading === "ready",
      { deadlineMs: 60_000, what: `the ready word of ${trace.client}` },
    );
  }

  async function probe({ url, key }: Held): Promise<void> {
    const keys = { "X-API-Key": server.key, "X-Session-API-Key": key };
    const headers = { "User-Agent": trace.userAgent, ...(trace.probe.keys === "both" ? keys : {}) };
    const answer = await call(url + trace.probe.path, { headers });
    if (answer.status !== 200)
      throw new Error(
        `${trace.client}: ${url}${trace.probe.path} answered ${answer.status}: ${answer.text}`,
      );
  }

  return {
    async connect() {
      if (trace.followsUrl === true) await followUrl();
      const { runtime, how } = await find();
      // Taken from this answer and never read again, also when it is one of a paused runtime.
      held = { id: runtime.runtime_id, url: runtime.url, key: runtime.session_api_key };
      await poll(held);
      await probe(held);
      return { held, how };
    },
    pause: async () => void (await ask([200], "/pause", { runtime_id: held?.id })),
    stop: async () => void (await ask([200], "/stop", { runtime_id: held?.id ?? null })),
  };
}
