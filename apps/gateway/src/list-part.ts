import { ServiceError, type RuntimeObject } from "@remote-runtime/protocol";

/** Some runtimes of a list as JSON. */
export type ListPart = {
  /** In their order. */
  ids: readonly string[];
  /** The elements with commas between them and no brackets around, in UTF-8. */
  json: Uint8Array;
};

/** How replicas write the object around their runtimes; its end tells how many they are. */
const HEAD = '{"runtimes":[';
const tailOf = (total: number): string => `],"total":${total}}`;
const encoder = new TextEncoder();
/** What it has read is of the same characters as the bytes: it swallows nothing. */
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

export function listPartOf(runtimes: readonly { runtime_id: string }[]): ListPart {
  return { ids: runtimes.map(({ runtime_id }) => runtime_id), json: elementsOf(runtimes) };
}

/**
 * A replica's answer to `GET /list`, whose runtimes go on as they were written. Throws `bad_gateway` for what is no such
 * answer.
 *
 * It is parsed, which takes a tenth of what the schema takes, but only what the gateway itself relies on is looked at:
 * that it is whole JSON, so that it breaks no other replica's part; that its parts are objects with ids, which are
 * compared; and that there are as many as it says. The fields are the replica's word, for the caller alone.
 */
export function readListPart(bytes: Uint8Array): ListPart {
  const { text, answer } = parsed(bytes);
  const { runtimes, total } = answer;
  if (!Array.isArray(runtimes) || total !== runtimes.length) throw notAList();
  const ids = runtimes.map(idOf);
  const tail = tailOf(total);
  const isUsual = Object.keys(answer).length === 2 && text.startsWith(HEAD) && text.endsWith(tail);
  // Another version may write the object around them in another way.
  return { ids, json: isUsual ? bytes.subarray(HEAD.length, -tail.length) : elementsOf(runtimes) };
}

/** The part without the runtimes that are in `listed` already, which then has the others as well. */
export function takeUnlisted(part: ListPart, listed: Set<string>): ListPart {
  const before = listed.size;
  const isNew = part.ids.map((id) => listed.size < listed.add(id).size);
  if (listed.size === before + part.ids.length) return part;
  // It is being taken over just now, so this is rare.
  const runtimes: unknown[] = JSON.parse(`[${decoder.decode(part.json)}]`);
  return {
    ids: part.ids.filter((_, i) => isNew[i]),
    json: elementsOf(runtimes.filter((_, i) => isNew[i])),
  };
}

function parsed(bytes: Uint8Array): {
  text: string;
  answer: { runtimes?: unknown; total?: unknown };
} {
  let text: string;
  let answer: unknown;
  try {
    text = decoder.decode(bytes);
    answer = JSON.parse(text);
  } catch (error) {
    throw notAList(error);
  }
  if (typeof answer !== "object" || answer === null) throw notAList();
  return { text, answer };
}

function idOf(runtime: unknown): string {
  if (typeof runtime !== "object" || runtime === null) throw notAList();
  const { runtime_id: id }: Partial<RuntimeObject> = runtime;
  if (typeof id !== "string") throw notAList();
  return id;
}

function elementsOf(list: readonly unknown[]): Uint8Array {
  return encoder.encode(JSON.stringify(list).slice(1, -1));
}

function notAList(cause?: unknown): ServiceError {
  return new ServiceError("bad_gateway", "GET /list answered something else than a list", {
    cause,
  });
}
