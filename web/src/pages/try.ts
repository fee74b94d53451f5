// Type a text and see where it would go, without storing it.

import { key, list, path, post } from "../api";
import { curl } from "../curl";
import { h, said, setVariable } from "../dom";
import { decimal, percent } from "../format";
import type { Context, Page } from "../page";
import { facts, hueOf, runnerUp, segmentLink, snippet } from "../pieces";
import { firstSteps, loading } from "../states";
import type { AssignAnswer, Assigned, Segmentation } from "../types";

export async function tryPage(context: Context, wanted: string | null): Promise<Page> {
  const all = await list<Segmentation>(path("segmentations"), context.signal);
  const fitted = all.filter((one) => one.live_version !== null);
  const content = h("div", { class: "page" }, h("div", { class: "heading" }, h("h1", {}, "Try a text"), h("p", { class: "quiet" }, "Type what a customer might write. The text is placed and forgotten: nothing is stored.")));
  if (fitted.length === 0) content.append(firstSteps(context.reload));
  else content.append(...form(context, fitted, wanted));
  return { title: "Try a text", content };
}

function form(context: Context, fitted: Segmentation[], wanted: string | null): HTMLElement[] {
  const result = h("div", { "aria-live": "polite" });
  const chooser = h("select", { id: "segmentation" }, ...fitted.map((one) => h("option", { value: one.name, selected: one.name === wanted }, one.name)));
  const text = h("textarea", { id: "text", rows: 5, dir: "auto", required: true });
  const submit = h("button", { type: "submit" }, "Find its segment");
  const place = async (): Promise<void> => {
    if (text.value.trim() === "") return text.focus();
    submit.disabled = true;
    result.replaceChildren(loading("the answer"));
    try {
      const answer = await post<AssignAnswer>(path("segmentations", chooser.value, "assign"), { text: text.value }, context.signal);
      result.replaceChildren(...answer.data.slice(0, 1).map((assigned) => placement(answer, assigned, text.value)));
    } catch (error) {
      context.showFailure(result, error, () => void place());
    }
    submit.disabled = false;
  };
  const send = (event: Event): void => {
    event.preventDefault();
    void place();
  };
  text.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) send(event);
  });
  const fields = h(
    "form",
    { class: "panel stack", onsubmit: send },
    fitted.length > 1 && h("label", { for: "segmentation" }, "Segmentation"),
    fitted.length > 1 && chooser,
    h("label", { for: "text" }, "Text"),
    text,
    h("p", { class: "actions" }, submit, h("span", { class: "quiet" }, "or Ctrl + Enter")),
  );
  return [fields, result];
}

function placement(answer: AssignAnswer, assigned: Assigned, text: string): HTMLElement {
  const base = { origin: location.origin, withKey: key.read() !== null };
  return h(
    "section",
    { class: `panel ${hueOf(assigned.segment_id)}`, "aria-labelledby": "placed" },
    h("h2", { id: "placed", class: "placed" }, segmentLink(answer.segmentation, assigned)),
    facts(["Confidence", percent(assigned.confidence)], ["Runner-up", runnerUp(answer.segmentation, assigned)], ["Version", `${answer.segmentation} v${answer.version}`], ["Model", answer.model]),
    assigned.truncated && h("p", { class: "notice" }, "The text is longer than the model reads; its end was not considered."),
    h("h3", {}, "Similarity to every segment"),
    similarities(assigned),
    snippet("The same from a program", curl({ ...base, path: path("segmentations", answer.segmentation, "assign"), body: { text } })),
  );
}

/** Bars from a common zero: a similarity may be negative, so the zero moves right as far as the lowest one asks. */
function similarities(assigned: Assigned): HTMLElement {
  const sorted = [...assigned.similarities].sort((a, b) => b.similarity - a.similarity);
  const values = sorted.map((one) => one.similarity);
  const [low, high] = [Math.min(0, ...values), Math.max(0, ...values)];
  const span = high - low || 1;
  const rows = sorted.map((one) => {
    const track = h("span", { class: "track", "aria-hidden": "true" }, h("span", {}));
    setVariable(track, "--start", `${((Math.min(one.similarity, 0) - low) / span) * 100}%`);
    setVariable(track, "--width", `${(Math.abs(one.similarity) / span) * 100}%`);
    setVariable(track, "--zero", `${(-low / span) * 100}%`);
    return h("li", { class: hueOf(one.segment_id) }, said(one.segment || one.segment_id), track, h("span", { class: "number" }, decimal(one.similarity, 3)));
  });
  return h("ol", { class: "similarities" }, ...rows);
}
