import type { Policy, Scenario } from "@remote-runtime/simulation";
import type { Command } from "commander";
import { churnOption } from "../churn-option.ts";
import { ExitError, exitCodes } from "../exit-error.ts";
import { readImageList } from "../image-list.ts";
import { jsonOption, type JsonOption } from "../json-option.ts";
import { numberOption } from "../number-option.ts";
import { checkOutputFiles, type OutputFile, writeOutputFile } from "../output-file.ts";
import { plural } from "../plural.ts";
import { printJson, printLine } from "../print.ts";
import { replicasOption } from "../replicas-option.ts";
import { runSimulation, type SimulationReport } from "../run-simulation.ts";
import { printTable } from "../table.ts";
import type { Terminal } from "../terminal.ts";

const MEGABYTE = 1e6;
const GIGABYTE = 1e9;

/** What a machine of usual size has memory and an afternoon for. */
const MOST_STARTS_OF_IMAGE = 10_000;
const MOST_STEPS = 1_000_000;
const MOST_GATEWAYS = 100;

type SimulateOptions = JsonOption & {
  replicas?: ReturnType<typeof replicasOption>;
  groupSize?: number;
  imagesPerStep?: number;
  steps?: number;
  pullSpeed?: number;
  disk?: number;
  churn?: ReturnType<typeof churnOption>;
  gateways?: number;
  gatewayDelay?: number;
  startRate?: number;
  seed?: number;
  policies?: string;
  jsonFile?: string;
  svg?: string;
};

const NOTES = `
Gateways tell each other where groups go at once, and how many starts they have placed every 50 ms; replicas announce
their load every 200 ms. Replicas are named replica-1, replica-2 and so on. The same seed gives the same result. At most 1,000 replicas.

Columns, a row for each policy (grouped is what gateways do):
  starts with image  starts that found their image on the replica and waited for no pull
  cold pulls         pulls of all replicas; "again": those of an image that some replica had pulled before
  pulled             bytes of all pulls
  hottest ÷ mean     starts on the busiest replica for its weight ÷ the mean: 1 is even; mean of the steps
  worst step         the same, of the step that is most uneven
  replicas per ...   replicas that the starts of one image go to in a step: 1 keeps them together
  groups off home    groups (the starts of one image in a step) of which some went elsewhere than to the image's home
  pulled there       groups for which an image was pulled off its home
  wall time          from the first start to the last end
The last row is the least share of groups off home that keeps every replica within 1.25 times its share. Limits are
rounded to whole groups, so with few images or many replicas the policies may seem better than it: then it does not
apply, and a – stands there. A – elsewhere: the policy knows no homes.

Examples:
  remote-runtime simulate images.txt --replicas 16 --svg simulation.svg
  remote-runtime runtimes --json | jq -r '.runtimes[].image' | remote-runtime simulate - --steps 20
  remote-runtime simulate images.txt --churn 50:die:replica-3,100:join:replica-9 --json`;

/** `simulate`: what placement would do with a list of images and a number of replicas. Needs no server. */
export function addSimulate(program: Command, terminal: Terminal): void {
  const whole = numberOption({ min: 1, whole: true });
  const positive = numberOption({ min: 0.001 });
  program
    .command("simulate")
    .description("compare ways to place the starts of a training run; needs no server")
    .argument("<images>", "file with an image on each line, or - for stdin; # begins a comment")
    .option(
      "--replicas <n>",
      "how many, or the weight of each as in 2,1,1 (default: 8)",
      replicasOption,
    )
    .option(
      "--group-size <n>",
      "starts of one image in a step (default: 16)",
      numberOption({ min: 1, max: MOST_STARTS_OF_IMAGE, whole: true }),
    )
    .option("--images-per-step <n>", "images in a step (default: 64, or all if fewer)", whole)
    .option(
      "--steps <n>",
      "steps of the run (default: 200)",
      numberOption({ min: 1, max: MOST_STEPS, whole: true }),
    )
    .option(
      "--pull-speed <MB/s>",
      "of each replica, by weight where those differ (default: 100 on average)",
      positive,
    )
    .option(
      "--disk <GB>",
      "of each replica, as --pull-speed (default: all together hold half of the images)",
      positive,
    )
    .option(
      "--churn <changes>",
      "STEP:join|leave|die:REPLICA, several with commas (default: none)",
      churnOption,
    )
    .option(
      "--gateways <n>",
      "that the starts are spread over, for the policy grouped (default: 1)",
      numberOption({ min: 1, max: MOST_GATEWAYS, whole: true }),
    )
    .option(
      "--gateway-delay <ms>",
      "of what a gateway hears from others and from replicas (default: 2)",
      numberOption({ min: 0 }),
    )
    .option("--start-rate <n>", "starts that come in a second (default: 500)", positive)
    .option(
      "--seed <n>",
      "of everything random (default: 1)",
      numberOption({ min: 0, whole: true }),
    )
    .option("--policies <names>", "those to compare, with commas (default: all)")
    .option(...jsonOption)
    .option("--json-file <file>", "write the JSON document to a file, and print the table")
    .option("--svg <file>", "write a plot")
    .addHelpText("after", NOTES)
    .action(async (source: string, options: SimulateOptions) => {
      const images = await readImageList(source, terminal);
      await checkOutputFiles(outputFiles(options), { source });
      const { scenario, policies } = await prepared(images, options);
      const report = await runSimulation({ scenario, policies, terminal });
      await deliver(report, { options, scenario, terminal });
    });
}

