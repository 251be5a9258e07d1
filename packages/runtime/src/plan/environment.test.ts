import type { RuntimeSpec, UrlForm } from "@remote-runtime/protocol";
import { describe, expect, test } from "vitest";
import { exampleRecord } from "../record-example.ts";
import { environmentOf, sessionKeyOf } from "./environment.ts";

const ID = exampleRecord().id;
const PATH_URL = `http://server:8000/${ID}/runtime`;

function environment(
  { urlForm = "path", ...spec }: Partial<RuntimeSpec> & { urlForm?: UrlForm } = {},
  url = PATH_URL,
  idleTimeoutSeconds = 0,
) {
  const record = exampleRecord({ urlForm });
  return environmentOf({
    record: { ...record, spec: { ...record.spec, ...spec } },
    url,
    idleTimeoutSeconds,
    home: null,
  });
}

describe("environmentOf()", () => {
  test("tells every generation of servers its key, its ports and its address", () => {
    expect(environment()).toEqual({
      SESSION_API_KEY: "key",
      OH_SECRET_KEY: "secret",
      port: "60000",
      VSCODE_PORT: "60001",
      OH_VSCODE_PORT: "60001",
      WORKER_1: "12000",
      WORKER_2: "12001",
      WORK_PORT_1: "12000",
      WORK_PORT_2: "12001",
      RUNTIME_ID: ID,
      OH_RUNTIME_ID: ID,
      RUNTIME_URL: PATH_URL,
      RUNTIME_URL_PATTERN: "http://server:8000/{runtime_id}",
      OH_VSCODE_BASE_PATH: `/${ID}/vscode`,
      PYTHONUNBUFFERED: "1",
    });
  });

  test.each<["host" | "port", string, string]>([
    ["host", `http://${ID}.example.com`, "http://{runtime_id}.example.com"],
    ["port", "http://server:30001", "http://server:30001"],
  ])("in %s form has the web URL, and no base path for the editor", (urlForm, url, pattern) => {
    const answer = environment({ urlForm }, url);
    expect(answer).toMatchObject({
      RUNTIME_URL: url,
      OH_WEB_URL: url,
      RUNTIME_URL_PATTERN: pattern,
    });
    expect(answer).not.toHaveProperty("OH_VSCODE_BASE_PATH");
  });

  test("lets the caller win, verbatim and with empty values", () => {
    const sent = {
      PYTHONUNBUFFERED: "",
      OH_VSCODE_PORT: "7000",
      OH_WEBHOOKS_0_HEADERS: '{"X-Session-API-Key": "${SESSION_API_KEY}", "a": "$(b)"}',
      OPENVSCODE_SERVER_BASE_PATH: "/mine",
      OH_SESSION_API_KEYS_0: "mine",
    };
    expect(environment({ environment: sent })).toMatchObject(sent);
  });

  test("takes an empty key for none, as the answer has another one", () => {
    const sent = { SESSION_API_KEY: "", OH_SESSION_API_KEYS_0: "", OTHER: "" };
    const received = environment({ environment: sent });
    expect(received).toMatchObject({ SESSION_API_KEY: "key", OTHER: "" });
    expect(received).not.toHaveProperty("OH_SESSION_API_KEYS_0");
  });

  test("never brings what breaks servers when the caller did not send it", () => {
    for (const urlForm of ["path", "host", "port"] as const) {
      const names = Object.keys(environment({ urlForm }));
      expect(names).not.toContain("OH_SESSION_API_KEYS_0");
      expect(names).not.toContain("OPENVSCODE_SERVER_BASE_PATH");
    }
  });

  test.each<[number | null, number, string | undefined]>([
    [null, 1200, "1200"],
    [59.5, 1200, "60"],
    [0, 1200, undefined],
    [null, 0, undefined],
  ])("with an idle timeout of %j over %j says %j", (idleTimeoutSeconds, usual, expected) => {
    const answer = environment({ idleTimeoutSeconds }, PATH_URL, usual);
    expect(answer["OH_RUNTIME_IDLE_TIMEOUT_SECONDS"]).toBe(expected);
  });
});

describe("sessionKeyOf()", () => {
  test.each<[Record<string, string>, string | null, string | null]>([
    [{}, null, null],
    [{ SESSION_API_KEY: "a" }, "a", "a"],
    [{ OH_SESSION_API_KEYS_0: "b" }, "b", "b"],
    [{ SESSION_API_KEY: "a", OH_SESSION_API_KEYS_0: "b" }, "b", "a"],
    [{ SESSION_API_KEY: "", OH_SESSION_API_KEYS_0: "" }, null, null],
  ])("of %j is %j for agent servers, %j for action servers", (environment, agents, actions) => {
    for (const dialect of ["v1-sdk", "v1-app", "v1-other"] as const)
      expect(sessionKeyOf({ dialect, environment })).toBe(agents);
    for (const dialect of ["v0", "v0-old", "skyrl"] as const)
      expect(sessionKeyOf({ dialect, environment })).toBe(actions);
  });
});
