// The quality of a fit, each number with the sentence that says how to read it, and the chart of the k that were tried.

import { h, svg } from "./dom";
import { count, decimal, percent } from "./format";
import { bar } from "./pieces";
import type { Candidate, Quality } from "./types";

export function qualityPanel(quality: Quality): HTMLElement {
  const picture = (fraction: number | null): HTMLElement | null => (fraction === null ? null : bar(fraction));
  return h(
    "section",
    { class: "panel", "aria-labelledby": "quality" },
    h("h2", { id: "quality" }, "How good is this fit?"),
    h("p", { class: "quiet" }, "No single number decides. Read them together, and compare versions of the same segmentation rather than different shops."),
    h(
      "dl",
      { class: "metrics" },
      metric("Stability", percent(quality.stability), "How many customers keep their segment when the fit is repeated on other samples.", picture(quality.stability)),
      metric("Largest share", percent(quality.largest_share), "The part of all customers in the biggest segment; near 100% the others would say little.", picture(quality.largest_share)),
      metric("Silhouette", decimal(quality.silhouette, 3), "From −1 to 1: how much nearer customers are to their own segment than to the next one. Texts overlap, so small positive values are usual.", picture(quality.silhouette === null ? null : (quality.silhouette + 1) / 2)),
      metric("Davies–Bouldin", decimal(quality.davies_bouldin), "Spread within segments against the distance between them. Lower is better."),
      metric("Calinski–Harabasz", decimal(quality.calinski_harabasz, 1), "Variance between segments against variance within them. Higher is better."),
    ),
    quality.candidates.length > 0 && candidates(quality.candidates, quality.k),
  );
}

function metric(name: string, value: string, meaning: string, picture: HTMLElement | null = null): HTMLElement {
  return h("div", {}, h("dt", {}, name), h("dd", { class: "figure" }, value), picture && h("dd", {}, picture), h("dd", { class: "quiet" }, meaning));
}

const CHART = { width: 640, height: 150, left: 16, right: 16, top: 24, bottom: 26 };

/** A column for each k: its height is the score, the chosen one is filled, a rejected one is hollow and says why. */
function candidates(tried: Candidate[], chosen: number): HTMLElement {
  const scores = tried.map((candidate) => candidate.score ?? 0);
  const [low, high] = [Math.min(0, ...scores), Math.max(0, ...scores)];
  const span = high - low || 1;
  const y = (score: number): number => CHART.top + ((high - score) / span) * (CHART.height - CHART.top - CHART.bottom);
  const step = (CHART.width - CHART.left - CHART.right) / tried.length;
  const columns = tried.map((candidate, i) => {
    const score = candidate.score ?? 0;
    const middle = CHART.left + step * (i + 0.5);
    const width = Math.min(step * 0.6, 48);
    const kind = candidate.rejected !== null ? "rejected" : candidate.k === chosen ? "chosen" : "other";
    return svg(
      "g",
      { class: `column ${kind}` },
      svg("title", {}, `k = ${candidate.k}: score ${decimal(candidate.score, 3)}${candidate.rejected === null ? "" : `; rejected: ${candidate.rejected}`}`),
      svg("rect", { x: middle - width / 2, width, y: Math.min(y(score), y(0)), height: Math.max(Math.abs(y(score) - y(0)), 1), rx: 3 }),
      tried.length <= 12 && svg("text", { x: middle, y: Math.min(y(score), y(0)) - 7 }, decimal(candidate.score)),
      svg("text", { x: middle, y: CHART.height - 8 }, String(candidate.k)),
    );
  });
  return h(
    "div",
    { class: "candidates" },
    h("h3", {}, "How many segments?"),
    h("p", { class: "quiet" }, `${count(tried.length)} numbers of segments were tried; ${count(chosen)} was chosen. A column is the score that decided; a hollow one was ruled out.`),
    svg("svg", { viewBox: `0 0 ${CHART.width} ${CHART.height}`, class: "chart", role: "img", "aria-label": `Scores of the numbers of segments tried; ${chosen} was chosen` }, svg("line", { x1: CHART.left, x2: CHART.width - CHART.right, y1: y(0), y2: y(0) }), ...columns),
    h("details", {}, h("summary", {}, "The numbers behind the chart"), candidateTable(tried, chosen)),
  );
}

function candidateTable(tried: Candidate[], chosen: number): HTMLElement {
  const head = ["Segments", "Score", "Silhouette", "Stability", "Largest share", ""].map((text) => h("th", { scope: "col" }, text));
  const rows = tried.map((candidate) =>
    h(
      "tr",
      {},
      h("th", { scope: "row" }, count(candidate.k)),
      h("td", {}, decimal(candidate.score, 3)),
      h("td", {}, decimal(candidate.silhouette, 3)),
      h("td", {}, percent(candidate.stability)),
      h("td", {}, percent(candidate.largest_share)),
      h("td", {}, candidate.rejected !== null ? `ruled out: ${candidate.rejected}` : candidate.k === chosen ? "chosen" : ""),
    ),
  );
  return h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Numbers of segments tried" }, h("table", {}, h("thead", {}, h("tr", {}, ...head)), h("tbody", {}, ...rows)));
}
