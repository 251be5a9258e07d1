import { z } from "zod";
import type { Api } from "../support/api.ts";
import { call } from "../support/call.ts";
import { until } from "../support/until.ts";
import type { WireRuntime } from "../support/wire-runtime.ts";
import type { ComposeProject, ReplicaContainer } from "./compose-project.ts";
import { askHomes, countsOf, type ImageHomes } from "./image-homes.ts";

/** More than three heartbeats of a replica, and what a gateway takes to see it. */
export const LEAVE_MS = 20_000;

const Loads = z.object({ replicas: z.array(z.object({ load: z.number() })) });

/** The replicas as a client finds them behind the gateway. */
export interface RingView {
  homes(): Promise<ImageHomes>;
  /** The same once the gateway knows that nothing runs: what is loaded has less room for images that are at home there. */
  idleHomes(): Promise<ImageHomes>;
  /** Waits until the images lead to exactly these replicas. */
  allLead(replicas: readonly ReplicaContainer[]): Promise<ImageHomes>;
  /** The container of the runtime's replica, told by the runtime's events. */
  homeOf(runtime: WireRuntime): Promise<ReplicaContainer>;
  /** The runtime, once it is ready. Throws unless its URL works. */
  answering(id: string): Promise<WireRuntime>;
}

export function createRingView(
  project: ComposeProject,
  api: Api,
  images: readonly string[],
): RingView {
  const homes = (): Promise<ImageHomes> => askHomes(api, images);
  return {
    homes,
    async idleHomes() {
      const loads = async () => Loads.parse((await api.get("/replicas")).json()).replicas;
      await until(loads, (seen) => seen.every(({ load }) => load === 0), {
        deadlineMs: LEAVE_MS,
        what: "replicas without load",
      });
      return homes();
    },
    allLead(replicas) {
      const wanted = replicas
        .map(({ url }) => url)
        .toSorted()
        .join(" ");
      const leadThere = (seen: ImageHomes) =>
        [...countsOf(seen).keys()].toSorted().join(" ") === wanted;
      return until(homes, leadThere, { deadlineMs: LEAVE_MS, what: `images leading to ${wanted}` });
    },
    async homeOf({ events }) {
      const placed = events.map(({ message }) => /placed on replica (\S+)/.exec(message)?.[1]);
      const replica = (await project.replicas()).find(({ replicaId }) =>
        placed.includes(replicaId),
      );
      if (!replica) throw new Error(`no replica has ${JSON.stringify(events)}`);
      return replica;
    },
    async answering(id) {
      const runtime = await api.untilReady(await api.runtime(id));
      const { status } = await call(`${runtime.url}/alive`);
      if (status !== 200) throw new Error(`${runtime.url} answers ${status}`);
      return runtime;
    },
  };
}
