import { execFile, spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, describe, expect, test } from "vitest";

const root = new URL("../..", import.meta.url).pathname;
const run = promisify(execFile);
const cleanUps: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).toReversed()) await cleanUp();
});

async function folder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), "start-"));
  cleanUps.push(() => rm(path, { recursive: true, force: true }));
  return path;
}

type Started = {
  /** What it printed up to the URL. */
  printed: string;
  /** What it has printed by now. */
  output(): string;
  type(text: string): void;
  ended: Promise<number | null>;
};

/** `npm start` as a supervisor has it, or as a person types it at a terminal; ends when it listens, or has ended. */
async function npmStart(
  args: string[],
  env: Record<string, string>,
  { terminal = false } = {},
): Promise<Started> {
  const network = `start-test-${process.pid}-${cleanUps.length}`;
  cleanUps.push(() => run("docker", ["network", "rm", network]).catch(() => undefined));
  const { PATH = "", HOME = "" } = process.env;
  const npm = ["npm", "start", "--", ...args];
  // Of util-linux: runs it on a pseudo terminal, which makes signals of control characters. Nobody must stand between.
  const command = terminal
    ? ["script", "-qefc", `exec ${npm.join(" ")}`, join(await folder(), "typescript")]
    : npm;
  const child = spawn(command[0] ?? "", command.slice(1), {
    cwd: root,
    env: { PATH, HOME, SANDBOX_NETWORK: network, ...env },
  });
  const ended = new Promise<number | null>((resolve) => child.once("close", resolve));
  cleanUps.push(async () => {
    // As a supervisor does it: npm alone is told, and the server must end with it.
    child.kill("SIGTERM");
    await ended;
  });
  let printed = "";
  const listening = new Promise<void>((resolve) => {
    const read = (chunk: Buffer): void => {
      printed += chunk.toString();
      if (/\/list\r?\n/.test(printed)) resolve();
    };
    child.stdout.on("data", read);
    child.stderr.on("data", read);
  });
  await Promise.race([listening, ended]);
  return { printed, output: () => printed, type: (text) => child.stdin.write(text), ended };
}

describe("npm start", () => {
  test("prints URL, key and what a client needs, keeps the key, and takes --host and --port", async () => {
    const dataDir = await folder();
    const args = ["--host", "127.0.0.1", "--port", "0"];
    const { printed, type, ended } = await npmStart(
      args,
      { DATA_DIR: dataDir },
      { terminal: true },
    );
    const url = /answers at (http:\/\/127\.0\.0\.1:\d+)/.exec(printed)?.[1] ?? "";
    const key = /API key: ([\w-]{32})\r?\n/.exec(printed)?.[1] ?? "";
    expect(printed).toContain(`export SANDBOX_REMOTE_RUNTIME_API_URL=${url}`);
    const answer = await fetch(`${url}/list`, { headers: { "X-API-Key": key } });
    expect([answer.status, await answer.json()]).toEqual([200, { runtimes: [], total: 0 }]);
    const page = await (await fetch(url)).text();
    expect(page).toContain("OpenHands remote runtime");

    const second = await npmStart(args, { DATA_DIR: dataDir });
    expect(second.printed).toContain("in use by another process");
    expect(await second.ended).toBe(78);

    type("\u0003");
    await ended;
    expect((await npmStart(args, { DATA_DIR: dataDir })).printed).toContain(`API key: ${key}`);
  });

  test("ends in order at one Ctrl-C, which the terminal and npm both tell it of", async () => {
    const args = ["--host", "127.0.0.1", "--port", "0"];
    const server = await npmStart(args, { DATA_DIR: await folder() }, { terminal: true });
    server.type("\u0003");
    await server.ended;
    expect(server.output()).toContain("SIGINT: shutting down");
    expect(server.output()).not.toContain("again");
  });

  test("shows its help without asking for an engine", async () => {
    const { stdout, stderr } = await run("npm", ["start", "--", "--help"], { cwd: root });
    expect(stdout).toContain("Usage: npm start");
    expect(stderr).not.toContain("docker:");
  });

  test("says what is wrong with its settings, all at once, and exits with 78", async () => {
    const { printed, ended } = await npmStart([], {
      PORT: "http",
      API_KEYS: "a=",
      DATA_DIR: await folder(),
    });
    expect(printed).toMatch(/API_KEYS[^]*PORT="http"|PORT="http"[^]*API_KEYS/);
    expect(await ended).toBe(78);
  });
});

test("npm run demo shows the life of a sandbox, from image_exists to stop", async () => {
  const { stdout } = await run("npm", ["run", "demo"], { cwd: root, timeout: 240_000 });
  for (const step of ["/image_exists", "/start", "/stop"]) expect(stdout).toContain(step);
});
