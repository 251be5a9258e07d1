import type { Fleet } from "./fleet.ts";

/** Whether the replica that the image's starts come to, if there is room, has the image now. */
export function homeHas(fleet: Fleet, image: string): boolean {
  const home = fleet.home(image);
  return home !== undefined && fleet.holding(home.id, image) === "image";
}
