// The first page: which segmentations there are, and the live version of one of them as a list, a map and its quality.

import { get, key, list, path } from "../api";
import { serviceFlags } from "../curl";
import { h, said } from "../dom";
import { count, counted, day, decimal, isUnstable, moment, percent, steadiness } from "../format";
import { segmentMap } from "../map";
import type { Context, Page } from "../page";
import { bar, facts, hueOf, keywords, snippet } from "../pieces";
import { qualityPanel } from "../quality";
import { address } from "../router";
import { empty, firstSteps } from "../states";
import type { Segment, Segmentation, Version, Workspace } from "../types";

export async function overviewPage(context: Context, wanted: string | null): Promise<Page> {
  const [workspace, segmentations] = await Promise.all([
    get<Workspace>(path("workspace"), context.signal),
    list<Segmentation>(path("segmentations"), context.signal),
  ]);
  const chosen = wanted === null ? (segmentations.find((one) => one.live_version !== null) ?? segmentations[0]) : segmentations.find((one) => one.name === wanted);
  const content = h("div", { class: "page" }, heading(workspace, segmentations, chosen));
  if (segmentations.length === 0) content.append(firstSteps(context.reload));
  else if (chosen === undefined) content.append(unknown(wanted ?? ""));
  else if (chosen.live_version === null) content.append(notFitted(chosen));
  else content.append(...live(await versionOf(context, chosen.name, chosen.live_version)));
  return { title: chosen?.name ?? "Segments", content };
}

function versionOf(context: Context, name: string, version: number): Promise<Version> {
  return get<Version>(path("segmentations", name, "versions", String(version)), context.signal);
}

function heading(workspace: Workspace, segmentations: Segmentation[], chosen?: Segmentation): HTMLElement {
  const known = `${counted(workspace.customers, "customer")}, ${counted(workspace.reviews, "review")}, ${counted(workspace.events, "event")} in workspace ${workspace.workspace}`;
  return h("div", { class: "heading" }, h("h1", {}, "Segments"), h("p", { class: "quiet" }, known), segmentations.length > 0 && picker(segmentations, chosen));
}

function picker(segmentations: Segmentation[], chosen?: Segmentation): HTMLElement {
  const tabs = segmentations.map((one) =>
    h(
      "a",
      { href: address("s", one.name), "aria-current": one.name === chosen?.name ? "page" : null },
      one.name,
      h("span", { class: "tag" }, one.live_version === null ? "not live" : `v${one.live_version}`),
    ),
  );
  return h("nav", { class: "tabs", "aria-label": "Segmentations" }, ...tabs);
}

function live(version: Version): HTMLElement[] {
  const bySize = [...version.segments].sort((a, b) => b.size - a.size);
  return [
    facts(
      ["Customers", count(version.n_customers)],
      ["Reviews", count(version.n_reviews)],
      ["Segments", count(version.segments.length)],
      ["Model", h("span", { title: version.model_fingerprint }, version.definition.model)],
      ["Fitted", h("time", { datetime: version.created_at, title: moment(version.created_at) }, day(version.created_at))],
      ["Version", `${version.version} (${version.state})`],
    ),
    h(
      "div",
      { class: "columns" },
      h(
        "section",
        { class: "panel", "aria-labelledby": "segments" },
        h("h2", { id: "segments" }, "Who they are"),
        bySize.length === 0
          ? h("p", { class: "quiet" }, "This version has no segments.")
          : h("ol", { class: "segments" }, ...bySize.map((segment) => row(version.segmentation, segment))),
      ),
      h("section", { class: "panel sticky", "aria-labelledby": "map" }, h("h2", { id: "map" }, "How near they are"), segmentMap(version.segmentation, version.segments)),
    ),
    qualityPanel(version.quality),
  ];
}

function row(segmentation: string, segment: Segment): HTMLElement {
  const cohesion = h("span", { title: "Mean similarity between the members and the segment's centre, up to 1" }, `cohesion ${decimal(segment.cohesion)}`);
  const stability = h("span", { class: isUnstable(segment.stability) ? "unstable" : "", title: "How often the segment comes back when the fit is repeated on other samples, up to 1" }, `${steadiness(segment.stability)} ${decimal(segment.stability)}`);
  return h(
    "li",
    { class: hueOf(segment.id) },
    h(
      "div",
      { class: "segment-head" },
      h("h3", {}, h("a", { href: address("s", segmentation, segment.id), class: "dotted" }, said(segment.name || segment.id))),
      h("span", { class: "number" }, counted(segment.size, "customer"), h("strong", {}, percent(segment.share))),
    ),
    bar(segment.share),
    keywords(segment.keywords),
    h("p", { class: "quiet segment-foot" }, stability, cohesion),
  );
}

function notFitted(segmentation: Segmentation): HTMLElement {
  return empty(
    `“${segmentation.name}” has no live version yet`,
    h("p", {}, "It is defined, but no fit has been published. A fit that is running shows under ", h("a", { href: "#/jobs" }, "Jobs"), "; otherwise start one:"),
    snippet("Fit it", `clientele fit --name ${segmentation.name} --k ${segmentation.definition.k} ${serviceFlags(location.origin, key.read() !== null)}`),
  );
}

function unknown(name: string): HTMLElement {
  return empty(`There is no segmentation “${name}”`, h("p", {}, "It may have been renamed or removed. Choose one of those above, or ", h("a", { href: "#/" }, "go to the first"), "."));
}
