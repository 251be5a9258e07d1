import type { z } from "zod";

/**
 * One endpoint. `/sessions/batch` stands before `/sessions/:session_id`: the first match wins. `params` reads the named
 * parts of the path as strings; `query` reads a list of values for each name, as a name can be repeated (`single` and
 * `many` take it apart).
 */
export type Route = {
  /** One sentence for the API's documentation. */
  summary?: string;
  method: "GET" | "POST";
  path: string;
  status: 200 | 201 | 202;
  auth: boolean;
  params: z.ZodType;
  query: z.ZodType;
  body: z.ZodType;
  /** Of an upload, which may be larger than memory: what its form holds. The handler reads it from the request itself. */
  form?: z.ZodType;
  output: z.ZodType;
};

/** What a handler is given, parsed. */
export type RouteInput<R extends Route> = {
  params: z.output<R["params"]>;
  query: z.output<R["query"]>;
  body: z.output<R["body"]>;
};
export type RouteOutput<R extends Route> = z.input<R["output"]>;
