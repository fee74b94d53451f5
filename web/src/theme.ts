// Light, dark, or as the system has it; the choice is kept in this browser.

import { h } from "./dom";

const THEME = "clientele.theme";
const CHOICES = ["auto", "light", "dark"] as const;
type Theme = (typeof CHOICES)[number];

function read(): Theme {
  const kept = localStorage.getItem(THEME);
  return CHOICES.find((choice) => choice === kept) ?? "auto";
}

export function applyTheme(): void {
  const theme = read();
  if (theme === "auto") document.documentElement.removeAttribute("data-theme");
  else document.documentElement.setAttribute("data-theme", theme);
}

export function themeButton(): HTMLElement {
  const button = h("button", { type: "button", class: "plain" });
  const show = (): void => {
    button.replaceChildren(h("span", { class: "word" }, "Theme"), read());
    button.setAttribute("aria-label", `Theme: ${read()}. Press to change.`);
  };
  button.addEventListener("click", () => {
    const next = CHOICES[(CHOICES.indexOf(read()) + 1) % CHOICES.length] ?? "auto";
    localStorage.setItem(THEME, next);
    applyTheme();
    show();
  });
  show();
  return button;
}
