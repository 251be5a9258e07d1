import { describe, expect, test } from "vitest";
import { plainHeaders, plainRequestLine } from "./plain-head.ts";

const START = "/items?id=";

describe("plainRequestLine()", () => {
  test("reads the target, and where the headers begin", () => {
    const text = "GET /items?id=a%2Fb&c HTTP/1.1\r\nHost: here\r\n\r\n";
    const line = plainRequestLine(text, START);
    expect(line).toEqual({ target: "/items?id=a%2Fb&c", headersAt: text.indexOf("Host") });
  });

  test.each([
    ["another method", "HEAD /items?id=a HTTP/1.1\r\n"],
    ["another case", "get /items?id=a HTTP/1.1\r\n"],
    ["another target", "GET /other HTTP/1.1\r\n"],
    ["a doubled slash", "GET //items?id=a HTTP/1.1\r\n"],
    ["an absolute target", "GET http://here/items?id=a HTTP/1.1\r\n"],
    ["two blanks", "GET  /items?id=a HTTP/1.1\r\n"],
    ["a blank line before", "\r\nGET /items?id=a HTTP/1.1\r\n"],
    ["HTTP/1.0", "GET /items?id=a HTTP/1.0\r\n"],
    ["no version", "GET /items?id=a\r\n"],
    ["a line without its end", "GET /items?id=a HTTP/1.1"],
    ["a line ended by LF", "GET /items?id=a HTTP/1.1\n"],
    ["a line break in the target", "GET /items?id=a\r\nX: HTTP/1.1\r\n"],
    ["a tab", "GET /items?id=a\tb HTTP/1.1\r\n"],
    ["NUL", "GET /items?id=\0 HTTP/1.1\r\n"],
    ["a byte above 127", "GET /items?id=\u00e4 HTTP/1.1\r\n"],
  ])("leaves alone %s", (_what, text) => {
    expect(plainRequestLine(text, START)).toBeUndefined();
  });
});

describe("plainHeaders()", () => {
  test("reads names in any case, and values without the blanks around them", () => {
    const headers = plainHeaders("hOST:here:80\r\nX-Key:  a b \r\nEmpty:\r\n\r\n");
    const names = ["Host", "x-key", "EMPTY", "other"];
    expect(names.map((name) => headers?.get(name))).toEqual(["here:80", "a b", "", null]);
  });

  test.each(["keep-alive", "Keep-Alive"])("takes Connection: %s", (value) => {
    expect(plainHeaders(`Host: here\r\nConnection: ${value}\r\n\r\n`)).toBeDefined();
  });

  test.each([
    ["no Host", "Accept: a\r\n\r\n"],
    ["an empty Host", "Host: \r\n\r\n"],
    ["no header at all", "\r\n"],
    ["a name that comes twice", "Host: here\r\nhost: there\r\n\r\n"],
    ["a head that goes on", "Host: here\r\n"],
    ["a second request", "Host: here\r\n\r\nGET / HTTP/1.1\r\nHost: here\r\n\r\n"],
    ["bytes after the head", "Host: here\r\n\r\nmore"],
    ["a length", "Host: here\r\nContent-Length: 0\r\n\r\n"],
    ["chunks", "Host: here\r\nTransfer-Encoding: chunked\r\n\r\n"],
    ["a wait for 100", "Host: here\r\nExpect: 100-continue\r\n\r\n"],
    ["an upgrade", "Host: here\r\nUpgrade: websocket\r\n\r\n"],
    ["a connection to be closed", "Host: here\r\nConnection: close\r\n\r\n"],
    ["more words on the connection", "Host: here\r\nConnection: keep-alive, te\r\n\r\n"],
    ["a blank before the colon", "Host: here\r\nContent-Length : 5\r\n\r\n"],
    ["a folded line", "Host: here\r\nX: a\r\n b\r\n\r\n"],
    ["a line ended by LF", "Host: here\nX: a\r\n\r\n"],
    ["a line ended by CR", "Host: here\rX: a\r\n\r\n"],
    ["a line without a colon", "Host: here\r\nX\r\n\r\n"],
    ["a line without a name", "Host: here\r\n: a\r\n\r\n"],
    ["NUL", "Host: here\r\nX: \0\r\n\r\n"],
    ["a tab", "Host: here\r\nX:\ta\r\n\r\n"],
    ["a byte above 127", "Host: here\r\nX: \u00e4\r\n\r\n"],
  ])("leaves alone %s", (_what, text) => {
    expect(plainHeaders(text)).toBeUndefined();
  });
});
