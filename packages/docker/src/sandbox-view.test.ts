import { describe, expect, it } from "vitest";
import { createSandboxView } from "./sandbox-view.ts";

const labels = {
  "openhands.runtime.id": "abc",
  "openhands.runtime.replica": "r",
  "openhands.runtime.record": "{}",
};
const networks = { other: { IPAddress: "172.19.0.9" }, sandboxes: { IPAddress: "172.18.0.2" } };
const bridge = createSandboxView({ reach: { kind: "bridge" }, network: "sandboxes" });
const joined = createSandboxView({ reach: { kind: "network" }, network: "sandboxes" });
const published = createSandboxView({
  reach: { kind: "published", dialHost: "engine.example", bindAddress: "0.0.0.0" },
  network: "sandboxes",
});

describe("createSandboxView() inspected()", () => {
  it.each([
    ["created", { kind: "created" }],
    ["running", { kind: "running" }],
    ["paused", { kind: "running" }],
    ["restarting", { kind: "running" }],
    ["exited", { kind: "exited", exitCode: 3, oomKilled: true }],
    ["dead", { kind: "exited", exitCode: 3, oomKilled: true, removing: true }],
    ["removing", { kind: "exited", exitCode: 3, oomKilled: true, removing: true }],
    ["something new", { kind: "exited", exitCode: 3, oomKilled: true }],
  ])("reads the engine's %s as %j", (Status, state) => {
    expect(bridge.inspected(inspected({ Status }))?.state).toEqual(state);
  });

  it("has no endpoints unless the process runs", () => {
    expect(bridge.inspected(inspected({ Status: "exited" }))?.endpoints).toEqual({});
  });

  it("is undefined for a container that is none of ours", () => {
    expect(bridge.inspected({ ...inspected({}), Name: "/another" })).toBeUndefined();
    expect(
      bridge.inspected({ ...inspected({}), Config: { Labels: { "openhands.runtime.id": "abc" } } }),
    ).toBeUndefined();
    expect(bridge.inspected("nonsense")).toBeUndefined();
  });
});

describe("createSandboxView() endpoints", () => {
  const atContainer = {
    agent: { host: "172.18.0.2", port: 60000 },
    vscode: { host: "172.18.0.2", port: 60001 },
    "work-1": { host: "172.18.0.2", port: 12000 },
    "work-2": { host: "172.18.0.2", port: 12001 },
  };

  it("are at the container's address in the sandbox network", () => {
    expect(joined.inspected(inspected({}))?.endpoints).toEqual(atContainer);
    expect(bridge.inspected(inspected({}))?.endpoints).toEqual(atContainer);
  });

  it("are at another network's address for the engine's host only", () => {
    const elsewhere = inspected({}, { Networks: { other: networks.other } });
    expect(bridge.inspected(elsewhere)?.endpoints.agent).toEqual({
      host: "172.19.0.9",
      port: 60000,
    });
    expect(joined.inspected(elsewhere)?.endpoints).toEqual({});
  });

  it("are at the published ports, on the engine's host or on the one address that a port is bound to", () => {
    const Ports = {
      "60000/tcp": [
        { HostIp: "0.0.0.0", HostPort: "9000" },
        { HostIp: "::", HostPort: "9000" },
      ],
      "60001/tcp": [{ HostIp: "192.0.2.7", HostPort: "9001" }],
      "12000/tcp": null,
    };
    expect(published.inspected(inspected({}, { Ports }))?.endpoints).toEqual({
      agent: { host: "engine.example", port: 9000 },
      vscode: { host: "192.0.2.7", port: 9001 },
    });
  });
});

describe("createSandboxView() listed()", () => {
  const listed = {
    Names: ["/abc"],
    Labels: labels,
    State: "running",
    Ports: [
      { IP: "0.0.0.0", PrivatePort: 60000, PublicPort: 9000, Type: "tcp" },
      { PrivatePort: 8080, Type: "tcp" },
    ],
    NetworkSettings: { Networks: networks },
  };

  it("says the same as inspected() of a container that runs", () => {
    expect(bridge.listed(listed)).toEqual({ sandbox: bridge.inspected(inspected({})) });
    expect(published.listed(listed)).toMatchObject({
      sandbox: { endpoints: { agent: { host: "engine.example", port: 9000 } } },
    });
  });

  it("leaves to an inspect how a process ended", () => {
    expect(bridge.listed({ ...listed, State: "exited" })).toEqual({ ended: "abc" });
  });

  it("is undefined for a container that cannot be read", () => {
    expect(
      bridge.listed({ ...listed, Labels: { ...labels, "openhands.runtime.record": "" } }),
    ).toBeUndefined();
    expect(bridge.listed({ ...listed, Names: ["/another"] })).toBeUndefined();
    expect(bridge.listed({})).toBeUndefined();
  });
});

function inspected(
  state: Record<string, unknown>,
  settings: Record<string, unknown> = {},
): Record<string, unknown> {
  return {
    Name: "/abc",
    Config: { Labels: labels },
    State: { Status: "running", ExitCode: 3, OOMKilled: true, ...state },
    NetworkSettings: { Networks: networks, Ports: {}, ...settings },
  };
}
