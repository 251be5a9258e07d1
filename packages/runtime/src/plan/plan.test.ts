import type { EngineImage } from "@remote-runtime/image";
import type { RuntimeSpec } from "@remote-runtime/protocol";
import { RuntimeRecord } from "@remote-runtime/registry";
import { describe, expect, test } from "vitest";
import { exampleRecord } from "../record-example.ts";
import { planContainer } from "./plan.ts";

const GIB = 1024 ** 3;

function image(change: Partial<EngineImage> = {}): EngineImage {
  return {
    id: "sha256:1",
    references: [],
    sizeBytes: 1,
    createdAt: 0,
    entrypoint: [],
    command: ["bash"],
    ...change,
  };
}

type RecordChange = Partial<Omit<RuntimeRecord, "spec">> & { spec?: Partial<RuntimeSpec> };

function recordWith({ spec, ...change }: RecordChange): RuntimeRecord {
  const record = exampleRecord(change);
  return { ...record, spec: { ...record.spec, command: null, ...spec } };
}

const LIMITS = { memoryBytes: 4 * GIB, pidsLimit: 4096, wildcardBase: null, idleTimeoutSeconds: 0 };

function plan(change: RecordChange = {}, own: Partial<EngineImage> = {}) {
  return planContainer({
    record: recordWith(change),
    image: image(own),
    injections: [],
    limits: LIMITS,
  });
}

const ofSpec = (spec: Partial<RuntimeSpec>) => plan({ spec });

