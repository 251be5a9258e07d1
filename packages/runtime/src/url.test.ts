import type { Dialect } from "@remote-runtime/protocol";
import { describe, expect, test } from "vitest";
import { exampleRecord } from "./record-example.ts";
import { runtimeUrl, urlFormOf, workHosts } from "./url.ts";

const id = "abcdefghijklmnop";
const address = { base: "http://server:8000", wildcardBase: "https://sandbox.example.com:8443" };

describe("urlFormOf()", () => {
  const reachable = { wildcard: false, portAvailable: true };

  test("gives the V1 SDK a port of its own, and everyone else a path", () => {
    const others: Dialect[] = ["skyrl", "v0-old", "v0", "v1-app", "v1-other"];
    expect(urlFormOf("v1-sdk", "auto", reachable)).toBe("port");
    expect(others.map((dialect) => urlFormOf(dialect, "auto", reachable))).toEqual(
      others.map(() => "path"),
    );
  });

  test("gives everyone a host name where a wildcard domain is configured", () => {
    expect(urlFormOf("v1-sdk", "auto", { ...reachable, wildcard: true })).toBe("host");
    expect(urlFormOf("v0", "auto", { ...reachable, wildcard: true })).toBe("host");
  });

  test("says what to configure when only the gateway can be reached", () => {
    const behindGateway = { wildcard: false, portAvailable: false };
    expect(() => urlFormOf("v1-sdk", "auto", behindGateway)).toThrow(/RUNTIME_URL_BASE/);
    expect(urlFormOf("v0", "auto", behindGateway)).toBe("path");
  });
});

describe("runtimeUrl()", () => {
  test.each([
    ["path", `http://server:8000/${id}/runtime`],
    ["host", `https://${id}.sandbox.example.com:8443`],
    ["port", "http://server:20001"],
  ] as const)("of the %s form has no trailing slash", (urlForm, expected) => {
    expect(runtimeUrl(exampleRecord({ urlForm, hostPort: 20_001 }), address)).toBe(expected);
  });
});

test("runtimeUrl() of the port form names the host that the port is on, where that is another one", () => {
  const record = exampleRecord({ urlForm: "port", hostPort: 20_001, portHost: "[2001:db8::1]" });
  expect(runtimeUrl(record, { ...address, base: "https://server" })).toBe(
    "http://[2001:db8::1]:20001",
  );
});

test("workHosts() leads to the two work ports", () => {
  expect(workHosts(exampleRecord({ urlForm: "host" }), address)).toEqual({
    [`https://work-1-${id}.sandbox.example.com:8443`]: 12_000,
    [`https://work-2-${id}.sandbox.example.com:8443`]: 12_001,
  });
  expect(Object.keys(workHosts(exampleRecord(), address))).toEqual([
    `http://server:8000/${id}/work-1`,
    `http://server:8000/${id}/work-2`,
  ]);
});
