import { describe, expect, test } from "vitest";
import { adminRoutes } from "./admin-route.ts";
import { openApiDocument } from "./openapi.ts";
import { routes } from "./route.ts";

const document = openApiDocument(routes, { version: "1.2.3" });

describe("openApiDocument()", () => {
  test("has every route, with its status, and a schema for each name that it refers to", () => {
    for (const route of Object.values(routes)) {
      const path = route.path.replace(/:(\w+)/, "{$1}");
      expect(document.paths[path]).toHaveProperty([
        route.method.toLowerCase(),
        "responses",
        String(route.status),
      ]);
    }
    const references = JSON.stringify(document).matchAll(
      /"\$ref":"#\/components\/schemas\/(\w+)"/g,
    );
    const names = new Set([...references].map(([, name]) => name));
    expect(names).toEqual(new Set(["Error", "Runtime", "StartRequest"]));
    expect(Object.keys(document.components.schemas).toSorted()).toEqual([
      "Error",
      "Runtime",
      "StartRequest",
    ]);
    expect(JSON.stringify(document)).not.toContain("$defs");
  });

  test("says how parameters are written, and which are needed", () => {
    const parametersOf = (path: string): unknown => document.paths[path]?.["get"];
    expect(parametersOf("/sessions/batch")).toMatchObject({
      parameters: [{ name: "ids", in: "query", required: false, schema: { type: "array" } }],
    });
    expect(parametersOf("/image_exists")).toMatchObject({
      parameters: [{ name: "image", in: "query", required: true, schema: { type: "string" } }],
    });
    expect(parametersOf("/runtime/{runtime_id}")).toMatchObject({
      parameters: [{ name: "runtime_id", in: "path", required: true, schema: { type: "string" } }],
    });
  });

  test("says of every route what it is for, of those of operators too", () => {
    const { paths } = openApiDocument({ ...routes, ...adminRoutes }, { version: "1.2.3" });
    const operations = Object.values(paths).flatMap((path) => Object.values(path));
    expect(operations.length).toBe(Object.keys({ ...routes, ...adminRoutes }).length);
    const described = { summary: expect.stringMatching(/^[A-Z].{8}/) };
    for (const operation of operations) expect(operation).toMatchObject(described);
  });

  test("asks for the key where the route does", () => {
    expect(document.paths["/health"]).toMatchObject({ get: { security: [] } });
    expect(document.paths["/list"]).toMatchObject({ get: { security: [{ apiKey: [] }] } });
  });
});
