/** How starts are given replicas: as the gateway does it, or in one of the simpler ways that it is measured against. */
export const POLICIES = ["grouped", "ring", "modulo", "least-loaded", "random"] as const;
export type Policy = (typeof POLICIES)[number];

/**
 * `join` and `leave` happen before the step, `die` in its middle: what runs there is started again elsewhere. A replica that
 * joins has an empty disk, one that left or died and joins again too.
 */
export type Churn = {
  /** Counts from 0. */
  step: number;
  kind: "join" | "leave" | "die";
  replicaId: string;
};

/** A training run: steps of `imagesPerStep` × `groupSize` rollouts; a step begins when the one before has ended. */
export type Scenario = {
  /** Canonical references, each once. */
  images: readonly string[];
  /** Bytes of each image, in the same order. */
  imageBytes: readonly number[];
  /** Rollouts of one image in a step. */
  groupSize: number;
  imagesPerStep: number;
  steps: number;
  /** Those at the beginning; weights are capacities, relative to each other. */
  replicas: readonly { id: string; weight: number }[];
  churn: readonly Churn[];
  /** Of those at the beginning; those that join have it. */
  meanWeight: number;
  /** What a replica of mean weight pulls, one image after the other; others in proportion to their weight. */
  pullBytesPerSecond: number;
  /** Of a replica of mean weight; others in proportion. The images that fill it are given up in the order of real replicas' disks. */
  diskBytes: number;
  /** Runtimes that run at once on a replica of weight 1; the others wait there. */
  slots: number;
  /** Rollouts that the trainer has in flight at most. */
  concurrency: number;
  /** `all-at-once`: a step's rollouts arrive shuffled. `by-image`: group after group. */
  arrival: "all-at-once" | "by-image";
  /** How fast the trainer sends those that it may have in flight. */
  startsPerSecond: number;
  /** Gateways that the starts are spread over at random. */
  gateways: number;
  /** How long the word of a gateway or a replica is on its way to a gateway. */
  delaySeconds: number;
  /** How long a rollout runs: log-normal. */
  durationSeconds: { median: number; sigma: number };
  seed: number;
};

/** Everything has a default but the images; see `scenarioOf`. */
export type ScenarioOptions = {
  images: readonly string[];
  /** Default 16. */
  groupSize?: number | undefined;
  /** Default 64, or all if there are fewer. */
  imagesPerStep?: number | undefined;
  /** Default 200. */
  steps?: number | undefined;
  /** A number of equal ones, or each. Default 8. */
  replicas?: number | readonly { id: string; weight: number }[] | undefined;
  /** Default none. */
  churn?: readonly Churn[] | undefined;
  /** Default 100 MB/s. */
  pullBytesPerSecond?: number | undefined;
  /** Log-normal, drawn for each image from `seed`. Default median 3 GB, sigma 0.4. */
  imageSize?: { medianBytes: number; sigma: number } | undefined;
  /** Default: all disks together hold half of all images. */
  diskBytes?: number | undefined;
  /** Default: a step's rollouts over all replicas, and a quarter more. */
  slots?: number | undefined;
  /** Default: a whole step. */
  concurrency?: number | undefined;
  /** Default `all-at-once`. */
  arrival?: Scenario["arrival"] | undefined;
  /** Default 500. */
  startsPerSecond?: number | undefined;
  /** Default 1. */
  gateways?: number | undefined;
  /** Default 2 ms. */
  delaySeconds?: number | undefined;
  /** Default median 120 s, sigma 0.4. */
  durationSeconds?: Scenario["durationSeconds"] | undefined;
  /** Default 1. The same seed gives the same result, on every machine. */
  seed?: number | undefined;
};
