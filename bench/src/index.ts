export type { Fleet } from "./fleet/fleet.ts";
export { imageName } from "./fleet/image-name.ts";
export { spawnFleet } from "./fleet/spawn-fleet.ts";
export { type GatewayProcess, startGatewayProcess } from "./gateway-process.ts";
export { residentBytes } from "./process-usage.ts";
