import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";
import { newRuntimeId, replicaTagOf, type RuntimeObject } from "@remote-runtime/protocol";
import { z } from "zod";
import { redisCommand } from "../support/redis-command.ts";
import { PREFIX } from "./published.ts";

/** A replica of another version, on an engine of its own: it answers the API, and runs nothing. */
export interface ScriptedReplica extends AsyncDisposable {
  readonly id: string;
  /** Ids of the runtimes that were started there and not stopped. */
  started(): string[];
}

const Start = z.object({ session_id: z.string(), image: z.string() });
const Named = z.object({ runtime_id: z.string() });
const ANNOUNCED_MS = 60_000;

/**
 * Announces itself with what the very first version said, and `more` over that: by default an older replica. Disposing ends
 * it without a goodbye; its announcement lives on.
 */
export async function startScriptedReplica(
  redisUrl: string,
  id: string,
  more: Readonly<Record<string, unknown>> = {},
): Promise<ScriptedReplica> {
  const runtimes = new Map<string, RuntimeObject>();
  const server = createServer((incoming, outgoing) => {
    const answer = async (): Promise<void> => {
      const [status, body] = await answerTo(incoming);
      outgoing.writeHead(status, { "Content-Type": "application/json" }).end(JSON.stringify(body));
    };
    answer().catch((error: unknown) =>
      outgoing.destroy(error instanceof Error ? error : undefined),
    );
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  const url = `http://127.0.0.1:${address.port}`;
  const live = (): RuntimeObject[] =>
    [...runtimes.values()].filter(({ status }) => status === "running");

  async function answerTo(incoming: IncomingMessage): Promise<[status: number, body: unknown]> {
    const [path = "", query = ""] = (incoming.url ?? "").split("?");
    const [, noun = "", name = ""] = path.split("/").map(decodeURIComponent);
    const unknown: [number, object] = [404, { detail: `nothing at ${path}` }];
    const found = (one: RuntimeObject | undefined): [number, object] =>
      one ? [200, one] : unknown;
    const bySession = (session: string): RuntimeObject | undefined =>
      live().find((one) => one.session_id === session);
    switch (`${incoming.method} /${noun}`) {
      case "POST /start": {
        const { session_id: session, image } = Start.parse(await bodyOf(incoming));
        const one = bySession(session) ?? runtimeObject(session, image);
        runtimes.set(one.runtime_id, one);
        return [201, one];
      }
      case "POST /stop": {
        const { runtime_id: stopped } = Named.parse(await bodyOf(incoming));
        const one = runtimes.get(stopped);
        if (one) runtimes.set(stopped, { ...one, status: "stopped", verdict: "stopped" });
        return found(runtimes.get(stopped));
      }
      case "GET /runtime":
        return found(runtimes.get(name));
      case "GET /list":
        return [200, { runtimes: live(), total: live().length }];
      case "GET /sessions": {
        if (name !== "batch") return found(bySession(name));
        const ids = new URLSearchParams(query).getAll("ids");
        return [200, ids.map((session) => bySession(session) ?? null)];
      }
      default:
        return unknown;
    }
  }

  function runtimeObject(session: string, image: string): RuntimeObject {
    const runtime = newRuntimeId(replicaTagOf(id), randomBytes);
    return {
      runtime_id: runtime,
      id: runtime,
      session_id: session,
      url: `${url}/${runtime}/runtime`,
      session_api_key: "key",
      status: "running",
      status_detail: null,
      pod_status: "Ready",
      work_hosts: {},
      restart_count: 0,
      restart_reasons: [],
      container_statuses: [],
      events: [],
      pod_logs: "",
      image,
      created_at: new Date(0).toISOString(),
      verdict: null,
    };
  }

  const entry = {
    id,
    tag: replicaTagOf(id),
    internalUrl: url,
    publicUrl: null,
    publicPort: address.port,
    engineId: `engine of ${id}`,
    weight: 2,
    version: "0.0.1",
    load: 0,
    draining: false,
    ...more,
  };
  const until = String(Date.now() + ANNOUNCED_MS);
  const words = [`${PREFIX}replica:${id}`, JSON.stringify(entry), "PX", String(ANNOUNCED_MS)];
  await redisCommand(redisUrl, "SET", ...words);
  await redisCommand(redisUrl, "ZADD", `${PREFIX}replicas`, until, id);
  return {
    id,
    started: () => live().map(({ runtime_id: runtime }) => runtime),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

async function bodyOf(incoming: IncomingMessage): Promise<unknown> {
  let text = "";
  for await (const chunk of incoming.setEncoding("utf8")) text += String(chunk);
  return JSON.parse(text);
}
