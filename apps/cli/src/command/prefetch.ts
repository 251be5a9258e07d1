import { prefetchIdOf, type PrefetchShare } from "@remote-runtime/protocol";
import type { Command } from "commander";
import { buildImages, type BuildOutcome, type BuildWanted } from "../build-images.ts";
import { openContexts } from "../context-files.ts";
import { ExitError, exitCodes } from "../exit-error.ts";
import { followPrefetch, givePrefetch, type PrefetchWanted } from "../follow-prefetch.ts";
import { readImageLines } from "../image-list.ts";
import { imagePattern, patternHelp, type ImagePattern } from "../image-pattern.ts";
import { jsonOption, type JsonOption } from "../json-option.ts";
import { nameArgument } from "../name-argument.ts";
import { numberOption } from "../number-option.ts";
import { createProgressLine } from "../progress-line.ts";
import { pinImages } from "../pin-images.ts";
import { plural } from "../plural.ts";
import { createPrefetchDisplay, type PrefetchDisplay } from "../prefetch-display.ts";
import { askPrefetchPlan, printPrefetchPlan } from "../prefetch-plan.ts";
import {
  assertPrefetched,
  prefetchDocument,
  printPrefetchResult,
  type PrefetchResult,
} from "../prefetch-result.ts";
import { tallyOf } from "../prefetch-tally.ts";
import { printable, printJson, printLine } from "../print.ts";
import { wantedBuilds } from "../wanted-builds.ts";
import { connect, type ServerOptions } from "../server-option.ts";
import type { Terminal } from "../terminal.ts";

const MOST_COPIES = 100;

type PrefetchOptions = JsonOption & {
  copies: number;
  pattern?: ImagePattern;
  plan?: boolean;
  pin?: boolean;
  build?: string;
  detach?: boolean;
  patience: number;
};
type Connection = Awaited<ReturnType<typeof connect>>;
type Wanted = { lines: ReadonlyMap<string, string>; options: PrefetchOptions };

const NOTES = `
FILE has an image on each line; what follows a # does not count. Each goes to the replica that starts of it go to, where the
engine lacks it, in the background of the starts there. The servers keep track of it, so it goes on without this command:

  Ctrl-C     takes back what has not begun; what is being pulled or built goes on to its end, and what is pinned stays so
  --detach   ends this command and leaves the prefetch running
  again      the same command, with the same images and --copies, goes on where it was, watches what is under way, and tries
             what has failed; nothing that is there is pulled twice

--build takes a folder that has, for each image to build, a folder with a Dockerfile or a .tar.gz of one. It has the name of
the line in FILE, or that of the last part of the image, with _TAG behind it unless the tag is latest. Such an image is built
if neither a replica nor its registry has it, and then brought to where it belongs as the others are. A .tar or .tar.gz of
that folder does as well; and where FILE has one image, a folder with its Dockerfile, or an archive of that.

--plan asks registries for the sizes of what no engine holds: compressed, each shared layer once. Docker Hub counts such a question
as a pull, so half of its limit is left alone. It takes a minute at most; the same command goes on where it was.

A replica whose disk has no room for an image beside what the prefetch has brought stops there: the rest of its part fails
with disk_full. One that does not answer for --patience seconds is not waited for any more, and its images have failed.

If some fail the others go on, and the exit code is 1. --json has {prefetch_id, images, held, pulled, failed, cancelled,
pulled_bytes, seconds, built, pinned, failures: [{image, replica_id, error}], replicas: [...]}, with --plan {replicas: [...]}.

Examples:
  remote-runtime prefetch images.txt --plan
  remote-runtime prefetch images.txt --copies 2 --pin
  jq -r '.[].instance_id' verified.json | remote-runtime prefetch - --pattern swebench --detach
  remote-runtime prefetch ids.txt --pattern registry.example.com/eval.{id_1776}:v2 --build contexts/`;

/** `prefetch`: brings a list of images to where they belong. */
export function addPrefetch(program: Command, terminal: Terminal): void {
  program
    .command("prefetch")
    .description("bring images to the replicas that will start them")
    .argument("<file>", "a list of images; - reads from stdin", nameArgument)
    .option(
      "--copies <n>",
      "on so many engines each",
      numberOption({ min: 1, max: MOST_COPIES, whole: true }),
      1,
    )
    .option("--pattern <pattern>", patternHelp, imagePattern)
    .option("--plan", "only say what would be pulled where, and whether it fits")
    .option("--pin", "never remove these images to make room, until `unpin`")
    .option("--build <path>", "build what is nowhere and has its files there, in a folder or a tar")
    .option("--detach", "do not wait for it")
    .option(
      "--patience <seconds>",
      "a replica that takes no part for so long has failed",
      numberOption({ min: 1, max: 86_400 }),
      120,
    )
    .option(...jsonOption)
    .addHelpText("after", NOTES)
    .action(async (file: string, options: PrefetchOptions, command: Command) => {
      if (options.plan && (options.detach || options.pin || options.build !== undefined)) {
        const problem =
          "--plan changes nothing, so it goes with none of --detach, --pin and --build";
        throw new ExitError(exitCodes.usage, problem);
      }
      const connection = await connect(command.optsWithGlobals<ServerOptions>(), terminal);
      const wanted = { lines: await readImageLines(file, terminal, options.pattern), options };
      if (options.plan) await plan(wanted, connection, terminal);
      else await prefetch(wanted, connection, terminal);
    });
}

