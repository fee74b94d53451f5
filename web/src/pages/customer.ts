// Look a customer up by id: what is known of them, which segments they are in, how surely and since when.

import { get, key, path, Problem } from "../api";
import { curl } from "../curl";
import { h, said } from "../dom";
import { count, counted, day, MISSING, plain } from "../format";
import type { Context, Page } from "../page";
import { facts, hueOf, measured, runnerUp, segmentLink, since, snippet } from "../pieces";
import { address } from "../router";
import { empty } from "../states";
import type { Customer, CustomerMembership, CustomerReview } from "../types";

export async function customerPage(context: Context, id: string | null): Promise<Page> {
  const content = h("div", { class: "page" }, h("div", { class: "heading" }, h("h1", {}, "Customers")), search(id));
  if (id === null) {
    content.append(empty("Look somebody up", h("p", {}, "Type a customer's id as your shop knows it. The ids of a segment's customers are on the ", h("a", { href: "#/" }, "segment's page"), ".")));
    return { title: "Customers", content };
  }
  try {
    const [customer, memberships] = await Promise.all([
      get<Customer>(path("customers", id), context.signal),
      get<{ data: CustomerMembership[] }>(path("customers", id, "segments"), context.signal),
    ]);
    content.append(...profile(customer, memberships.data));
  } catch (error) {
    if (!(error instanceof Problem && error.status === 404)) throw error;
    content.append(empty("Nobody is known by this id", h("p", {}, said(error.detail)), h("p", { class: "quiet" }, "Ids are compared letter by letter: capitals and spaces count.")));
  }
  return { title: id, content };
}

function search(id: string | null): HTMLElement {
  const input = h("input", { id: "customer", type: "search", name: "customer", value: id ?? "", required: true, autocomplete: "off", spellcheck: "false", autocapitalize: "off" });
  const open = (event: Event): void => {
    event.preventDefault();
    if (input.value.trim() !== "") location.hash = address("customers", input.value.trim());
  };
  return h("form", { class: "row", role: "search", onsubmit: open }, h("label", { for: "customer" }, "Customer id"), input, h("button", { type: "submit" }, "Look up"));
}

function profile(customer: Customer, memberships: CustomerMembership[]): HTMLElement[] {
  const base = { origin: location.origin, withKey: key.read() !== null };
  return [
    h("h2", { class: "customer-id" }, said(customer.customer_id)),
    facts(["Reviews", count(customer.n_reviews)], ["Events", count(customer.n_events)], ["Known since", day(customer.created_at)]),
    h(
      "section",
      { class: "panel", "aria-labelledby": "in" },
      h("h2", { id: "in" }, "Segments"),
      memberships.length === 0 ? h("p", { class: "quiet" }, "In no segment yet: the next fit places every customer who has a review.") : h("ul", { class: "memberships" }, ...memberships.map(membership)),
    ),
    h("div", { class: "columns" }, reviews(customer), traits(customer.traits)),
    h(
      "section",
      { class: "panel", "aria-labelledby": "curl" },
      h("h2", { id: "curl" }, "Use it from your own programs"),
      snippet("This customer's segments", curl({ ...base, path: path("customers", customer.customer_id, "segments") })),
    ),
  ];
}

function membership(placed: CustomerMembership): HTMLElement {
  return h(
    "li",
    { class: hueOf(placed.segment_id) },
    h("p", { class: "quiet" }, h("a", { href: address("s", placed.segmentation) }, placed.segmentation), ` · version ${placed.version}`),
    h("h3", {}, segmentLink(placed.segmentation, placed)),
    h("dl", { class: "pairs" }, h("dt", {}, "Confidence"), h("dd", {}, measured(placed.confidence)), h("dt", {}, "Since"), h("dd", {}, since(placed.since, placed.reason)), h("dt", {}, "Runner-up"), h("dd", {}, runnerUp(placed.segmentation, placed))),
  );
}

function reviews(customer: Customer): HTMLElement {
  const shown = customer.reviews.length;
  return h(
    "section",
    { class: "panel", "aria-labelledby": "reviews" },
    h("h2", { id: "reviews" }, "What they wrote"),
    ...(shown === 0 ? [h("p", { class: "quiet" }, "No review yet.")] : customer.reviews.map(quote)),
    shown > 0 && shown < customer.n_reviews && h("p", { class: "quiet" }, `${count(shown)} of ${counted(customer.n_reviews, "review")} shown.`),
  );
}

function quote(review: CustomerReview): HTMLElement {
  const rating = review.rating === null ? null : ` · rated ${plain(review.rating)}`;
  const item = review.item_id === null ? null : h("span", {}, " · about ", said(review.item_id));
  return h("figure", { class: "quote" }, h("blockquote", { dir: "auto" }, review.text), h("figcaption", { class: "quiet" }, h("time", { datetime: review.time }, day(review.time)), item, rating));
}

function traits(known: Record<string, unknown>): HTMLElement {
  const pairs = Object.entries(known).flatMap(([name, value]) => [h("dt", {}, said(name)), h("dd", {}, value === "" ? MISSING : said(plain(value)))]);
  return h(
    "section",
    { class: "panel", "aria-labelledby": "traits" },
    h("h2", { id: "traits" }, "Traits"),
    pairs.length === 0 ? h("p", { class: "quiet" }, "No trait was sent for this customer.") : h("dl", { class: "pairs" }, ...pairs),
  );
}
