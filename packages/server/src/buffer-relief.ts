import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/** Keeps dead buffers from piling up while large bodies pass through. */
export interface BufferRelief {
  /** To be called before the bytes come; the function that it answers, once, when they have passed. */
  hold(): () => void;
}

const LOOK_EVERY_MS = 10;
const MOST_DEAD_BYTES = 4 * 1024 * 1024;

/**
 * Each chunk that Node reads is a buffer outside of V8's heap, and V8 looks for dead ones only when there are 64 MiB of
 * them: by that much a server would grow with its first upload, for good. So while one is held the young ones are collected
 * every 4 MiB, which takes about a millisecond.
 */
export function createBufferRelief(): BufferRelief {
  let holders = 0;
  let timer: NodeJS.Timeout | undefined;
  let liveBytes = 0;

  function look(): void {
    const bytes = usedBytes();
    liveBytes = Math.min(liveBytes, bytes);
    if (bytes - liveBytes < MOST_DEAD_BYTES) return;
    collectYoung();
    liveBytes = usedBytes();
  }

  return {
    hold() {
      holders += 1;
      if (!timer) {
        liveBytes = usedBytes();
        timer = setInterval(look, LOOK_EVERY_MS);
        timer.unref();
      }
      let isHeld = true;
      return () => {
        if (!isHeld) return;
        isHeld = false;
        holders -= 1;
        if (holders > 0) return;
        clearInterval(timer);
        timer = undefined;
      };
    },
  };
}

/** The text of an archive is in the heap before it is decoded, and V8 would let 32 MiB of that come together. */
function usedBytes(): number {
  const { arrayBuffers, heapUsed } = process.memoryUsage();
  return arrayBuffers + heapUsed;
}

/** V8 gives its `gc` only to contexts that are made while this flag is set. */
function collectYoung(): void {
  gc ??= exposed();
  gc({ type: "minor" });
}

type Collect = (options: { type: "minor" }) => void;
let gc: Collect | undefined;

function exposed(): Collect {
  setFlagsFromString("--expose-gc");
  try {
    const found: unknown = runInNewContext("globalThis.gc");
    // An engine without it is none the worse, but for its memory.
    return typeof found === "function" ? (found as Collect) : () => undefined;
  } finally {
    setFlagsFromString("--no-expose-gc");
  }
}
