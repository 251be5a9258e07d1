import type { RuntimeSpec, UrlForm } from "@remote-runtime/protocol";
import type { RuntimeRecord } from "@remote-runtime/registry";
import { SANDBOX_PORT } from "../engine.ts";

/** The key of the servers in the sandbox: what older ones and newer ones call it. */
const KEY_NAMES = ["SESSION_API_KEY", "OH_SESSION_API_KEYS_0"] as const;

export type EnvironmentInput = {
  record: Pick<RuntimeRecord, "id" | "urlForm" | "sessionApiKey" | "secretKey" | "spec">;
  /** Public URL of the runtime, without a trailing slash. */
  url: string;
  /** After so many idle seconds the server pauses a runtime that asked for nothing else; 0 = never. */
  idleTimeoutSeconds: number;
  /** `null`: what the image says. */
  home: string | null;
};

/**
 * The environment of a sandbox: what the servers in it need to know, and over that what the caller sent, verbatim and
 * empty values included, but for an empty key: that is none. OH_SESSION_API_KEYS_0 is not ours to set, as agent servers
 * then ignore SESSION_API_KEY; with OPENVSCODE_SERVER_BASE_PATH the editor of V0 does not start.
 */
export function environmentOf(input: EnvironmentInput): Record<string, string> {
  const { record, url } = input;
  return {
    // Without a key agent servers listen on the loopback only.
    SESSION_API_KEY: record.sessionApiKey,
    // Else agent servers encrypt with the session's key, and a new one would lose what they stored.
    OH_SECRET_KEY: record.secretKey,
    ...ports(),
    ...addresses(record.id, record.urlForm, url),
    ...idleTimeout(record.spec.idleTimeoutSeconds ?? input.idleTimeoutSeconds),
    PYTHONUNBUFFERED: "1",
    ...(input.home !== null && { HOME: input.home }),
    ...withoutEmptyKeys(record.spec.environment),
  };
}

/** With an empty key agent servers listen on the loopback only, and action execution servers let in everybody. */
function withoutEmptyKeys(environment: Record<string, string>): Record<string, string> {
  const isEmptyKey = (name: string): boolean =>
    environment[name] === "" && KEY_NAMES.some((key) => key === name);
  return Object.fromEntries(Object.entries(environment).filter(([name]) => !isEmptyKey(name)));
}

/**
 * The key that the caller itself chose for the servers in the sandbox, else `null`. Agent servers prefer the newer one of
 * the two names; action execution servers know the older one alone.
 */
export function sessionKeyOf({
  dialect,
  environment,
}: Pick<RuntimeSpec, "dialect" | "environment">): string | null {
  const [older, newer] = KEY_NAMES.map((name) => environment[name]);
  const isActionServer = dialect === "v0" || dialect === "v0-old" || dialect === "skyrl";
  return (isActionServer ? older || newer : newer || older) || null;
}

/** Every generation of servers has names of its own for the same four ports. */
function ports(): Record<string, string> {
  const vscode = String(SANDBOX_PORT.vscode);
  const work1 = String(SANDBOX_PORT["work-1"]);
  const work2 = String(SANDBOX_PORT["work-2"]);
  return {
    port: String(SANDBOX_PORT.agent),
    VSCODE_PORT: vscode,
    OH_VSCODE_PORT: vscode,
    WORKER_1: work1,
    WORKER_2: work2,
    WORK_PORT_1: work1,
    WORK_PORT_2: work2,
  };
}

function addresses(id: string, urlForm: UrlForm, url: string): Record<string, string> {
  const isPath = urlForm === "path";
  // Users of the pattern append the service's name themselves.
  const pattern = (isPath ? url.replace(/\/runtime$/, "") : url).replaceAll(id, "{runtime_id}");
  return {
    RUNTIME_ID: id,
    OH_RUNTIME_ID: id,
    RUNTIME_URL: url,
    RUNTIME_URL_PATTERN: pattern,
    // An agent server takes the path of OH_WEB_URL for a prefix of its requests. The proxy has cut that off, and mounted
    // files would not be found. The editor's requests keep theirs.
    ...(isPath ? { OH_VSCODE_BASE_PATH: `/${id}/vscode` } : { OH_WEB_URL: url }),
  };
}

/** Agent servers keep their foreground commands shorter than this. */
function idleTimeout(seconds: number): Record<string, string> {
  return seconds > 0 ? { OH_RUNTIME_IDLE_TIMEOUT_SECONDS: String(Math.ceil(seconds)) } : {};
}