/** Throws ExitError for options that do not go together. */
async function prepared(
  images: readonly string[],
  options: SimulateOptions,
): Promise<{ scenario: Scenario; policies: readonly Policy[] }> {
  // Only this command has use for it.
  const { POLICIES, scenarioOf } = await import("@remote-runtime/simulation");
  const names = options.policies?.split(",").map((name) => name.trim());
  const unknown = names?.find((name) => !POLICIES.some((policy) => policy === name));
  if (unknown !== undefined) {
    const text = `there is no policy ${JSON.stringify(unknown)}; there are ${POLICIES.join(", ")}`;
    throw new ExitError(exitCodes.usage, text);
  }
  try {
    const scenario = scenarioOf({
      images,
      replicas: options.replicas,
      groupSize: options.groupSize,
      imagesPerStep: options.imagesPerStep,
      steps: options.steps,
      pullBytesPerSecond: times(options.pullSpeed, MEGABYTE),
      diskBytes: times(options.disk, GIGABYTE),
      churn: options.churn,
      gateways: options.gateways,
      delaySeconds: times(options.gatewayDelay, 1 / 1000),
      startsPerSecond: options.startRate,
      seed: options.seed,
    });
    return { scenario, policies: POLICIES.filter((policy) => names?.includes(policy) ?? true) };
  } catch (error) {
    if (error instanceof RangeError) {
      throw new ExitError(exitCodes.usage, error.message, { cause: error });
    }
    throw error;
  }
}

async function deliver(
  { table, json, svg }: SimulationReport,
  {
    options,
    scenario,
    terminal,
  }: { options: SimulateOptions; scenario: Scenario; terminal: Terminal },
): Promise<void> {
  const { stdout } = terminal;
  for (const file of outputFiles(options)) {
    const content = file.option === "--svg" ? svg : `${JSON.stringify(json, undefined, 2)}\n`;
    await writeOutputFile(file, content);
  }
  if (options.json) return printJson(stdout, json);
  const { images, replicas, steps, imagesPerStep, groupSize, seed } = scenario;
  const fleet = `${plural(images.length, "image")}, ${plural(replicas.length, "replica")}`;
  const step = `${plural(imagesPerStep, "image")} × ${plural(groupSize, "start")}`;
  printLine(stdout, `${fleet}, ${plural(steps, "step")} of ${step}, seed ${seed}`);
  printLine(stdout, "");
  const [names, ...figures] = table.columns;
  const columns = names === undefined ? [] : [{ ...names, shrinks: "first" as const }, ...figures];
  printTable(stdout, columns, table.rows);
}

function outputFiles({ jsonFile, svg }: SimulateOptions): OutputFile[] {
  return [
    ...(jsonFile === undefined ? [] : [{ option: "--json-file", path: jsonFile }]),
    ...(svg === undefined ? [] : [{ option: "--svg", path: svg }]),
  ];
}

function times(value: number | undefined, factor: number): number | undefined {
  return value === undefined ? undefined : value * factor;
}
