import { replicaPrefetchRoutes } from "./prefetch-route.ts";
import { routes } from "./route.ts";

/** Every endpoint of a replica: the control plane, and what only gateways ask. */
export const replicaRoutes = { ...routes, ...replicaPrefetchRoutes };
export type ReplicaRoutes = typeof replicaRoutes;
