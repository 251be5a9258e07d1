import { SingleBar } from "cli-progress";
import { formatBytes } from "./bytes.ts";
import { formatDuration } from "./duration.ts";
import { printLine } from "./print.ts";
import { overIn, paceOf, type PrefetchTally } from "./prefetch-tally.ts";
import type { Terminal } from "./terminal.ts";

/** Where nobody watches a bar, a line now and then. */
const LINE_EVERY_MS = 10_000;

/** How far a prefetch is, on stderr: a bar on a terminal, elsewhere a line every ten seconds. */
export interface PrefetchDisplay {
  show(tally: PrefetchTally): void;
  /** A line of its own, the bar being there again after it. */
  say(text: string): void;
  end(): void;
}

export function createPrefetchDisplay({ stderr, now }: Terminal): PrefetchDisplay {
  let bar: SingleBar | undefined;
  let first: { tally: PrefetchTally; at: number } | undefined;
  let saidAt = now();

  function words(tally: PrefetchTally): string[] {
    first ??= { tally, at: now() };
    const pace = paceOf(first.tally, tally, (now() - first.at) / 1000);
    const { failed, pulledBytes } = tally;
    return [
      formatBytes(pulledBytes),
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

  return {
    show(tally) {
      if (stderr.isTTY) return showBar(tally);
      const text = words(tally);
      if (now() - saidAt < LINE_EVERY_MS) return;
      saidAt = now();
      printLine(stderr, [`${overIn(tally)} of ${tally.images} images`, ...text].join(", "));
    },
    say(text) {
      end();
      printLine(stderr, text);
    },
    end,
  };
}
