import { Command } from "commander";
import manifest from "../package.json" with { type: "json" };
import { addDrain } from "./command/drain.ts";
import { addPins } from "./command/pins.ts";
import { addPrefetch } from "./command/prefetch.ts";
import { addReplicas } from "./command/replicas.ts";
import { addRuntimes } from "./command/runtimes.ts";
import { addSimulate } from "./command/simulate.ts";
import { addStop } from "./command/stop.ts";
import { addUndrain } from "./command/undrain.ts";
import { addUnpin } from "./command/unpin.ts";
import { addWhere } from "./command/where.ts";
import { serverOptionHelp } from "./server-option.ts";
import type { Out, Terminal } from "./terminal.ts";

const NOTES = `
Examples:
  remote-runtime replicas
  remote-runtime where node:24-bookworm-slim
  remote-runtime prefetch images.txt --plan
  remote-runtime drain replica-2 --wait && ssh replica-2 reboot
  remote-runtime runtimes --json | jq -r '.runtimes[].image' | sort | uniq -c
  remote-runtime simulate images.txt --replicas 16 --svg simulation.svg

Every command takes --json: one JSON document on stdout and nothing else. Progress and errors go to stderr.

Exit codes:
  0    done
  1    the server said no, or part of it failed
  2    wrong usage
  3    the server could not be reached, or did not answer in time
  130  interrupted`;

/** The command line as a tree of commands, not yet parsed. Nothing ends the process: what commander would end it for is thrown. */
export function createProgram(terminal: Terminal): Command {
  const { stdout, stderr } = terminal;
  const program = new Command("remote-runtime")
    .description("Looks after an OpenHands remote runtime: its replicas, images and runtimes.")
    .exitOverride()
    .configureOutput({
      writeOut: (text) => void stdout.write(text),
      writeErr: (text) => void stderr.write(text),
      // `run` prints errors, all in one way.
      outputError: () => undefined,
      getOutHelpWidth: () => widthOf(stdout),
      getErrHelpWidth: () => widthOf(stderr),
    })
    .configureHelp({ showGlobalOptions: true })
    .option("--url <url>", serverOptionHelp.url)
    .option("--api-key <key>", serverOptionHelp.apiKey)
    .version(manifest.version, "--version", "print the version")
    .helpOption("-h, --help", "print this help")
    .helpCommand("help [command]", "print the help of a command")
    .addHelpText("after", NOTES);
  addReplicas(program, terminal);
  addWhere(program, terminal);
  addDrain(program, terminal);
  addUndrain(program, terminal);
  addRuntimes(program, terminal);
  addStop(program, terminal);
  addPrefetch(program, terminal);
  addPins(program, terminal);
  addUnpin(program, terminal);
  addSimulate(program, terminal);
  return program;
}

function widthOf({ isTTY, columns }: Out): number {
  return (isTTY ? columns : undefined) ?? 100;
}
