import type { Holding } from "@remote-runtime/placement";
import type { Agenda } from "./agenda.ts";

export type RouterMember = { id: string; weight: number };

/** What a policy may look at. */
export type Surroundings = {
  seed: number;
  load: (replicaId: string) => number;
  holding: (replicaId: string, image: string) => Holding;
  agenda: Pick<Agenda, "now" | "putAside">;
  gateways: number;
  delaySeconds: number;
};

/** One policy: gives each start a replica. */
export interface Router {
  /** Replicas came or went. At least one is left. */
  setMembers(members: readonly RouterMember[]): void;
  /** Told of each change; `Surroundings` say the same. */
  setLoad(replicaId: string, load: number): void;
  route(image: string): string;
  /** Where the image belongs; `undefined` for policies that know no homes. */
  home(image: string): string | undefined;
}
