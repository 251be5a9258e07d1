import type { Command } from "commander";
import { jsonOption, type JsonOption } from "../json-option.ts";
import { plural } from "../plural.ts";
import { printable, printJson, printLine } from "../print.ts";
import { connect, type ServerOptions } from "../server-option.ts";
import { printTable, type Column } from "../table.ts";
import type { Terminal } from "../terminal.ts";

const TIMEOUT_MS = 30_000;

const COLUMNS: readonly Column[] = [
  { title: "IMAGE", shrinks: "first" },
  { title: "PINNED BY", shrinks: "last" },
  { title: "SINCE" },
];

/** `pins`: the images that no engine gives up. */
export function addPins(program: Command, terminal: Terminal): void {
  program
    .command("pins")
    .description("list the images that are never removed from an engine to make room")
    .option(...jsonOption)
    .addHelpText(
      "after",
      `
\`prefetch --pin\` pins, \`unpin\` takes it back. --json has {pins: [{image, pinned_by, pinned_at}]}.

Example:
  remote-runtime pins --json | jq -r '.pins[].image' | remote-runtime unpin -`,
    )
    .action(async (options: JsonOption, command: Command) => {
      const { client } = await connect(command.optsWithGlobals<ServerOptions>(), terminal);
      const { signal, stdout } = terminal;
      const answer = await client.call("pins", {}, { signal, timeoutMs: TIMEOUT_MS });
      if (options.json) return printJson(stdout, answer);
      if (answer.pins.length === 0) return printLine(stdout, "no image is pinned");
      const rows = answer.pins.map((pin) => [
        printable(pin.image),
        printable(pin.pinned_by),
        printable(pin.pinned_at),
      ]);
      printTable(stdout, COLUMNS, rows);
      printLine(stdout, "");
      printLine(stdout, `${plural(rows.length, "image")} pinned`);
    });
}
