import { createHash } from "node:crypto";
import { access, readFile } from "node:fs/promises";
import { createDockerfileFolder } from "@remote-runtime/testing";
import { runCommand } from "./run-command.ts";

/** Targets of the Dockerfiles beside this file, and the tag that each is kept under. */
export const realImages = {
  "agent-server": "openhands-test/agent-server:1.58.2",
  "v1-client": "openhands-test/v1-client:1.58.2",
  "v0-runtime": "openhands-test/v0-runtime:1.6.0",
  "v0-client": "openhands-test/v0-client:1.6.0",
  "old-clients": "openhands-test/old-clients:1",
  "k8s-tools": "openhands-test/k8s-tools:1",
  engine: "openhands-test/engine:1",
  registry: "openhands-test/registry:1",
  "shell-client": "openhands-test/shell-client:1",
} as const;

export type RealImage = keyof typeof realImages;

export interface RealImageOptions {
  /** Gets a line when a build begins, every 15 s while it lasts, and when it is done. Default: nothing is said. */
  readonly log?: (line: string) => void;
  /** How long one build may take. Default 20 minutes. */
  readonly timeoutMs?: number;
}

/** All others are targets of `Dockerfile`. */
const ownDockerfiles: Partial<Record<RealImage, string>> = {
  "shell-client": "shell-client.Dockerfile",
};
const SOURCE_LABEL = "openhands-test.source";
const PROGRESS_EVERY_MS = 15_000;

/**
 * Returns the tag of an image, building it first when the engine has none or has one of another Dockerfile.
 * Needs a Docker engine with BuildKit, `debian:trixie-slim` (there, or to be pulled) and PyPI; rejects with the end of
 * the build's output.
 */
export async function ensureRealImage(
  name: RealImage,
  options: RealImageOptions = {},
): Promise<string> {
  const { log = () => undefined, timeoutMs = 20 * 60_000 } = options;
  const tag = realImages[name];
  const dockerfile = ownDockerfiles[name] ?? "Dockerfile";
  const source = await readFile(new URL(dockerfile, import.meta.url), "utf8");
  const hash = createHash("sha256").update(source).digest("hex");
  const reason = await reasonToBuild(tag, hash);
  if (reason === undefined) return tag;

  log(`${tag}: building, as ${reason}`);
  const beganMs = performance.now();
  const elapsed = (): string => `${Math.round((performance.now() - beganMs) / 1000)} s`;
  let doing = "starting";
  const ticker = setInterval(() => log(`${tag}: ${elapsed()}, ${doing}`), PROGRESS_EVERY_MS);
  try {
    await using folder = await createDockerfileFolder(source);
    const labels = ["--label", `${SOURCE_LABEL}=${hash}`];
    const args = ["build", "--progress=plain", "--target", name, "--tag", tag, ...labels];
    const build = await runCommand("docker", [...args, ...(await caSecret()), folder.path], {
      signal: AbortSignal.timeout(timeoutMs),
      onLine: (line) => {
        // BuildKit heads each step with "#7 [v1 2/4] RUN …"; other lines are the step's own output.
        if (/^#\d+ \[/.test(line)) doing = line.replace(/^#\d+ /, "").slice(0, 100);
      },
    });
    if (build.exitCode !== 0)
      throw new Error(`${tag}: the build failed after ${elapsed()}\n${build.tail}`);
  } finally {
    clearInterval(ticker);
  }
  log(`${tag}: built in ${elapsed()}`);
  return tag;
}

async function reasonToBuild(tag: string, hash: string): Promise<string | undefined> {
  const format = `{{index .Config.Labels "${SOURCE_LABEL}"}}`;
  const found = await runCommand("docker", ["image", "inspect", "--format", format, tag], {
    signal: AbortSignal.timeout(30_000),
  });
  if (found.exitCode === 0)
    return found.stdout.trim() === hash ? undefined : "the Dockerfile has changed";
  if (/no such image/i.test(found.tail)) return "there is no such image yet";
  throw new Error(`${tag}: the engine cannot be asked\n${found.tail}`);
}

/** The host's CA bundle for the build, so that PyPI behind a private authority works. Hosts without a bundle go without. */
async function caSecret(): Promise<string[]> {
  const candidates = [
    process.env["SSL_CERT_FILE"],
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
  ];
  for (const path of candidates) {
    if (path === undefined || path === "") continue;
    try {
      await access(path);
      return ["--secret", `id=ca,src=${path}`];
    } catch {
      // Not this one: bundles lie elsewhere on other systems.
    }
  }
  return [];
}
