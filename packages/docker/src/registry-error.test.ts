import { RegistryAwayError, RegistryBusyError } from "@remote-runtime/image";
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
    ["r.test/a:1", "received unexpected HTTP status: 503 Service Unavailable"],
    ["r.test/a:1", "error parsing HTTP 503 response body: unexpected end of JSON input"],
    ["r.test/a:1", "http2: server sent GOAWAY and closed the connection; LastStreamID=1"],
    ["r.test/a:1", "http2: client connection force closed via ClientConn.Close"],
    ["r.test/a:1", "write tcp 10.0.0.2:1->10.0.0.1:443: use of closed network connection"],
    ["r.test/a:1", "net/http: HTTP/1.x transport connection broken: malformed HTTP response"],
    ["r.test/a:1", "remote error: tls: internal error"],
    // What came over was not what was sent.
    ["r.test/a:1", `filesystem layer verification failed for digest ${DIGEST}`],
    ["r.test/a:1", `image config verification failed for digest ${DIGEST}`],
    ["r.test/a:1", "unexpected end of JSON input"],
    ["r.test/a:1", "invalid character '<' looking for beginning of value"],
    ["r.test/a:1", "short read: expected 429 bytes but got 0: unexpected EOF"],
    ["r.test/a:1", "failed size validation: 429 != 10000: failed precondition"],
    ["r.test/a:1", `unexpected commit digest ${DIGEST}, expected ${DIGEST}: failed precondition`],
    [
      "r.test/a:1",
      "download failed after attempts=6: received unexpected HTTP status: 500 Internal",
    ],
    ["r.test/a:1", "unexpected status code [manifests 1]: 502 Bad Gateway"],
    ["r.test/a:1", "unexpected status from HEAD request to https://r.test/v2/a: 503 Service"],
  ])("takes a registry that gives no answer on %s for away: %s", (reference, reason) => {
    const error = registryError("pull", new Error(reason), { reference });
    expect(error).toBeInstanceOf(RegistryAwayError);
  });

  test.each([
    ["python:3", "toomanyrequests: You have reached your unauthenticated pull rate limit."],
    ["r.test/a:1", "toomanyrequests: <html>Too Many</html>"],
    ["r.test/a:1", "download failed after attempts=1: toomanyrequests: slow"],
    ["r.test/a:1", "error parsing HTTP 429 response body: invalid character 'T': \"Too Many\""],
    ["r.test/a:1", "received unexpected HTTP status: 429 Too Many Requests"],
    ["r.test/a:1", "unexpected status code [manifests 1]: 429 Slow Down"],
    ["r.test/a:1", "unexpected status from HEAD request to https://r.test/v2/a: 429 Slow Down"],
    ["r.test/a:1", "unauthorized: too many requests"],
  ])("takes a registry that wants to be asked less about %s for busy: %s", (reference, reason) => {
    const error = registryError("pull", new Error(reason), { reference });
    expect(error).toBeInstanceOf(RegistryBusyError);
  });

  test.each([
    ["retry-after: 250µs, allowed: 44000/minute", 0.25],
    ["retry-after: 1m2.5s", 62_500],
    ["retry-after: soon", undefined],
    ["slow down", undefined],
  ])("takes %s for so many milliseconds that are wanted: %s", (words, wantedMs) => {
    const error = registryError("pull", new Error(`toomanyrequests: ${words}`), {
      reference: "r.test/a:1",
    });
    expect(error).toBeInstanceOf(RegistryBusyError);
    expect(error).toMatchObject({ wantedMs });
  });

  test.each([
    ["r.test/a:429", "unexpected status code [manifests 429]: 404 Not Found"],
    ["r.test/429/a:429", "manifest for r.test/429/a:429 not found: manifest unknown"],
    ["r.test/a:1", "unknown blob"],
    ["r.test/a:1", "unexpected status code [manifests 1]: 404 Not Found"],
  ])("takes what is said of %s for no such thing: %s", (reference, reason) => {
    const error = registryError("pull", new Error(reason), { reference });
    expect(error).not.toBeInstanceOf(RegistryAwayError);
  });
});
