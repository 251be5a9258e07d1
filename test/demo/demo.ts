import { randomUUID } from "node:crypto";
import { setTimeout as wait } from "node:timers/promises";
import { createClient } from "@remote-runtime/client";
import type { RuntimeObject } from "@remote-runtime/protocol";
import { ensureStubImage } from "@remote-runtime/testing";
import { z } from "zod";
import { startDemoServer, type DemoServer } from "./demo-server.ts";
import { createNarrator, type Narrator } from "./narrator.ts";

const POLL_MS = 100;
const READY_DEADLINE_MS = 60_000;
const CALL_DEADLINE_MS = 30_000;

/** As shells have it: 128 and the signal's number. */
const EXIT_CODES = new Map<NodeJS.Signals, number>([
  ["SIGINT", 130],
  ["SIGTERM", 143],
]);

const BashAnswer = z.object({ exit_code: z.number(), stdout: z.string(), stderr: z.string() });

type Scene = { narrator: Narrator; signal: AbortSignal };

/** The main job of the server in a minute: a sandbox from /start to /stop, without an image registry. */
async function main(): Promise<void> {
  const controller = new AbortController();
  const interrupt = (name: NodeJS.Signals): void => {
    // Ctrl-C comes twice below npm, once from the terminal and once from npm: a second one must not cut the removal short,
    // each step of which has its deadline.
    if (controller.signal.aborted) return;
    process.exitCode = EXIT_CODES.get(name) ?? 1;
    process.stdout.write("\ninterrupted: removing what was started\n");
    controller.abort(new Error(`ended by ${name}`));
  };
  process.on("SIGINT", interrupt).on("SIGTERM", interrupt);
  // Whoever reads it is gone, as after `npm run demo | head`: what was started goes too.
  const onClosed = (): void => controller.abort(new Error("nobody reads what it prints"));
  for (const stream of [process.stdout, process.stderr]) stream.on("error", onClosed);
  const narrator = createNarrator(() => performance.now());
  const scene: Scene = { narrator, signal: controller.signal };
  try {
    narrator.say("OpenHands remote runtime: the life of one sandbox\n");
    await play(scene);
    narrator.say(NEXT);
  } catch (error) {
    // What an interrupted step says of itself is of no interest.
    const shown: unknown = controller.signal.aborted ? controller.signal.reason : error;
    process.stderr.write(`\ndemo: ${shown instanceof Error ? shown.message : String(shown)}\n`);
    process.exitCode ??= 1;
  } finally {
    process.off("SIGINT", interrupt).off("SIGTERM", interrupt);
  }
}

const NEXT = `
All of it is removed again, but for the small image. Next: npm start, and point a client at the URL that it prints.`;

async function play({ narrator, signal }: Scene): Promise<void> {
  const image = await narrator.step("a small agent image", async () => {
    let built = false;
    const value = await ensureStubImage({ log: () => (built = true) });
    const called = built ? "docker build, on the spot" : "there already, from an earlier run";
    return { value, called, seen: value };
  });
  const server = await narrator.step("a server of its own", async () => {
    const value = await startDemoServer(signal);
    return { value, called: "scripts/start.sh, as npm start does", seen: value.url };
  });
  try {
    await live({ narrator, signal }, server, image);
  } finally {
    await narrator.step("everything removed", async () => {
      await server.stop();
      return { value: undefined, called: "docker rm, docker network rm", seen: "" };
    });
  }
}

async function live({ narrator, signal }: Scene, server: DemoServer, image: string): Promise<void> {
  const client = createClient({ baseUrl: server.url, apiKey: server.key });
  const options = { signal, timeoutMs: CALL_DEADLINE_MS };
  const bash = (runtime: RuntimeObject, command: string): Promise<string> =>
    runInSandbox(runtime, command, signal);

  await narrator.step("is the image there?", async () => {
    const value = await client.call("imageExists", { query: { image } }, options);
    if (!value.exists) throw new Error(`the server does not see ${image}`);
    const size = `${((value.image?.image_size_bytes ?? 0) / 1e6).toFixed(0)} MB`;
    return { value, called: "GET  /image_exists?image=…", seen: `yes, ${size}` };
  });
  const accepted = await narrator.step("a sandbox asked for", async () => {
    const body = {
      image,
      command: ["stub_agent", "60000"],
      working_dir: "/workspace",
      session_id: randomUUID(),
    };
    const value = await client.call("start", { body }, options);
    return { value, called: "POST /start", seen: `${value.runtime_id}, ${value.status}` };
  });
  const id = accepted.runtime_id;
  const ready = (): Promise<{ value: RuntimeObject; called: string; seen: string }> =>
    untilReady(async () => client.call("runtime", { params: { runtime_id: id } }, options), signal);

  const runtime = await narrator.step("ready", ready);
  await narrator.step("a command in it", async () => {
    const value = await bash(runtime, "echo remember me > note; uname -sr");
    return { value, called: `POST {url}/execute_bash`, seen: value };
  });
  await narrator.step("paused", async () => {
    const value = await client.call("pause", { body: { runtime_id: id } }, options);
    if (value.status !== "paused") throw new Error(`it is ${value.status}`);
    return { value, called: "POST /pause", seen: "no process, no memory; its files are kept" };
  });
  await narrator.step("resumed", async () => {
    await client.call("resume", { body: { runtime_id: id } }, options);
    const { value, called, seen } = await ready();
    return { value, called: `POST /resume, ${called}`, seen };
  });
  await narrator.step("its files are still there", async () => {
    const value = await bash(runtime, "cat note");
    if (value !== "remember me") throw new Error(`the note says "${value}"`);
    return { value, called: `POST {url}/execute_bash`, seen: value };
  });
  await narrator.step("stopped", async () => {
    const value = await client.call("stop", { body: { runtime_id: id } }, options);
    if (value.status !== "stopped") throw new Error(`it is ${value.status}`);
    return { value, called: "POST /stop", seen: "" };
  });
}

async function untilReady(
  read: () => Promise<RuntimeObject>,
  signal: AbortSignal,
): Promise<{ value: RuntimeObject; called: string; seen: string }> {
  const deadline = performance.now() + READY_DEADLINE_MS;
  for (let calls = 1; ; calls += 1) {
    const runtime = await read();
    if (runtime.pod_status === "Ready") {
      const times = calls === 1 ? "once" : `${calls} times`;
      return { value: runtime, called: `GET  /runtime/{id}, ${times}`, seen: runtime.url };
    }
    const why = runtime.status_detail ?? runtime.status;
    if (runtime.status === "error") throw new Error(`${why}\n${runtime.pod_logs}`);
    if (performance.now() > deadline) {
      throw new Error(`not ready within ${READY_DEADLINE_MS / 1000} s: ${why}`);
    }
    await wait(POLL_MS, undefined, { signal });
  }
}

/** Past the API, by the sandbox's own URL and key, as agents do. */
async function runInSandbox(
  { url, session_api_key: sessionKey }: RuntimeObject,
  command: string,
  signal: AbortSignal,
): Promise<string> {
  const answer = await fetch(`${url}/execute_bash`, {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-Session-API-Key": sessionKey },
    body: JSON.stringify({ command }),
    signal: AbortSignal.any([signal, AbortSignal.timeout(CALL_DEADLINE_MS)]),
  });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${answer.status} ${text.slice(0, 300)}`);
  const { exit_code: exitCode, stdout, stderr } = BashAnswer.parse(JSON.parse(text));
  if (exitCode !== 0) throw new Error(`exit code ${exitCode}: ${stderr}`);
  return stdout.trim();
}

await main();
