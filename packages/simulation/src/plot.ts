import { gigabytes, hours, plural, times } from "./quantity.ts";
import type { Comparison, PolicyResult } from "./result.ts";
import type { Policy } from "./scenario.ts";

type Chart = {
  title: string;
  axis: string;
  value: (result: PolicyResult) => number;
  label: (value: number) => string;
};

const CHARTS: readonly Chart[] = [
  { title: "Wall time", axis: "simulated time", value: (r) => r.wallSeconds, label: hours },
  { title: "Bytes pulled", axis: "all replicas", value: (r) => r.bytesPulled, label: gigabytes },
  {
    title: "Hottest replica",
    axis: "its starts ÷ the mean, mean of the steps",
    value: (r) => r.hottestMean,
    label: times,
  },
  {
    title: "Replicas per image",
    axis: "distinct replicas per image and step",
    value: (r) => r.replicasPerImage,
    label: times,
  },
];

const COLORS: Record<Policy, string> = {
  grouped: "#1b7837",
  ring: "#4575b4",
  modulo: "#b35806",
  "least-loaded": "#762a83",
  random: "#878787",
};

const WIDTH = 960;
const LEFT = 110;
const BAR = 22;
const GAP = 8;
const HEAD = 58;
const FOOT = 26;

/** A whole SVG document: bars of each policy, one chart for each of four figures, all beginning at 0. */
export function plotOf({ scenario, results }: Comparison): string {
  const chartHeight = HEAD + results.length * (BAR + GAP) + FOOT;
  const height = 64 + 2 * chartHeight;
  const { images, replicas, imagesPerStep, groupSize, steps, diskBytes } = scenario;
  const isEven = new Set(replicas.map(({ weight }) => weight)).size === 1;
  const caption = [
    plural(images.length, "image"),
    `${plural(replicas.length, "replica")} of ${gigabytes(diskBytes)} disk${isEven ? "" : " on average"}`,
    `${plural(steps, "step")} of ${plural(imagesPerStep, "image")} × ${plural(groupSize, "rollout")}`,
  ].join(", ");
  const charts = CHARTS.map((chart, at) => {
    const [x, y] = [(at % 2) * (WIDTH / 2), 64 + Math.floor(at / 2) * chartHeight];
    return `<g transform="translate(${x} ${y})">${chartOf(chart, results)}</g>`;
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" font-family="sans-serif" font-size="13" fill="#222">`,
    `<rect width="${WIDTH}" height="${height}" fill="#fff"/>`,
    text({ x: 16, y: 26, size: 17 }, "Where starts go: policies compared"),
    text({ x: 16, y: 46 }, caption),
    ...charts,
    "</svg>\n",
  ].join("\n");
}

function chartOf({ title, axis, value, label }: Chart, results: readonly PolicyResult[]): string {
  const most = Math.max(...results.map(value), Number.MIN_VALUE);
  const length = WIDTH / 2 - LEFT - 90;
  const bottom = HEAD + results.length * (BAR + GAP);
  const bars = results.map((result, at) => {
    const y = HEAD + at * (BAR + GAP);
    const width = Math.max(1, (length * value(result)) / most).toFixed(1);
    return [
      text({ x: LEFT - 8, y: y + 15, anchor: "end" }, result.policy),
      `<rect x="${LEFT}" y="${y}" width="${width}" height="${BAR}" fill="${COLORS[result.policy]}"/>`,
      text({ x: LEFT + Number(width) + 6, y: y + 15 }, label(value(result))),
    ].join("");
  });
  const ticks = [0, 0.5, 1].map((part) => {
    const x = LEFT + length * part;
    return [
      `<line x1="${x}" y1="${HEAD - 4}" x2="${x}" y2="${bottom}" stroke="#ddd"/>`,
      text(
        { x, y: bottom + 14, anchor: "middle", size: 11 },
        part === 0 ? "0" : label(most * part),
      ),
    ].join("");
  });
  const heading = [text({ x: 16, y: 24, size: 15 }, title), text({ x: 16, y: 42, size: 11 }, axis)];
  return [...heading, ...ticks, ...bars].join("\n");
}

function text(
  { x, y, size, anchor }: { x: number; y: number; size?: number; anchor?: "middle" | "end" },
  content: string,
): string {
  const attributes = [
    `x="${x}" y="${y}"`,
    ...(size === undefined ? [] : [`font-size="${size}"`]),
    ...(anchor === undefined ? [] : [`text-anchor="${anchor}"`]),
  ];
  return `<text ${attributes.join(" ")}>${content}</text>`;
}
