import { z } from "zod";
import type { Route } from "./route-shape.ts";
import { RuntimeObject } from "./runtime-object.ts";
import { StartRequest } from "./start-request.ts";

type JsonObject = { [key: string]: unknown };

/** An OpenAPI 3.1 document, ready for JSON. */
export type OpenApiDocument = {
  openapi: "3.1.0";
  info: { title: string; version: string };
  paths: Record<string, JsonObject>;
  components: { schemas: JsonObject; securitySchemes: JsonObject };
};

const API_KEY = { type: "apiKey", in: "header", name: "X-API-Key" };
const ERROR_SCHEMA = {
  type: "object",
  properties: { detail: { type: "string" }, error: { type: "string" } },
  required: ["detail", "error"],
};

/** Describes a route table: what it says of requests and answers is what the server parses and sends. */
export function openApiDocument(
  routes: Record<string, Route>,
  { version }: { version: string },
): OpenApiDocument {
  // Schemas that the document names once and refers to elsewhere.
  const named = z.registry<{ id: string }>();
  named.add(RuntimeObject, { id: "Runtime" });
  named.add(StartRequest, { id: "StartRequest" });
  const schemas: JsonObject = { Error: ERROR_SCHEMA };

  const schemaOf = (schema: z.ZodType, io: "input" | "output") => {
    const { $defs, ...rest } = z.toJSONSchema(schema, { io, metadata: named });
    delete rest.$schema;
    Object.assign(schemas, $defs);
    return rest;
  };

  const paths: Record<string, JsonObject> = {};
  for (const [name, route] of Object.entries(routes)) {
    const path = route.path.replace(/:(\w+)/g, "{$1}");
    paths[path] = {
      ...paths[path],
      [route.method.toLowerCase()]: operationOf(name, route, schemaOf),
    };
  }
  return withComponentReferences({
    openapi: "3.1.0",
    info: { title: "OpenHands remote runtime", version },
    paths,
    components: { schemas, securitySchemes: { apiKey: API_KEY } },
  });
}

type SchemaOf = (schema: z.ZodType, io: "input" | "output") => z.core.JSONSchema.BaseSchema;

function operationOf(name: string, route: Route, schemaOf: SchemaOf): JsonObject {
  return {
    operationId: name,
    ...(route.summary !== undefined && { summary: route.summary }),
    parameters: [
      // What a handler is given says how a parameter is written: one value or a list.
      ...parametersOf("path", schemaOf(route.params, "output")),
      ...parametersOf("query", schemaOf(route.query, "output")),
    ],
    ...(route.method === "POST" && {
      requestBody: { required: true, content: bodyOf(route, schemaOf) },
    }),
    responses: {
      [route.status]: { description: "Success", content: jsonOf(schemaOf(route.output, "output")) },
      default: {
        description: "An error, with the same text in both fields",
        content: jsonOf({ $ref: "#/$defs/Error" }),
      },
    },
    security: route.auth ? [{ apiKey: [] }] : [],
  };
}

function parametersOf(
  place: "path" | "query",
  { properties = {}, required = [] }: z.core.JSONSchema.BaseSchema,
): JsonObject[] {
  return Object.entries(properties).map(([name, schema]) => {
    const hasDefault = typeof schema === "object" && "default" in schema;
    return { name, in: place, required: required.includes(name) && !hasDefault, schema };
  });
}

function bodyOf({ form, body }: Route, schemaOf: SchemaOf): JsonObject {
  return form
    ? { "multipart/form-data": { schema: schemaOf(form, "input") } }
    : jsonOf(schemaOf(body, "input"));
}

function jsonOf(schema: object): JsonObject {
  return { "application/json": { schema } };
}

/** zod refers to a schema's own `$defs`; here they stand in one place for all. */
function withComponentReferences(document: OpenApiDocument): OpenApiDocument {
  return JSON.parse(JSON.stringify(document).replaceAll('"#/$defs/', '"#/components/schemas/'));
}