describe("planContainer()", () => {
  test("names an image by its content where it was asked for by a digest", () => {
    const digest = `sha256:${"0".repeat(64)}`;
    expect(ofSpec({ image: `python@${digest}` }).image).toBe("sha256:1");
  });

  test("leaves to the image and the engine what was not asked for", () => {
    const { recordLabel, environment, ...rest } = plan();
    expect(rest).toEqual({
      id: "abcdefghijklmnop",
      replicaId: "replica-1",
      image: "python:3",
      groups: [],
      memoryBytes: 4 * GIB,
      cpuShares: 1024,
      pidsLimit: 4096,
    });
    expect(RuntimeRecord.parse(JSON.parse(recordLabel))).toEqual(recordWith({}));
    expect(environment["RUNTIME_URL"]).toBe("http://server:8000/abcdefghijklmnop/runtime");
  });

  test("passes on what was asked for", () => {
    const spec = {
      command: "serve --port 88888888",
      workingDir: "/w",
      runtimeClass: "sysbox-runc",
    };
    expect(plan({ spec, urlForm: "port", hostPort: 20_001 })).toMatchObject({
      command: ["serve", "--port", "60000"],
      workingDir: "/w",
      runtimeClass: "sysbox-runc",
      hostPort: 20_001,
      environment: { RUNTIME_URL: "http://server:20001" },
    });
  });

  test("tells the sandbox its URL and how long it may idle", () => {
    const { environment } = planContainer({
      record: recordWith({ urlForm: "host" }),
      image: image(),
      injections: [],
      limits: { ...LIMITS, wildcardBase: "https://example.com", idleTimeoutSeconds: 1200 },
    });
    expect(environment).toMatchObject({
      RUNTIME_URL: "https://abcdefghijklmnop.example.com",
      OH_RUNTIME_IDLE_TIMEOUT_SECONDS: "1200",
    });
  });

  test("mounts what is injected, and gives the user what images of agents have: a home that it may write", () => {
    const injections = [
      { path: "/agent-server", volume: "volume", image: "agent", imageId: "sha256:2" },
    ];
    const injected = (spec: Partial<RuntimeSpec>) => {
      const record = recordWith({ spec });
      return planContainer({ record, image: image(), injections, limits: LIMITS });
    };
    const owner = { uid: 10001, gid: 10001 };
    const sdk = injected({ workingDir: "/", runAsUser: 10001, fsGroup: 10001 });
    expect(sdk.mounts).toEqual([{ path: "/agent-server", volume: "volume" }]);
    expect(sdk.ownedDirectory).toEqual({ path: "/workspace", ...owner });
    expect(sdk.environment["HOME"]).toBe("/workspace");
    const app = injected({ workingDir: "/workspace/project", runAsUser: 10001 });
    expect(app.ownedDirectory).toEqual({ path: "/workspace/project", ...owner });
    expect(app.environment["HOME"]).toBe("/workspace");
    const own = { runAsUser: 10001, workingDir: "/testbed", environment: {} };
    expect(injected(own).environment["HOME"]).toBeUndefined();
    expect(injected({ ...own, environment: { HOME: "/h" } }).environment["HOME"]).toBe("/h");
    expect(injected({}).ownedDirectory).toBeUndefined();
  });

  test.each<[number, number, number]>([
    [0.1, Math.round(0.4 * GIB), 102],
    [1.5, 6 * GIB, 1536],
    [64, 256 * GIB, 65_536],
  ])("with factor %d gives %d bytes and %d shares", (resourceFactor, memoryBytes, cpuShares) => {
    expect(ofSpec({ resourceFactor })).toMatchObject({ memoryBytes, cpuShares });
  });

  test.each<[string, Partial<RuntimeSpec>, object]>([
    ["nobody", {}, { groups: [] }],
    ["a user", { runAsUser: 10001 }, { user: "10001", groups: [] }],
    [
      "a user and its file group",
      { runAsUser: 10001, fsGroup: 10001 },
      { user: "10001", groups: ["10001"] },
    ],
    ["all three", { runAsUser: 1, runAsGroup: 2, fsGroup: 3 }, { user: "1:2", groups: ["3"] }],
    [
      "a file group that is the group",
      { runAsUser: 1, runAsGroup: 2, fsGroup: 2 },
      { user: "1:2", groups: [] },
    ],
    ["root", { runAsUser: 0, runAsGroup: 0, fsGroup: 0 }, { user: "0:0", groups: [] }],
    ["a group alone", { runAsGroup: 5 }, { groups: ["5"] }],
    ["groups without a user", { runAsGroup: 5, fsGroup: 6 }, { groups: ["5", "6"] }],
    ["the same group twice", { runAsGroup: 5, fsGroup: 5 }, { groups: ["5"] }],
  ])("runs as %s", (_who, spec, expected) => {
    const { user, groups } = ofSpec(spec);
    expect({ ...(user !== undefined && { user }), groups }).toEqual(expected);
  });

  test.each<[Partial<RuntimeSpec>, object | undefined]>([
    [{ workingDir: "/workspace/project/" }, undefined],
    [{ runAsUser: 1 }, undefined],
    [{ runAsUser: 1, workingDir: "/" }, undefined],
    [{ runAsUser: 1, workingDir: "//./" }, undefined],
    [
      { runAsUser: 1, workingDir: "/a/b/" },
      { path: "/a/b", uid: 1, gid: 1 },
    ],
    [
      { runAsUser: 1, fsGroup: 3, workingDir: "/a" },
      { path: "/a", uid: 1, gid: 3 },
    ],
    [
      { runAsUser: 1, runAsGroup: 2, fsGroup: 3, workingDir: "/a" },
      { path: "/a", uid: 1, gid: 2 },
    ],
    [
      { runAsUser: 0, workingDir: "/a" },
      { path: "/a", uid: 0, gid: 0 },
    ],
  ])("of %j owns %j", (spec, expected) => {
    expect(ofSpec(spec).ownedDirectory).toEqual(expected);
  });

  test.each<[string, Partial<EngineImage>, string[] | undefined]>([
    ["another program", { command: ["bash"] }, undefined],
    [
      "an agent server",
      { entrypoint: ["tini", "--", "/usr/local/bin/openhands-agent-server"], command: [] },
      ["--port", "60000"],
    ],
    ["its module", { command: ["python", "-m", "openhands.agent_server"] }, ["--port", "60000"]],
    [
      "one with a port",
      { entrypoint: ["openhands-agent-server"], command: ["--port", "60000"] },
      undefined,
    ],
    [
      "one with a port after =",
      { entrypoint: ["openhands-agent-server", "--port=60000"] },
      undefined,
    ],
  ])("without a command runs the image's own, %s", (_what, own, appendArguments) => {
    const answer = plan({}, own);
    expect(answer.command).toBeUndefined();
    expect(answer.appendArguments).toEqual(appendArguments);
  });

  test("appends nothing to a command that was sent", () => {
    const answer = plan({ spec: { command: ["openhands-agent-server"] } });
    expect(answer).toMatchObject({ command: ["openhands-agent-server"] });
    expect(answer).not.toHaveProperty("appendArguments");
  });

  test("refuses when there is no command at all, and names the field and the image", () => {
    expect(() => plan({ spec: { command: " " } }, { command: [] })).toThrow(
      expect.objectContaining({
        code: "bad_request",
        message: "command: the image python:3 has none of its own, and none was sent",
      }),
    );
  });
});
