import { appendFile, mkdir, readFile, rm } from "node:fs/promises";
import { dirname } from "node:path";

/** What one build prints: on disk as far as there is room, its last lines in memory. */
export interface BuildLog {
  write(text: string): void;
  /** The last lines, at most 40 of them and 4000 characters. */
  tail(): string;
  /** All that is kept; its last lines where it `isCut`: less than was printed, by this log or by BuildKit. */
  read(): Promise<{ text: string; isCut: boolean }>;
  /** What it takes on disk. */
  bytes(): number;
  /** Gives its place on disk up: the tail is what can be read from now on. */
  shrink(): Promise<void>;
  remove(): Promise<void>;
}

const TAIL_LINES = 40;
const TAIL_CHARACTERS = 4000;
const CUT = "\n… more was printed than is kept\n";
/** What BuildKit says where it leaves out what a step prints: too much, or too fast. A step that says so itself does no harm. */
const CLIPPED = /^\[output clipped, log limit \S+ reached\]$/m;
const SHRUNK = "… only the end is kept, as newer logs needed the room\n";

/** `maxBytes` is what is kept on disk; what comes later is in the tail only. A disk that is full costs the log, not the build. */
export function createBuildLog({ path, maxBytes }: { path: string; maxBytes: number }): BuildLog {
  let bytes = 0;
  let isCut = false;
  let isShrunk = false;
  let isClipped = false;
  /** What could not be written is in the tail only, if at all. */
  let isBroken = false;
  let end = "";
  /** Of what came after the cut. */
  let endAfterCut = "";
  /** One write after the other, in order. */
  let writing: Promise<unknown> = mkdir(dirname(path), { recursive: true, mode: 0o700 }).catch(
    () => {
      isCut = isBroken = true;
    },
  );
  let waitingText = "";

  function flush(): void {
    writing = writing
      .then(async () => {
        const text = waitingText;
        waitingText = "";
        if (text !== "") await appendFile(path, text, { mode: 0o600 });
      })
      .catch(() => {
        isCut = isBroken = true;
      });
  }

  const tail = (): string => lastLines(end);

  async function remove(): Promise<void> {
    await writing;
    await rm(path, { force: true });
  }

  return {
    write(text) {
      end = (end + text).slice(-2 * TAIL_CHARACTERS);
      isClipped ||= CLIPPED.test(text);
      const wasCut = isCut;
      if (!wasCut) bytes += Buffer.byteLength(text);
      isCut ||= bytes > maxBytes;
      if (isCut) endAfterCut = (endAfterCut + text).slice(-2 * TAIL_CHARACTERS);
      if (wasCut) return;
      if (waitingText === "") flush();
      waitingText += isCut ? CUT : text;
    },
    tail,
    async read() {
      await writing;
      // No file: nothing was printed, or it has just gone.
      const text = await readFile(path, "utf8").catch(() => "");
      if (isShrunk && text === "") return { text: `${SHRUNK}${tail()}\n`, isCut };
      if (isBroken) return { text: `${text}${CUT}${tail()}\n`, isCut };
      const rest = endAfterCut === "" ? "" : `${lastLines(endAfterCut)}\n`;
      return { text: text + rest, isCut: isCut || isClipped };
    },
    bytes: () => (isShrunk ? 0 : Math.min(bytes, maxBytes)),
    async shrink() {
      isCut = true;
      isShrunk = true;
      await remove();
    },
    remove,
  };
}

function lastLines(text: string): string {
  return text.trimEnd().split("\n").slice(-TAIL_LINES).join("\n").slice(-TAIL_CHARACTERS);
}
