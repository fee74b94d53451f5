// The map of segments: bubbles near each other talk about similar things; each is a link to its segment.

import { box, HEIGHT, layOut, LINE_HEIGHT, WIDTH, type Bubble, type Spot } from "./bubbles";
import { h, svg } from "./dom";
import { counted, percent } from "./format";
import { hueOf } from "./pieces";
import { address } from "./router";
import type { Segment } from "./types";

export function segmentMap(segmentation: string, segments: Segment[]): HTMLElement {
  const spots = segments.flatMap((segment): Spot[] =>
    segment.map ? [{ id: segment.id, label: segment.name, share: segment.share, x: segment.map.x, y: segment.map.y }] : [],
  );
  if (spots.length === 0) return h("p", { class: "quiet" }, "This version was fitted without a map. The next fit draws one.");
  const sizes = new Map(segments.map((segment) => [segment.id, segment.size]));
  const bubbles = layOut(spots).sort((a, b) => b.r - a.r);
  return h(
    "figure",
    { class: "map" },
    svg(
      "svg",
      { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "group", "aria-label": `Map of the ${spots.length} segments` },
      ...bubbles.map((bubble) => link(segmentation, bubble, sizes.get(bubble.id) ?? 0)),
    ),
    h("figcaption", { class: "quiet" }, "Each bubble is a segment: the larger, the more customers; the nearer two are, the more alike what they say."),
  );
}

function link(segmentation: string, bubble: Bubble, size: number): SVGElement {
  const said = `${bubble.label}: ${counted(size, "customer")}, ${percent(bubble.share)}`;
  const firstLine = bubble.inside
    ? bubble.cy - ((bubble.lines.length - 1) * LINE_HEIGHT) / 2
    : box(bubble).bottom - (bubble.lines.length - 0.5) * LINE_HEIGHT;
  return svg(
    "a",
    { href: address("s", segmentation, bubble.id), "aria-label": said, class: `bubble ${hueOf(bubble.id)}` },
    svg("title", {}, said),
    svg("circle", { cx: bubble.cx, cy: bubble.cy, r: bubble.r }),
    svg(
      "text",
      { class: bubble.inside ? "inside" : "below", "aria-hidden": "true" },
      ...bubble.lines.map((line, i) => svg("tspan", { x: bubble.cx, y: firstLine + i * LINE_HEIGHT }, line)),
    ),
  );
}
