import { CommanderError } from "commander";
import { ExitError, exitCodes } from "./exit-error.ts";
import { explain } from "./explain.ts";
import { printable, printLine } from "./print.ts";
import { createProgram } from "./program.ts";
import type { Terminal } from "./terminal.ts";

/** Runs one command line, without the names of node and script, and returns the exit code. Never throws. */
export async function run(args: readonly string[], terminal: Terminal): Promise<number> {
  try {
    await createProgram(terminal).parseAsync(args, { from: "user" });
    return 0;
  } catch (error) {
    const { exitCode, message } = endOf(error, terminal);
    if (message !== "") printLine(terminal.stderr, `remote-runtime: ${printable(message)}`);
    return exitCode;
  }
}

function endOf(error: unknown, { signal }: Terminal): { exitCode: number; message: string } {
  if (error instanceof CommanderError) return endOfParsing(error);
  // What an interrupted call says of itself is of no interest, but a command may have something to say.
  if (signal.aborted && !(error instanceof ExitError)) {
    return { exitCode: exitCodes.interrupted, message: "" };
  }
  return explain(error);
}

function endOfParsing(error: CommanderError): { exitCode: number; message: string } {
  if (error.exitCode === 0) return { exitCode: 0, message: "" };
  // The help has been printed, as no command was named.
  if (error.code === "commander.help") return { exitCode: exitCodes.usage, message: "" };
  const message = error.message
    .replace(/^error: /, "")
    .replace(/^unknown option '(--(?:json|wait|all|yes|plan|pin|detach))=.*$/s, "$1 takes no value")
    // What was meant as the value of a mistyped --api-key must not show.
    .replace(/^(unknown option '[^'=]*)=.*'/s, "$1'");
  return {
    exitCode: exitCodes.usage,
    message: `${message.replace(/\.$/, "")}; --help shows what is possible`,
  };
}
