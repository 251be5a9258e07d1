import { hash } from "node:crypto";
import { endianness } from "node:os";

export type RingMember = {
  id: string;
  /** Capacity relative to the other members; twice the weight is home to twice the keys. More than 0. */
  weight: number;
};

export interface Ring {
  /** Of all members, in the order of the alphabet. */
  readonly ids: readonly string[];
  /** The place in `ids` of the key's home, which costs less than all places. -1 without members. */
  home(key: string): number;
  /** The places in `ids` of all members in the key's order of preference, each once: its home first. */
  ranking(key: string): Uint16Array;
  /** The same by id. Empty without members. */
  order(key: string): readonly string[];
}

/** Keys that are kept of those asked last, and up to as many older ones: what one training step works with. */
const KEPT_KEYS = 5000;
/** Where the last 16 of a double's bits are among its quarters. */
const LAST_QUARTER = endianness() === "LE" ? 0 : 3;
const MOST_MEMBERS = 2 ** 16;

/**
 * Spreads keys over up to 65,536 members by weight (weighted rendezvous hashing): each key has an order of its own of all
 * members. One that joins or leaves changes the home of its own share of the keys only, and so does one whose weight changes.
 * The same members, whose ids differ, give the same orders in every process, however they are listed.
 */
export function createRing(members: readonly RingMember[]): Ring {
  if (members.length > MOST_MEMBERS) throw new Error(`a ring has at most ${MOST_MEMBERS} members`);
  const sorted = members.toSorted((a, b) => (a.id < b.id ? -1 : 1));
  const ids = sorted.map(({ id }) => id);
  const draws = createDraws(sorted);
  // Two generations: a Map that loses its oldest entry at each new one is slow to find it.
  let recent = new Map<string, Known>();
  let older: ReadonlyMap<string, Known> = new Map();

  function keep(key: string, known: Known): Known {
    if (recent.size === KEPT_KEYS) [older, recent] = [recent, new Map()];
    recent.set(key, known);
    return known;
  }

  function find(key: string): Known | undefined {
    const known = recent.get(key);
    if (known) return known;
    const former = older.get(key);
    return former && keep(key, former);
  }

  function home(key: string): number {
    const known = find(key) ?? keep(key, { home: draws.first(key), ranking: undefined });
    return known.home;
  }

  function ranking(key: string): Uint16Array {
    const known = find(key);
    if (known?.ranking) return known.ranking;
    const ranked = draws.rank(key);
    if (known) known.ranking = ranked;
    else keep(key, { home: ranked[0] ?? -1, ranking: ranked });
    return ranked;
  }

  return {
    ids,
    home,
    ranking,
    order: (key) => Array.from(ranking(key), (place) => ids[place] ?? ""),
  };
}

/** Of a key that was asked for: all its places only where they were. */
type Known = { readonly home: number; ranking: Uint16Array | undefined };

/**
 * Each member draws the time of its first call from an exponential distribution whose rate is its weight; who calls first is
 * the home. The draw is a hash of key and member, so nobody's depends on who else is there.
 */
function createDraws(members: readonly RingMember[]) {
  const weights = Float64Array.from(members, ({ weight }) => weight);
  const seeds = members.map(({ id }) => seedOf(id));
  const firsts = Uint32Array.from(seeds, ([first]) => first);
  const seconds = Uint32Array.from(seeds, ([, second]) => second);
  // Sorting numbers is several times as fast as comparing members: a time's last bits say whose it is. Times are positive, so
  // that their bits, as whole numbers, are in the same order.
  const times = new Float64Array(members.length);
  const quarters = new Uint16Array(times.buffer);
  const bits = new BigUint64Array(times.buffer);

  function draw(key: string): void {
    const [first, second] = seedOf(key);
    for (let at = 0; at < times.length; at += 1) {
      const drawn = mix(mix(first ^ (firsts[at] ?? 0)) + (second ^ (seconds[at] ?? 0)));
      times[at] = -Math.log((drawn + 0.5) / 2 ** 32) / (weights[at] ?? 0);
      quarters[4 * at + LAST_QUARTER] = at;
    }
  }

  return {
    /** The place of the one that calls first; -1 without members. */
    first(key: string): number {
      draw(key);
      let [place, least] = [-1, Number.POSITIVE_INFINITY];
      for (let at = 0; at < times.length; at += 1) {
        const time = times[at] ?? 0;
        if (time < least) [place, least] = [at, time];
      }
      return place;
    },
    /** The places of all in the order of their calls. */
    rank(key: string): Uint16Array {
      draw(key);
      bits.sort();
      const places = new Uint16Array(times.length);
      for (let nth = 0; nth < places.length; nth += 1) {
        places[nth] = quarters[4 * nth + LAST_QUARTER] ?? 0;
      }
      return places;
    },
  };
}

/** 64 bits of sha256, which unlike md5 is there in FIPS builds. */
function seedOf(text: string): readonly [number, number] {
  // A character for each byte: that costs half of what a buffer does.
  const digest = Buffer.from(hash("sha256", text, "binary"), "latin1");
  return [digest.readUInt32LE(0), digest.readUInt32LE(4)];
}

/** Spreads 32 bits over 32 bits: each bit of the result depends on all (the finalizer of MurmurHash3). */
function mix(word: number): number {
  let mixed = word;
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}
