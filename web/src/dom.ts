// Elements from code, never from markup: every text, the API's or ours, becomes a text node, so no data can become script.

export type Child = Node | string | number | null | undefined | false;

type Listener = (event: never) => void;
type Attributes = Record<string, string | number | boolean | Listener | null | undefined>;

const SVG = "http://www.w3.org/2000/svg";

/** An HTML element. `onclick`-like keys take functions; `true` writes a bare attribute; null, undefined and false write none. */
export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  return fill(document.createElement(tag), attributes, children);
}

export function svg<K extends keyof SVGElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: Child[]
): SVGElementTagNameMap[K] {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

/** Sets a custom property through the CSSOM, which a content policy without inline styles allows. */
export function setVariable<E extends HTMLElement | SVGElement>(element: E, name: `--${string}`, value: string): E {
  element.style.setProperty(name, value);
  return element;
}

/** A text of somebody's own: it brings its own writing direction. */
export function said(text: string): HTMLElement {
  return h("bdi", {}, text);
}

function fill<E extends Element>(element: E, attributes: Attributes, children: Child[]): E {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "function") element.addEventListener(name.replace(/^on/, ""), value as EventListener);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  for (const child of children) {
    if (child === null || child === undefined || child === false) continue;
    element.append(child instanceof Node ? child : String(child));
  }
  return element;
}
