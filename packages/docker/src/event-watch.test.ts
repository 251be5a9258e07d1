import type { ServerResponse } from "node:http";
import type { EngineEvent } from "@remote-runtime/runtime";
import { expect, it, vi } from "vitest";
import { watchEvents } from "./event-watch.ts";
import { startStubEngine } from "./stub-engine.ts";

const WAIT = { timeout: 5_000, interval: 5 };

it("watchEvents() tells events of sandboxes and images, and leaves out containers of others", async () => {
  await using watched = await watchStub();
  const stream = await watched.nextStream();
  const attributes = { "openhands.runtime.id": "abc" };
  stream.write(message("container", "start", { image: "x" }));
  stream.write(message("container", "exec_create: sh", attributes));
  // Two messages that arrive in other pieces than they were written in.
  const [first, second] = split(
    message("container", "die", attributes) + message("image", "pull", {}),
  );
  stream.write(first);
  stream.write(second);
  const expected = [{ kind: "sandbox", id: "abc", action: "died" }, { kind: "images" }];
  await vi.waitFor(() => expect(watched.events).toEqual(expected), WAIT);
});

it("watchEvents() connects again when the stream breaks, and says that events may be missing", async () => {
  await using watched = await watchStub();
  const first = await watched.nextStream();
  expect(watched.events).toEqual([]);
  first.destroy();
  const second = await watched.nextStream();
  const away = [{ kind: "disconnected" }, { kind: "reconnected" }];
  await vi.waitFor(() => expect(watched.events).toEqual(away), WAIT);
  second.end();
  await watched.nextStream();
  await vi.waitFor(() => expect(watched.events).toEqual([...away, ...away]), WAIT);
});

it("watchEvents() asks for what happened since the call, the first time only", async () => {
  await using watched = await watchStub();
  (await watched.nextStream()).destroy();
  await watched.nextStream();
  expect(
    watched.addresses.map((address) => new URL(address, "http://x").searchParams.get("since")),
  ).toEqual(["1.5", null]);
});

it("watchEvents() ends when its signal aborts", async () => {
  await using watched = await watchStub();
  const stream = await watched.nextStream();
  watched.abort();
  await watched.ended;
  await vi.waitFor(() => expect(stream.destroyed).toBe(true), WAIT);
});

async function watchStub() {
  const streams: ServerResponse[] = [];
  const addresses: string[] = [];
  const events: EngineEvent[] = [];
  const controller = new AbortController();
  let taken = 0;
  const stub = await startStubEngine((request, response) => {
    addresses.push(request.url ?? "");
    response.writeHead(200).flushHeaders();
    streams.push(response);
  });
  const ended = watchEvents({
    docker: stub.docker,
    onEvent: (event) => events.push(event),
    signal: controller.signal,
    log: { warn: () => undefined },
    now: () => 1_500,
  });
  return {
    events,
    addresses,
    ended,
    abort: () => controller.abort(),
    async nextStream(): Promise<ServerResponse> {
      const stream = await vi.waitFor(() => {
        const next = streams[taken];
        if (!next) throw new Error("no connection yet");
        return next;
      }, WAIT);
      taken += 1;
      return stream;
    },
    async [Symbol.asyncDispose]() {
      controller.abort();
      await ended;
      await stub[Symbol.asyncDispose]();
    },
  };
}

function message(type: string, action: string, attributes: Record<string, string>): string {
  return `${JSON.stringify({ Type: type, Action: action, Actor: { ID: "1", Attributes: attributes } })}\n`;
}

function split(text: string): [string, string] {
  const middle = Math.floor(text.length / 3);
  return [text.slice(0, middle), text.slice(middle)];
}
