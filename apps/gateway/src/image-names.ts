/** Of each name in one array, side by side: where it stands in its text, and how many have taken it. */
const NUMBERS = 4;
const [START, LENGTH, HASH, USES] = [0, 1, 2, 3];
const FIRST_NAMES = 1024;

/**
 * Numbers for names of images, a name that many replicas hold being kept once. A gateway knows half a million: as strings in
 * a Map they would be what the garbage collector mostly copies and looks through, in pauses that requests wait for. Here they
 * are parts of a few thousand texts, found by a table of numbers (open addressing, linear probing).
 */
export class ImageNames {
  /** By number: the text that the name is a part of. Names that came together share one. */
  readonly #texts: string[] = [];
  /** Numbers of names that nobody has any more. */
  readonly #free: number[] = [];
  #numbers = new Uint32Array(FIRST_NAMES * NUMBERS);
  /** A name's number plus one, at the place that its hash names or as near after it as was free. */
  #slots = new Uint32Array(FIRST_NAMES * 2);
  #lastName = "";
  #lastHash = hashOf("");

  /** Of the names that are taken. */
  get size(): number {
    return this.#texts.length - this.#free.length;
  }

  idOf(name: string): number | undefined {
    const hash = this.#hashOf(name);
    for (let slot = this.#home(hash); ; slot = this.#after(slot)) {
      const id = (this.#slots[slot] ?? 0) - 1;
      if (id < 0) return undefined;
      if (this.#is(id, name, hash)) return id;
    }
  }

  nameOf(id: number): string {
    const start = this.#number(id, START);
    return (this.#texts[id] ?? "").slice(start, start + this.#number(id, LENGTH));
  }

  /** The numbers of these names, in their order, each of which is to be given back. */
  take(names: readonly string[]): number[] {
    const unknown = names.filter((name) => this.idOf(name) === undefined);
    const text = unknown.join("");
    let start = 0;
    for (const name of unknown) {
      // One name can be among them twice.
      if (this.idOf(name) === undefined) this.#add(name, text, start);
      start += name.length;
    }
    return names.map((name) => {
      const id = this.idOf(name) ?? 0;
      this.#setNumber(id, USES, this.#number(id, USES) + 1);
      return id;
    });
  }

  release(id: number): void {
    const uses = this.#number(id, USES) - 1;
    this.#setNumber(id, USES, uses);
    if (uses > 0) return;
    this.#unlink(id);
    this.#texts[id] = "";
    this.#free.push(id);
  }

  #add(name: string, text: string, start: number): void {
    const id = this.#free.pop() ?? this.#texts.length;
    this.#texts[id] = text;
    if (this.#numbers.length < this.#texts.length * NUMBERS) this.#growNumbers();
    this.#setNumber(id, START, start);
    this.#setNumber(id, LENGTH, name.length);
    this.#setNumber(id, HASH, this.#hashOf(name));
    this.#setNumber(id, USES, 0);
    if (this.#slots.length < this.size * 2) this.#growSlots();
    else this.#link(id);
  }

  #link(id: number): void {
    let slot = this.#home(this.#number(id, HASH));
    while (this.#slots[slot]) slot = this.#after(slot);
    this.#slots[slot] = id + 1;
  }

  /** Those behind it move up, so that none is cut off from the place that its hash names. */
  #unlink(id: number): void {
    let hole = this.#home(this.#number(id, HASH));
    while (this.#slots[hole] !== id + 1) hole = this.#after(hole);
    for (let slot = this.#after(hole); ; slot = this.#after(slot)) {
      const other = this.#slots[slot] ?? 0;
      if (other === 0) break;
      const home = this.#home(this.#number(other - 1, HASH));
      if (this.#distance(home, slot) < this.#distance(hole, slot)) continue;
      this.#slots[hole] = other;
      hole = slot;
    }
    this.#slots[hole] = 0;
  }

  #is(id: number, name: string, hash: number): boolean {
    return (
      this.#number(id, HASH) === hash &&
      this.#number(id, LENGTH) === name.length &&
      (this.#texts[id] ?? "").startsWith(name, this.#number(id, START))
    );
  }

  /** One name is looked up at one replica after another. */
  #hashOf(name: string): number {
    if (this.#lastName !== name) {
      this.#lastName = name;
      this.#lastHash = hashOf(name);
    }
    return this.#lastHash;
  }

  #number(id: number, which: number): number {
    return this.#numbers[id * NUMBERS + which] ?? 0;
  }

  #setNumber(id: number, which: number, value: number): void {
    this.#numbers[id * NUMBERS + which] = value;
  }

  // The number of slots is a power of two.
  #home(hash: number): number {
    return hash & (this.#slots.length - 1);
  }

  #after(slot: number): number {
    return (slot + 1) & (this.#slots.length - 1);
  }

  #distance(from: number, to: number): number {
    return (to - from) & (this.#slots.length - 1);
  }

  #growNumbers(): void {
    const larger = new Uint32Array(2 * this.#numbers.length);
    larger.set(this.#numbers);
    this.#numbers = larger;
  }

  #growSlots(): void {
    this.#slots = new Uint32Array(2 * this.#slots.length);
    const free = new Set(this.#free);
    for (const id of this.#texts.keys()) if (!free.has(id)) this.#link(id);
  }
}

/** FNV-1a over the UTF-16 codes, its upper bits mixed into the lower ones, which are those that count. */
function hashOf(name: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < name.length; i += 1) {
    hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193);
  }
  return (hash ^ (hash >>> 15)) >>> 0;
}
