import { expect, test } from "vitest";
import { findPublishedHost } from "./find-published-host.ts";

const asked: string[] = [];
const lines: string[] = [];
const options = {
  log: { info: (_data: object, message: string) => lines.push(message) },
  dialHost: "127.0.0.1",
  remoteHost: undefined,
  retryMs: 1,
  publicPort: 32_768,
  isThisServer: async (url: string) => {
    asked.push(url);
    return url === "http://172.18.0.1:32768";
  },
};

test("findPublishedHost() is where the server dials itself on the engine's own host and network", async () => {
  expect(await findPublishedHost({ ...options, self: undefined })).toBe("127.0.0.1");
  const self = { ownNetwork: false, hostAddress: "172.18.0.1" };
  expect(await findPublishedHost({ ...options, self })).toBe("127.0.0.1");
  // Engines of other machines publish there.
  const remoteHost = "engine.example";
  expect(await findPublishedHost({ ...options, self: undefined, remoteHost })).toBe(remoteHost);
  expect(asked).toEqual([]);
  expect(lines).toEqual([]);
});

test("findPublishedHost() asks three times, as the first answer may be late", async () => {
  const self = { ownNetwork: true, hostAddress: "172.18.0.1" };
  let calls = 0;
  const answersAt = (nth: number) => ({
    ...options,
    self,
    isThisServer: async () => {
      calls += 1;
      return calls === nth;
    },
  });
  expect(await findPublishedHost(answersAt(3))).toBe("172.18.0.1");
  calls = 0;
  expect(await findPublishedHost(answersAt(4))).toBeNull();
  expect(calls).toBe(3);
  lines.length = 0;
});

test("findPublishedHost() is the engine's host for a container that finds itself there, and nothing for another", async () => {
  const find = (hostAddress: string | undefined): Promise<string | null> =>
    findPublishedHost({ ...options, self: { ownNetwork: true, hostAddress } });
  expect(await find("172.18.0.1")).toBe("172.18.0.1");
  expect(await find("172.19.0.1")).toBeNull();
  expect(await find("fd00::1")).toBeNull();
  expect(asked).toContain("http://[fd00::1]:32768");
  expect(await find(undefined)).toBeNull();
  expect(lines).toHaveLength(3);
});
