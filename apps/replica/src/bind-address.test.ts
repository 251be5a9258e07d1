import { ConfigError } from "@remote-runtime/server";
import { expect, test } from "vitest";
import { bindAddressOf } from "./bind-address.ts";

test.each([
  ["0.0.0.0", { bindAddress: "0.0.0.0", dialHost: "127.0.0.1" }],
  // Both families, as for the server itself; "::" is IPv6 alone to the engine.
  ["::", { bindAddress: "", dialHost: "127.0.0.1" }],
  ["127.0.0.1", { bindAddress: "127.0.0.1", dialHost: "127.0.0.1" }],
  ["::1", { bindAddress: "::1", dialHost: "[::1]" }],
  ["[::1]", { bindAddress: "::1", dialHost: "[::1]" }],
])("HOST=%s is where ports are published and this server is dialled", async (host, expected) => {
  expect(await bindAddressOf(host)).toEqual(expected);
});

test("HOST that is no name or address is refused", async () => {
  await expect(bindAddressOf("no such host")).rejects.toThrow(ConfigError);
});
