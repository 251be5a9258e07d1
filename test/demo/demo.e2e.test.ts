import { execFile, spawn } from "node:child_process";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterEach, beforeEach, expect, test, vi } from "vitest";

const run = promisify(execFile);
const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const DEADLINE_MS = 60_000;

/** Where the demo makes its folder, which has the name of its network. */
let place: string;
beforeEach(async () => {
  place = await mkdtemp(join(tmpdir(), "demo-test-"));
});
afterEach(() => rm(place, { recursive: true, force: true }));

async function folders(): Promise<string[]> {
  return (await readdir(place)).filter((name) => name.startsWith("openhands-demo-"));
}

async function networks(name: string): Promise<string[]> {
  const filter = ["--filter", `name=^${name}$`];
  const { stdout } = await run("docker", ["network", "ls", "--quiet", ...filter]);
  return stdout.split("\n").filter((line) => line !== "");
}

type Moment = (seen: { name: string; printed: string }) => boolean | Promise<boolean>;

/** Runs the demo until that moment of it. */
async function demoUntil(isNow: Moment) {
  const child = spawn(join(ROOT, "node_modules/.bin/node"), ["test/demo/demo.ts"], {
    cwd: ROOT,
    env: { ...process.env, TMPDIR: place },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ended = new Promise<number | null>((resolve) => child.once("close", resolve));
  let printed = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (printed += text));
  const seen = async (): Promise<string> => {
    const [name] = await folders();
    expect(name !== undefined && (await isNow({ name, printed }))).toBe(true);
    return name ?? "";
  };
  const name = await vi.waitFor(seen, { timeout: DEADLINE_MS, interval: 10 });
  return { child, ended, name, printed: () => printed };
}

test.each<[string, Moment]>([
  ["its server is being started", () => true],
  ["its server has made the network", async ({ name }) => (await networks(name)).length > 0],
  ["its server answers", ({ printed }) => printed.includes("a server of its own")],
])("the demo leaves nothing behind when Ctrl-C comes twice as soon as %s", async (_when, isNow) => {
  const { child, ended, name, printed } = await demoUntil(isNow);
  child.kill("SIGINT");
  await vi.waitFor(() => expect(printed()).toContain("interrupted"), { timeout: DEADLINE_MS });
  // The terminal tells the whole group, and npm what it has started.
  child.kill("SIGINT");
  expect(await ended).toBe(130);
  expect([await folders(), await networks(name)]).toEqual([[], []]);
});

test("the demo leaves nothing behind when nobody reads it any more", async () => {
  const { child, ended, name } = await demoUntil(({ printed }) =>
    printed.includes("a server of its own"),
  );
  child.stdout.destroy();
  expect(await ended).toBe(1);
  expect([await folders(), await networks(name)]).toEqual([[], []]);
});
