import type { Row } from "./report.ts";

export type Goal = { atLeast: number } | { atMost: number };

/** For a row of a report: the goal, and whether this value reaches it. */
export function judged(value: number, goal: Goal): Row {
  const isMet = "atLeast" in goal ? value >= goal.atLeast : value <= goal.atMost;
  return {
    goal: "atLeast" in goal ? `≥ ${goal.atLeast}` : `≤ ${goal.atMost}`,
    result: isMet ? "met" : "missed",
  };
}
