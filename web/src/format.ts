// Numbers, shares and moments as people read them. What is missing is a dash, never "NaN" or "null".

import type { Maybe } from "./types";

export const MISSING = "–";

const integers = new Intl.NumberFormat("en");

function isNumber(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value);
}

export function count(value: Maybe | undefined): string {
  return isNumber(value) ? integers.format(value) : MISSING;
}

/** "1 review", "2 reviews"; a word that does not end in s alone brings its plural. */
export function counted(value: Maybe | undefined, one: string, many = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : many}`;
}

/** A fraction as a percentage: one decimal below ten per cent, and never "0%" or "100%" for what is not quite that. */
export function percent(fraction: Maybe | undefined): string {
  if (!isNumber(fraction)) return MISSING;
  const value = fraction * 100;
  if (value > 0 && value < 0.1) return "<0.1%";
  if (value < 100 && value > 99.9) return ">99.9%";
  const digits = value !== 0 && (value < 10 || value > 99) && value < 100 ? 1 : 0;
  return `${value.toFixed(digits).replace(/\.0$/, "")}%`;
}

export function decimal(value: Maybe | undefined, digits = 2): string {
  if (!isNumber(value)) return MISSING;
  const text = value.toFixed(digits);
  return (Number(text) === 0 ? text.replace("-", "") : text).replace("-", "\u2212");
}

/** A date and a minute in the reader's own zone; the text as it came when it is no moment. */
export function moment(iso: string | null | undefined, timeZone?: string): string {
  if (!iso) return MISSING;
  const time = new Date(iso);
  if (Number.isNaN(time.getTime())) return iso;
  return new Intl.DateTimeFormat("en-GB", {
    day: "numeric",
    month: "short",
    year: "numeric",
    hour: "2-digit",
    minute: "2-digit",
    ...(timeZone ? { timeZone } : {}),
  }).format(time);
}

export function day(iso: string | null | undefined, timeZone?: string): string {
  return moment(iso, timeZone).replace(/, \d\d:\d\d$/, "");
}

/** How long from one moment to another: "850 ms", "4.2 s", "3 min 20 s", "2 h 5 min". */
export function duration(fromIso: string, toIso: string): string {
  const ms = new Date(toIso).getTime() - new Date(fromIso).getTime();
  if (!Number.isFinite(ms) || ms < 0) return MISSING;
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 9_950) return `${(ms / 1000).toFixed(1)} s`;
  const s = Math.round(ms / 1000);
  if (s < 60) return `${s} s`;
  if (s < 3600) return two(Math.floor(s / 60), "min", s % 60, "s");
  return two(Math.floor(s / 3600), "h", Math.floor((s % 3600) / 60), "min");
}

function two(large: number, largeUnit: string, small: number, smallUnit: string): string {
  return small === 0 ? `${large} ${largeUnit}` : `${large} ${largeUnit} ${small} ${smallUnit}`;
}

/** `identifier_like_this` as words. */
export function words(identifier: string): string {
  const text = identifier.replace(/[_-]+/g, " ").trim();
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** A JSON value on one line, texts without their quotes. */
export function plain(value: unknown): string {
  if (value === null || value === undefined) return MISSING;
  if (isNumber(value)) return Number.isInteger(value) ? count(value) : String(value);
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

/**
 * The figures and words of a JSON object, with those one level down; empty values and lists are left out, numbers are rounded
 * for reading.
 */
export function facts(value: object): [string, string][] {
  return Object.entries(value).flatMap(([name, one]): [string, string][] => {
    if (one === null || Array.isArray(one)) return [];
    if (typeof one === "object") return facts(one as object);
    return [[words(name.replace(/^n_/, "")), isNumber(one) && !Number.isInteger(one) ? decimal(one, 3) : plain(one)]];
  });
}

/** Below this a segment should not be trusted: other customers of the same kind would hardly bring it forth (Hennig 2008). */
const UNSTABLE_BELOW = 0.6;

/** Whether it was measured, and was too low. */
export function isUnstable(stability: Maybe | undefined): boolean {
  return isNumber(stability) && stability < UNSTABLE_BELOW;
}

/** How well a segment comes back in refits on other samples; the steps are those of Hennig (2007). */
export function steadiness(stability: Maybe | undefined): string {
  if (!isNumber(stability)) return "not measured";
  if (stability >= 0.85) return "very steady";
  if (stability >= 0.75) return "steady";
  if (stability >= UNSTABLE_BELOW) return "fairly steady";
  return "unstable";
}
