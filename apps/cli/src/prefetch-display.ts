import type { PrefetchShare } from "@remote-runtime/protocol";
import { SingleBar } from "cli-progress";
import { PULL_BACK_OFF } from "@remote-runtime/image";
import { formatBytes } from "./bytes.ts";
import { formatDuration } from "./duration.ts";
import { printable, printLine } from "./print.ts";
import { overIn, paceOf, tallyOf, type PrefetchTally } from "./prefetch-tally.ts";
import type { Terminal } from "./terminal.ts";

/** Where nobody watches a bar, a line now and then. */
const LINE_EVERY_MS = 10_000;
/** A registry that is away is said that often. */
const TROUBLE_EVERY_MS = 60_000;

/** How far a prefetch is, on stderr: a bar on a terminal, elsewhere a line every ten seconds. */
export interface PrefetchDisplay {
  show(shares: readonly PrefetchShare[]): void;
  /** A line of its own, the bar being there again after it. */
  say(text: string): void;
  end(): void;
}

export function createPrefetchDisplay({ stderr, now }: Terminal): PrefetchDisplay {
  let bar: SingleBar | undefined;
  let first: { tally: PrefetchTally; at: number } | undefined;
  let saidAt = now();
  let troubleAt = Number.NEGATIVE_INFINITY;

  function words(tally: PrefetchTally): string[] {
    first ??= { tally, at: now() };
    const pace = paceOf(first.tally, tally, (now() - first.at) / 1000);
    const { failed, arrivedBytes } = tally;
    return [
      formatBytes(arrivedBytes),
      ...(pace.bytesPerSecond > 0 ? [`${formatBytes(pace.bytesPerSecond)}/s`] : []),
      ...(failed > 0 ? [`${failed} failed`] : []),
      ...(pace.secondsLeft === undefined ? [] : [`ETA ${formatDuration(pace.secondsLeft)}`]),
    ];
  }

  function showBar(tally: PrefetchTally): void {
    const payload = { words: words(tally).join(", ") };
    if (!bar) {
      bar = new SingleBar({
        stream: stderr,
        format: "{bar} {value}/{total} images, {words}",
        barCompleteChar: "\u2588",
        barIncompleteChar: "\u2591",
        barsize: 20,
        fps: 5,
        hideCursor: true,
        clearOnComplete: true,
        linewrap: true,
        gracefulExit: false,
      });
      bar.start(tally.images, overIn(tally), payload);
    }
    bar.setTotal(tally.images);
    bar.update(overIn(tally), payload);
  }

  function end(): void {
    bar?.stop();
    bar = undefined;
  }

  function say(text: string): void {
    end();
    printLine(stderr, text);
  }

  /** Tries take half a minute: why nothing seems to happen is not to be a riddle. */
  function tellTrouble(shares: readonly PrefetchShare[]): void {
    if (now() - troubleAt < TROUBLE_EVERY_MS) return;
    for (const { replica_id: id, pulls } of shares) {
      const pull = pulls.find(({ progress }) => progress.startsWith(PULL_BACK_OFF));
      if (!pull) continue;
      troubleAt = now();
      return say(`${printable(pull.image)} on ${printable(id)}: ${printable(pull.progress)}`);
    }
  }

  return {
    show(shares) {
      tellTrouble(shares);
      const tally = tallyOf(shares);
      if (stderr.isTTY) return showBar(tally);
      const text = words(tally);
      if (now() - saidAt < LINE_EVERY_MS) return;
      saidAt = now();
      printLine(stderr, [`${overIn(tally)} of ${tally.images} images`, ...text].join(", "));
    },
    say,
    end,
  };
}
