// The small parts that several pages show: bars, keywords, facts, snippets, the placement of a customer.

import { blob, key } from "./api";
import { h, said, setVariable } from "./dom";
import { day, MISSING, percent, words } from "./format";
import { address } from "./router";
import type { Maybe, Placement } from "./types";

const N_HUES = 10;

/** A segment keeps its colour for as long as it keeps its id. */
export function hueOf(segmentId: string): string {
  const number = Number(/\d+/.exec(segmentId)?.[0] ?? 0);
  return `hue-${(number + N_HUES - 1) % N_HUES}`;
}

/** A bar from 0 to 1; its text stands beside it, so the bar itself is hidden from screen readers. */
export function bar(fraction: Maybe | undefined): HTMLElement {
  const width = Math.min(Math.max(fraction ?? 0, 0), 1);
  return setVariable(h("span", { class: "bar", "aria-hidden": "true" }, h("span", {})), "--width", `${width * 100}%`);
}

export function measured(fraction: Maybe | undefined): HTMLElement {
  return h("span", { class: "measured" }, bar(fraction), h("span", { class: "number" }, percent(fraction)));
}

export function keywords(terms: { term: string }[], most = 5): HTMLElement {
  if (terms.length === 0) return h("p", { class: "quiet" }, "No word sets it apart.");
  return h("ul", { class: "keywords", "aria-label": "Keywords" }, ...terms.slice(0, most).map(({ term }) => h("li", {}, said(term))));
}

/** Label and value pairs in one calm line. */
export function facts(...pairs: [string, Node | string][]): HTMLElement {
  return h("dl", { class: "facts" }, ...pairs.map(([label, value]) => h("div", {}, h("dt", {}, label), h("dd", {}, value))));
}

export function segmentLink(segmentation: string, placed: { segment_id: string; segment: string }): HTMLElement {
  const href = address("s", segmentation, placed.segment_id);
  return h("a", { href, class: `dotted ${hueOf(placed.segment_id)}` }, said(placed.segment || placed.segment_id));
}

export function runnerUp(segmentation: string, placed: Placement): Node | string {
  const next = placed.runner_up;
  if (!next) return MISSING;
  return h("span", {}, segmentLink(segmentation, next), " ", h("span", { class: "quiet" }, percent(next.confidence)));
}

const REASONS: Record<string, string> = {
  joined: "first placement",
  refit: "moved by a new fit",
  event: "moved by an event",
  profile: "moved by a changed profile",
  schedule: "moved on schedule",
  definition_edited: "moved by an edited definition",
};

export function since(iso: string, reason: string): HTMLElement {
  return h("span", {}, h("time", { datetime: iso }, day(iso)), " ", h("span", { class: "quiet" }, REASONS[reason] ?? words(reason).toLowerCase()));
}

export function snippet(title: string, command: string): HTMLElement {
  const code = h("code", { translate: "no" }, command);
  const said = h("span", { class: "quiet", role: "status" });
  const copy = h("button", { type: "button", class: "small", "aria-label": `Copy: ${title}` }, "Copy");
  copy.addEventListener("click", () => void copyText(command, code).then((text) => said.replaceChildren(text)));
  return h("div", { class: "snippet" }, h("div", { class: "snippet-head" }, h("h3", {}, title), said, copy), h("pre", { tabindex: 0 }, code));
}

/** Pages not served over TLS have no clipboard; there the text is selected instead. */
async function copyText(text: string, shown: HTMLElement): Promise<string> {
  try {
    await navigator.clipboard.writeText(text);
    return "Copied";
  } catch {
    getSelection()?.selectAllChildren(shown);
    return "Selected: press Ctrl+C";
  }
}

/** A download as a plain link; with a key it is fetched first, because a link cannot carry one. */
export function download(text: string, href: string, fileName: string, onError: (error: unknown) => void): HTMLElement {
  const anchor = h("a", { href, download: fileName, class: "button" }, text);
  anchor.addEventListener("click", (event) => {
    if (key.read() === null || anchor.href.startsWith("blob:")) return;
    event.preventDefault();
    blob(href, new AbortController().signal)
      .then((file) => {
        const temporary = URL.createObjectURL(file);
        anchor.href = temporary;
        anchor.click();
        anchor.setAttribute("href", href);
        setTimeout(() => URL.revokeObjectURL(temporary), 60_000);
      })
      .catch(onError);
  });
  return anchor;
}
