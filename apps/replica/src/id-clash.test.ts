import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import { expect, onTestFinished, test } from "vitest";
import { INSTANCE_HEADER } from "@remote-runtime/protocol";
import { answersHealth } from "./id-clash.ts";

async function listen(answer: RequestListener): Promise<string> {
  const server = createServer(answer).listen(0, "127.0.0.1");
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return `http://127.0.0.1:${address.port}`;
}

test.each<[string, RequestListener, boolean]>([
  [
    "that very process",
    (_, answer) => answer.setHeader(INSTANCE_HEADER, "one").end('{"status":"ok"}'),
    true,
  ],
  [
    "another one at its address",
    (_, answer) => answer.setHeader(INSTANCE_HEADER, "two").end("{}"),
    false,
  ],
  ["a server of another kind", (_, answer) => answer.writeHead(404).end(), false],
  ["a process that stands still", () => undefined, false],
  [
    "one that leads elsewhere",
    (_, answer) => answer.writeHead(302, { Location: "/" }).end(),
    false,
  ],
])("answersHealth() of %s", async (_, listener, expected) => {
  const internalUrl = await listen(listener);
  expect(await answersHealth({ internalUrl, instance: "one" })).toBe(expected);
});

test("answersHealth() of nobody", async () => {
  expect(await answersHealth({ internalUrl: "http://127.0.0.1:1", instance: "one" })).toBe(false);
});
