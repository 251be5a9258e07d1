import { canonicalReference } from "@remote-runtime/image";
import {
  MOST_PREFETCH_FAILURES,
  prefetchIdOf,
  ServiceError,
  type AdminRoutes,
  type CallContext,
  type Handlers,
  type PrefetchProgress,
  type PrefetchShare,
} from "@remote-runtime/protocol";
import type { ReplicaInfo } from "@remote-runtime/registry";
import { assertOperator } from "./assert-operator.ts";
import type { Directory } from "./directory.ts";
import { noReplica } from "./no-replica.ts";
import { prefetchHomes, type PrefetchHomes } from "./prefetch-homes.ts";
import { prefetchPlan, type AskSizes } from "./prefetch-plan.ts";
import type { ReplicaCaller } from "./replica-caller.ts";

export type PrefetchHandlersOptions = {
  directory: Pick<Directory, "snapshot">;
  caller: Pick<ReplicaCaller, "call" | "isSilent">;
  operators: readonly string[] | undefined;
};

type PrefetchHandlers = Pick<
  Handlers<AdminRoutes>,
  "prefetch" | "planPrefetch" | "prefetchProgress" | "cancelPrefetch"
>;

/**
 * Brings lists of images to where the ring has them at home. A gateway keeps nothing of it: each replica knows its own part,
 * under an id that any gateway can ask for.
 */
export function createPrefetchHandlers(options: PrefetchHandlersOptions): PrefetchHandlers {
  const { directory, caller, operators } = options;
  const rights = { operators, what: "prefetch images" };

  function homesOf({
    images,
    copies,
  }: {
    images: readonly string[];
    copies: number;
  }): PrefetchHomes {
    const names = new Set(images.map(canonicalReference));
    const homes = prefetchHomes(directory.snapshot().fleet, names, copies);
    if (homes.size > 0) return homes;
    if (directory.snapshot().replicas.size === 0) throw noReplica();
    throw new ServiceError("unavailable", "all replicas drain; undrain one first");
  }

  /** Asks each of them at once. */
  async function shares(
    replicaIds: Iterable<string>,
    ask: (replica: ReplicaInfo) => Promise<PrefetchProgress>,
    partOf: (replicaId: string) => readonly string[] = () => [],
  ): Promise<PrefetchShare[]> {
    const { replicas } = directory.snapshot();
    const known = [...replicaIds].toSorted().flatMap((id) => replicas.get(id) ?? []);
    return Promise.all(
      known.map(async (replica) => {
        try {
          return { replica_id: replica.id, state: "working", error: "", ...(await ask(replica)) };
        } catch (error) {
          return noShare(replica.id, ServiceError.from(error), partOf(replica.id));
        }
      }),
    );
  }

  function assertHeard(replica: ReplicaInfo): void {
    if (!caller.isSilent(replica)) return;
    throw new ServiceError("unavailable", `replica ${replica.id} has not answered a moment ago`);
  }

  return {
    async prefetch({ body }, context) {
      assertOperator(context, rights);
      const homes = homesOf(body);
      const images = body.images.map(canonicalReference);
      const { prefetch_id = prefetchIdOf(images, body.copies), anew } = body;
      const partOf = (id: string): string[] => [...(homes.get(id) ?? [])];
      const give = (replica: ReplicaInfo): Promise<PrefetchProgress> => {
        const input = { body: { prefetch_id, images: partOf(replica.id), anew } };
        return caller.call({ replica, route: "giveImages", input, context });
      };
      const replicas = await shares(homes.keys(), give, partOf);
      return { prefetch_id, replicas };
    },
    async planPrefetch({ body }, context) {
      const askSizes: AskSizes = (replica, images) => {
        assertHeard(replica);
        const input = { body: { images: [...images] } };
        return caller.call({ replica, route: "imageSizes", input, context });
      };
      return { replicas: await prefetchPlan(homesOf(body), directory.snapshot(), askSizes) };
    },
    prefetchProgress: ({ params }, context) => askAll("givenImages", params, context),
    cancelPrefetch({ params }, context) {
      assertOperator(context, rights);
      return askAll("cancelImages", params, context);
    },
  };

  async function askAll(
    route: "givenImages" | "cancelImages",
    params: { prefetch_id: string },
    context: CallContext,
  ): Promise<{ prefetch_id: string; replicas: PrefetchShare[] }> {
    const replicas = await shares(directory.snapshot().replicas.keys(), async (replica) => {
      assertHeard(replica);
      return caller.call({ replica, route, input: { params }, context });
    });
    return { ...params, replicas };
  }
}

/** `not_found` is the answer of a replica that was never given a part, or is another process since. */
function noShare(
  replica_id: string,
  { code, message }: ServiceError,
  missed: readonly string[],
): PrefetchShare {
  const none = { held: 0, pulled: 0, running: 0, waiting: 0, cancelled: 0 };
  return {
    replica_id,
    state: code === "not_found" ? "unknown" : "silent",
    error: message,
    ...none,
    failed: missed.length,
    pulled_bytes: 0,
    pulls: [],
    failures: missed.slice(0, MOST_PREFETCH_FAILURES).map((image) => ({ image, error: message })),
  };
}
