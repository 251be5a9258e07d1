import { describe, expect, test } from "vitest";
import { commandOf } from "./command.ts";

const V0 = "micromamba run -n openhands python -m openhands.runtime.action_execution_server";
const NO_PLACEHOLDERS = "888888880 088888888 x88888888 8888888 run-88888888 88888888-a 1.88888888";

describe("commandOf()", () => {
  test.each<[string, string | string[] | null, string[] | null]>([
    ["nothing", null, null],
    ["an empty string", "", null],
    ["blanks", " \t", null],
    ["an empty list", [], null],
    ["a list of nothing", ["", " "], null],
    ["a list, as it is", ["a b", "$C", "d|e", ""], ["a b", "$C", "d|e", ""]],
    [
      "a string, split",
      "/usr/local/bin/openhands-agent-server --port 60000",
      ["/usr/local/bin/openhands-agent-server", "--port", "60000"],
    ],
    [
      "the trailing blank of V0 0.10",
      "python -m x 60000 --user-id 0 ",
      ["python", "-m", "x", "60000", "--user-id", "0"],
    ],
    ["quotes, with what they protect", `run 'a  b' "$HOME" c\\ d`, ["run", "a  b", "$HOME", "c d"]],
    ["a pipe", "a | b", ["/bin/sh", "-c", "a | b"]],
    ["a variable", "serve $PORT", ["/bin/sh", "-c", "serve $PORT"]],
    ["an assignment", "A=1 serve", ["/bin/sh", "-c", "A=1 serve"]],
    ["the placeholder as an element", ["serve", "88888888"], ["serve", "60000"]],
    ["the placeholder after =", "serve --port=88888888", ["serve", "--port=60000"]],
    [
      "the placeholder in the text of a shell",
      ["sh", "-c", "exec serve 88888888;"],
      ["sh", "-c", "exec serve 60000;"],
    ],
    ["the placeholder twice", "serve 88888888:88888888", ["serve", "60000:60000"]],
    ["longer numbers and names", NO_PLACEHOLDERS.split(" "), NO_PLACEHOLDERS.split(" ")],
    ["another literal port", ["serve", "60000"], ["serve", "60000"]],
  ])("of %s", (_what, command, expected) => {
    expect(commandOf(command)).toEqual(expected);
  });

  test.each([
    "echo -1000 > /proc/self/oom_score_adj && ",
    "echo -1000 >/proc/self/oom_score_adj && ",
    "echo  -1000>/proc/self/oom_score_adj  &&\n",
    "echo -1000 > /proc/self/oom_score_adj&&",
  ])("cuts %j out of a shell's text, and leaves nice", (shield) => {
    const wrapped = ["nice", "-n", "-20", "sh", "-c", `${shield}exec ${V0} 60000`];
    expect(commandOf(wrapped)).toEqual(["nice", "-n", "-20", "sh", "-c", `exec ${V0} 60000`]);
  });

  test("cuts it out of a string too, and the shell stays for what follows", () => {
    const shield = "echo -1000 > /proc/self/oom_score_adj && ";
    expect(commandOf(`${shield}exec serve 88888888`)).toEqual([
      "/bin/sh",
      "-c",
      "exec serve 60000",
    ]);
    expect(commandOf(`sh -c "true; ${shield}exec serve"`)).toEqual([
      "sh",
      "-c",
      "true; exec serve",
    ]);
  });

  test("refuses a quote that is not closed", () => {
    expect(() => commandOf("serve 'a")).toThrow(expect.objectContaining({ code: "bad_request" }));
  });
});
