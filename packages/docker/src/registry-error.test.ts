import { RegistryAwayError } from "@remote-runtime/image";
import { describe, expect, test } from "vitest";
import { registryError } from "./registry-error.ts";

const DIGEST = `sha256:${"e0f".repeat(21)}e`;

describe("registryError()", () => {
  test.each([
    ["localhost:5000/typeof:1", "manifest for localhost:5000/typeof:1 not found: manifest unknown"],
    [
      "geoffrey/tool",
      "pull access denied for geoffrey/tool, repository does not exist or may require 'docker login'",
    ],
    ["certificate-app:1", "manifest for certificate-app:1 not found"],
    ["certificate-app:1", "certificate-app:1: not found"],
    ["r.test/timeout/EOF:1", "r.test/timeout/EOF:1: not found"],
    ["timeout", "docker.io/library/timeout:latest: not found"],
    ["r.test/a:timeout", 'Head "https://r.test/v2/a/manifests/timeout": denied'],
    [`r.test/rate-limit@${DIGEST}`, "rate-limit: r.test/rate-limit: unauthorized: no"],
    ["r.test/eof", "unauthorized: authentication required"],
  ])("takes what is said of %s for the registry's answer: %s", (reference, reason) => {
    const error = registryError("pull", new Error(reason), { reference });
    expect(error).toMatchObject({ code: "not_found", message: `pull: ${reason}` });
  });

  test.each([
    ["r.test/a:1", 'Get "https://r.test/v2/": dial tcp: lookup r.test: no such host'],
    ["r.test/not found", "dial tcp: lookup r.test: not found"],
    ["r.test/denied:1", "dial tcp 10.0.0.1:443: connect: permission denied"],
    ["r.test/a:1", "read tcp 10.0.0.2:1->10.0.0.1:443: read: connection timed out"],
    ["r.test/a:1", "http2: client connection lost"],
    ["r.test/a:1", "stream error: stream ID 1; INTERNAL_ERROR; received from peer"],
    ["r.test/a:1", 'Get "https://r.test/v2/": EOF'],
    ["r.test/a:1", "unexpected EOF"],
    ["r.test/a:1", "x509: certificate signed by unknown authority"],
    ["python:3", "toomanyrequests: You have reached your unauthenticated pull rate limit."],
    ["r.test/a:1", "received unexpected HTTP status: 503 Service Unavailable"],
    ["r.test/a:1", "error parsing HTTP 503 response body: unexpected end of JSON input"],
    ["r.test/a:1", "http2: server sent GOAWAY and closed the connection; LastStreamID=1"],
    ["r.test/a:1", "http2: client connection force closed via ClientConn.Close"],
    ["r.test/a:1", "write tcp 10.0.0.2:1->10.0.0.1:443: use of closed network connection"],
    ["r.test/a:1", "net/http: HTTP/1.x transport connection broken: malformed HTTP response"],
    ["r.test/a:1", "remote error: tls: internal error"],
  ])("takes a registry that gives no answer on %s for away: %s", (reference, reason) => {
    const error = registryError("pull", new Error(reason), { reference });
    expect(error).toBeInstanceOf(RegistryAwayError);
  });
});
