import { z } from "zod";
import { Images } from "./prefetch-route.ts";
import type { Route } from "./route-shape.ts";

const nothing = z.object({});
const count = z.number().int();
const PinnedImages = z.object({ images: Images });

/** Images that no engine gives up. */
export const pinRoutes = {
  pins: {
    summary: "The images that no engine gives up, with who pinned them and when",
    method: "GET",
    path: "/pins",
    status: 200,
    auth: true,
    params: nothing,
    query: nothing,
    body: nothing,
    output: z.object({
      pins: z.array(z.object({ image: z.string(), pinned_by: z.string(), pinned_at: z.string() })),
    }),
  },
  pin: {
    summary: "Pin images: no engine gives them up until they are unpinned",
    method: "POST",
    path: "/pins",
    status: 200,
    auth: true,
    params: nothing,
    query: nothing,
    body: PinnedImages,
    /** How many are new. */
    output: z.object({ pinned: count }),
  },
  unpin: {
    summary: "Take pins back",
    method: "POST",
    path: "/pins/remove",
    status: 200,
    auth: true,
    params: nothing,
    query: nothing,
    body: PinnedImages,
    /** How many were pinned. */
    output: z.object({ unpinned: count }),
  },
} as const satisfies Record<string, Route>;
