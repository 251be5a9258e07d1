import { randomUUID } from "node:crypto";
import { setTimeout as wait } from "node:timers/promises";
import { RuntimeObject } from "@remote-runtime/protocol";
import { createHttp, expectStatus } from "./http.ts";

/** Real clients ask every 2 s and less often. */
const POLL_MS = 100;
const READY_DEADLINE_MS = 120_000;

/** The server's own processor time: unlike a latency it hardly depends on what else the machine does. */
export const CPU_SECONDS = "process_cpu_seconds_total";

export interface Api {
  /** Default command: the stub agent's own. */
  start(image: string, command?: string): Promise<RuntimeObject>;
  /** As the V1 SDK asks, whose sandboxes have a port of their own. */
  startWithPort(image: string): Promise<RuntimeObject>;
  /** Polls until the runtime is ready. */
  ready(runtime: RuntimeObject): Promise<RuntimeObject>;
  stop(runtime: RuntimeObject): Promise<void>;
  /** A GET that must answer 200. */
  get(path: string): Promise<void>;
  /** One value of /metrics. */
  metric(name: string): Promise<number>;
  close(): void;
}

/** The few calls that a client of a server makes; `pollMs` is the time between two looks at what is not ready yet, default 100. */
export function createApi(
  { url, key }: { url: string; key: string },
  { pollMs = POLL_MS }: { pollMs?: number } = {},
): Api {
  const http = createHttp({ baseUrl: url }, { "X-API-Key": key });
  const read = (text: string): RuntimeObject => RuntimeObject.parse(JSON.parse(text));

  async function start(image: string, more: object): Promise<RuntimeObject> {
    const body = { image, working_dir: "/workspace", session_id: randomUUID(), ...more };
    return read(expectStatus("POST /start", await http.send("POST", "/start", body), [201]));
  }

  return {
    start: (image, command) => start(image, { command: command ?? ["stub_agent", "60000"] }),
    startWithPort: (image) =>
      start(image, {
        command: "/usr/local/bin/openhands-agent-server --port 60000",
        image_pull_policy: "IfNotPresent",
      }),
    async ready({ runtime_id: id }) {
      const deadline = performance.now() + READY_DEADLINE_MS;
      for (;;) {
        const answer = await http.send("GET", `/runtime/${id}`);
        const runtime = read(expectStatus("GET /runtime", answer, [200]));
        if (runtime.pod_status.toLowerCase() === "ready") return runtime;
        if (
          runtime.status === "error" ||
          runtime.status === "stopped" ||
          performance.now() > deadline
        ) {
          throw new Error(`${id} is ${runtime.status}: ${runtime.status_detail ?? "no detail"}`);
        }
        await wait(pollMs);
      }
    },
    async stop({ runtime_id: id }) {
      expectStatus("POST /stop", await http.send("POST", "/stop", { runtime_id: id }), [200]);
    },
    async get(path) {
      expectStatus(`GET ${path}`, await http.send("GET", path), [200]);
    },
    async metric(name) {
      const text = expectStatus("GET /metrics", await http.send("GET", "/metrics"), [200]);
      const line = text.split("\n").find((candidate) => candidate.startsWith(`${name} `));
      if (line === undefined) throw new Error(`/metrics does not tell ${name}`);
      return Number(line.slice(name.length + 1));
    },
    close: () => http.close(),
  };
}
