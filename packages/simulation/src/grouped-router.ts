import { GROUP_MS, TELL_MS } from "@remote-runtime/placement";
import { createRandom } from "./random.ts";
import type { Router, Surroundings } from "./router.ts";
import { createSimulatedGateway, type SimulatedGateway } from "./simulated-gateway.ts";

/** Stream of random numbers: see `createRandom`. */
const GATEWAYS = 5;
/** As replicas do: a change is announced so long after it, with all that changed meanwhile. */
const ANNOUNCE_MS = 200;

type Place = { replicaId: string; expiresAtMs: number };

/** What gateways do, with the same code, and the registry between them. */
export function createGroupedRouter(surroundings: Surroundings): Router {
  const { agenda, delaySeconds, load } = surroundings;
  const random = createRandom(surroundings.seed, GATEWAYS);
  const places = new Map<string, Place>();
  /** Gateways and replicas that will tell in a moment. */
  const telling = new Set<SimulatedGateway | string>();
  const gateways = Array.from({ length: surroundings.gateways }, gatewayOf);

  const nowMs = (): number => 1000 * agenda.now();
  const after = (ms: number, happen: () => void): void =>
    agenda.putAside(agenda.now() + ms / 1000, happen);

  function gatewayOf(): SimulatedGateway {
    const own = createSimulatedGateway({
      surroundings,
      shareGroup(image, replicaId, ttlMs, replacing) {
        const holder = holderOf(image);
        const isFree = holder === undefined || holder === replacing || holder === replicaId;
        if (!isFree) return holder;
        places.set(image, { replicaId, expiresAtMs: nowMs() + ttlMs });
        if (holder !== replicaId) tellOthers(own, (other) => other.hearPlace(image, replicaId));
        return replicaId;
      },
    });
    return own;
  }

  function holderOf(image: string): string | undefined {
    const place = places.get(image);
    return place && nowMs() < place.expiresAtMs ? place.replicaId : undefined;
  }

  function tellOthers(own: SimulatedGateway, tell: (other: SimulatedGateway) => void): void {
    after(1000 * delaySeconds, () => {
      for (const gateway of gateways) if (gateway !== own) tell(gateway);
    });
  }

  /** Tells once of all that happens in that time. */
  function tellAfter(ms: number, who: SimulatedGateway | string, tell: () => void): void {
    if (telling.has(who)) return;
    telling.add(who);
    after(ms, () => {
      telling.delete(who);
      tell();
    });
  }

  function tellStarts(own: SimulatedGateway): void {
    const news = own.news();
    for (const { image } of news) {
      const place = places.get(image);
      if (place && nowMs() < place.expiresAtMs) place.expiresAtMs = nowMs() + GROUP_MS;
    }
    tellOthers(own, (other) => news.forEach(other.hearStarts));
  }

  function announce(replicaId: string): void {
    const now = load(replicaId);
    const sent = gateways.map((gateway) => gateway.sent(replicaId));
    after(1000 * delaySeconds, () => {
      for (const [at, gateway] of gateways.entries()) {
        gateway.hearLoad(replicaId, now, sent[at] ?? 0);
      }
    });
  }

  return {
    setMembers(members) {
      for (const gateway of gateways) gateway.setMembers(members);
    },
    setLoad: (replicaId) => tellAfter(ANNOUNCE_MS, replicaId, () => announce(replicaId)),
    route(image) {
      const gateway = gateways[random.below(gateways.length)];
      if (!gateway) throw new Error("a start came while there was no gateway");
      tellAfter(TELL_MS, gateway, () => tellStarts(gateway));
      return gateway.route(image);
    },
    home: (image) => gateways[0]?.home(image),
  };
}
