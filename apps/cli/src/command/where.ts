import type { PlacementObject } from "@remote-runtime/protocol";
import type { Command } from "commander";
import { formatDuration } from "../duration.ts";
import { jsonOption, type JsonOption } from "../json-option.ts";
import { nameArgument } from "../name-argument.ts";
import { printable, printJson, printLine, styled } from "../print.ts";
import { replicaState } from "../replica-state.ts";
import { connect, type ServerOptions } from "../server-option.ts";
import { printTable, type Column } from "../table.ts";
import type { Out, Terminal } from "../terminal.ts";

const COLUMNS: readonly Column[] = [
  { title: "" },
  { title: "REPLICA", shrinks: "last" },
  { title: "STATE" },
  { title: "HOLDS" },
  { title: "LOAD", align: "right" },
  { title: "SOFT LIMIT", align: "right" },
  { title: "HARD LIMIT", align: "right" },
];

/** `where`: the replica that a start of an image would go to now, and why. */
export function addWhere(program: Command, terminal: Terminal): void {
  program
    .command("where")
    .description("say where a start of an image would go now, and why")
    .argument("<image>", "as in /start: a name with tag or digest", nameArgument)
    .option(...jsonOption)
    .addHelpText(
      "after",
      `
Replicas stand in the ring's order of preference for this image. From the SOFT LIMIT of its load on a replica gets no
image that it does not hold; from the HARD LIMIT on it gets none at all while another one has room. One that drains gets
none while another one does not.

Example:
  remote-runtime where ghcr.io/openhands/agent-server:latest-python`,
    )
    .action(async (image: string, options: JsonOption, command: Command) => {
      const { client } = await connect(command.optsWithGlobals<ServerOptions>(), terminal);
      const placement = await client.call(
        "placement",
        { query: { image } },
        { signal: terminal.signal },
      );
      if (options.json) printJson(terminal.stdout, placement);
      else show(terminal.stdout, placement);
    });
}

function show(out: Out, placement: PlacementObject): void {
  const { image, replica_id: chosen, kind, reason, group, candidates } = placement;
  printLine(
    out,
    `${styled(out, "bold", printable(chosen))} (${kind}) would start ${printable(image)}`,
  );
  printLine(out, printable(reason));
  if (group !== null) {
    const left = formatDuration(group.expires_in_seconds);
    printLine(
      out,
      group.replica_id === chosen
        ? `its starts stay together there for another ${left}`
        : `its starts went together to ${printable(group.replica_id)}, which has them for another ${left}`,
    );
  }
  if (candidates.every(({ state }) => state !== "ready"))
    printLine(out, "all replicas are draining: while that is so, draining has no effect");
  printLine(out, "");
  const rows = candidates.map((candidate) => [
    candidate.replica_id === chosen ? "*" : "",
    printable(candidate.replica_id),
    replicaState(out, candidate),
    candidate.holds,
    short(candidate.load),
    short(candidate.soft_limit),
    short(candidate.hard_limit),
  ]);
  printTable(out, COLUMNS, rows);
}

/** At most one decimal. */
function short(value: number): string {
  return String(Math.round(value * 10) / 10);
}