async function plan({ lines, options }: Wanted, { client }: Connection, terminal: Terminal) {
  const wanted = { images: [...lines.keys()], copies: options.copies };
  const { stderr } = terminal;
  const line = createProgressLine(stderr);
  const onAsking = (images: number): void => {
    const text = `asking registries for sizes, ${images} to go`;
    if (stderr.isTTY) line.show(text);
    else if (images > 0) printLine(stderr, text);
  };
  const replicas = await askPrefetchPlan(wanted, { client, terminal, onAsking }).finally(
    line.clear,
  );
  if (options.json) printJson(terminal.stdout, { replicas });
  else printPrefetchPlan(terminal.stdout, replicas, wanted);
}

async function prefetch(wanted: Wanted, connection: Connection, terminal: Terminal): Promise<void> {
  const { lines, options } = wanted;
  // What is wrong with the files is found before anything is changed.
  await using contexts = await contextsOf(wanted, terminal);
  if (!options.pin) return bring(wanted, { contexts }, connection, terminal);
  const { signal } = terminal;
  try {
    const pinned = await pinImages("pin", [...lines.keys()], { client: connection.client, signal });
    await bring(wanted, { contexts, pinned }, connection, terminal);
  } catch (error) {
    if (!signal.aborted) throw error;
    const done = error instanceof ExitError ? `${error.message}; ` : "";
    const text = `${done}what was pinned stays so, \`unpin\` takes that back`;
    throw new ExitError(exitCodes.interrupted, text, { cause: error });
  }
}

async function bring(
  { lines, options }: Wanted,
  { contexts, pinned }: { contexts: WantedContexts; pinned?: number },
  connection: Connection,
  terminal: Terminal,
): Promise<void> {
  const { now } = terminal;
  const startedAt = now();
  const { copies } = options;
  const builds = await build(contexts.wanted, connection, terminal);
  // Pulls may take hours.
  await contexts[Symbol.asyncDispose]();
  const missing = new Set(builds.flatMap(({ kind, image }) => (kind === "failed" ? [image] : [])));
  const images = [...lines.keys()].filter((image) => !missing.has(image));
  const list = { id: prefetchIdOf(images, copies), images, copies };
  const shares = options.detach
    ? await leave(list, connection, terminal)
    : await watch(list, options.patience * 1000, connection, terminal);
  const seconds = Math.round((now() - startedAt) / 100) / 10;
  const result: PrefetchResult = { id: list.id, copies, seconds, shares, builds, pinned };
  if (options.json) printJson(terminal.stdout, prefetchDocument(result));
  else if (options.detach) printDetached(result, terminal);
  else printPrefetchResult(terminal, result);
  assertPrefetched(result);
}

/** What is to be built, whose files go with it. */
type WantedContexts = AsyncDisposable & { wanted: readonly BuildWanted[] };

async function contextsOf(
  { lines, options }: Wanted,
  { signal }: Terminal,
): Promise<WantedContexts> {
  if (options.build === undefined) {
    return { wanted: [], [Symbol.asyncDispose]: async () => undefined };
  }
  await using opened = new AsyncDisposableStack();
  const contexts = opened.use(await openContexts(options.build, signal));
  const wanted = wantedBuilds(lines, contexts, options.build);
  const kept = opened.move();
  return { wanted, [Symbol.asyncDispose]: () => kept.disposeAsync() };
}

async function build(
  wanted: readonly BuildWanted[],
  { client, url, apiKey }: Connection,
  terminal: Terminal,
): Promise<BuildOutcome[]> {
  let over = 0;
  return buildImages(wanted, {
    client,
    url,
    apiKey,
    terminal,
    onOutcome({ kind, image }) {
      over += 1;
      const words = kind === "held" ? "is there" : kind;
      printLine(
        terminal.stderr,
        `${over} of ${wanted.length} builds: ${printable(image)} ${words}`,
      );
    },
  });
}

async function watch(
  list: PrefetchWanted,
  patienceMs: number,
  { client }: Connection,
  terminal: Terminal,
): Promise<PrefetchShare[]> {
  if (list.images.length === 0) return [];
  const display: PrefetchDisplay = createPrefetchDisplay(terminal);
  try {
    return await followPrefetch(list, {
      client,
      patienceMs,
      terminal,
      onShares: display.show,
      say: display.say,
    });
  } finally {
    display.end();
  }
}

async function leave(
  list: PrefetchWanted,
  { client }: Connection,
  { signal }: Terminal,
): Promise<PrefetchShare[]> {
  if (list.images.length === 0) return [];
  const shares = await givePrefetch(list, { client, signal, anew: true });
  const [missed] = shares.filter(({ state }) => state !== "working");
  if (missed === undefined) return shares;
  const text = `${missed.replica_id} did not take its part: ${missed.error}; the same command gives it again`;
  throw new ExitError(exitCodes.failed, text);
}

function printDetached({ id, shares }: PrefetchResult, { stdout }: Terminal): void {
  const { images, held } = tallyOf(shares);
  const there = held === 0 ? "" : `, ${held} of them there`;
  const places = `${plural(images, "image")} on ${plural(shares.length, "replica")}${there}`;
  printLine(stdout, `prefetch ${id} goes on without this command: ${places}`);
  printLine(stdout, "the same command without --detach watches it");
}
