// The geometry of the map, apart from its drawing: where each bubble goes, how large it is, and how its name breaks into lines.

export interface Spot {
  id: string;
  label: string;
  share: number;
  x: number;
  y: number;
}

export interface Bubble extends Spot {
  cx: number;
  cy: number;
  r: number;
  lines: string[];
  /** Whether the name fits in the bubble; otherwise it stands below it. */
  inside: boolean;
}

export const WIDTH = 480;
export const HEIGHT = 390;
export const LINE_HEIGHT = 16;

const FONT_SIZE = 13;
const MARGIN = 10;
/** The part of the map that the bubbles cover together, so that twenty segments are as readable as three. */
const COVER = 0.26;
const R_MIN = 9;
const R_MAX = 100;
const GAP = 4;
const TURN_PX = 3;
const GOLDEN_ANGLE = Math.PI * (3 - Math.sqrt(5));
const ROUNDS = 240;

/** Areas go by share, places by (x, y); bubbles that would overlap, names included, are pushed apart. Same spots, same map. */
export function layOut(spots: Spot[]): Bubble[] {
  const bubbles = spots.map(place);
  // Bubbles in one place or on one line could only ever be pushed along it; a small turn each gives them the plane.
  bubbles.forEach((bubble, i) => {
    bubble.cx += TURN_PX * Math.cos(i * GOLDEN_ANGLE);
    bubble.cy += TURN_PX * Math.sin(i * GOLDEN_ANGLE);
    keepIn(bubble);
  });
  for (let round = 0; round < ROUNDS; round++) {
    if (!pushApart(bubbles)) break;
    bubbles.forEach(keepIn);
  }
  return bubbles;
}

/** Breaks a name between words, and between any two characters of scripts without spaces, into at most three lines. */
export function wrap(text: string, width: number, maxLines = 3): string[] {
  const lines: string[] = [];
  let line = "";
  for (const piece of pieces(text)) {
    if (line !== "" && textWidth((line + piece).trimEnd()) > width) {
      lines.push(line.trim());
      line = piece.trimStart();
    } else {
      line += piece;
    }
  }
  if (line.trim() !== "") lines.push(line.trim());
  if (lines.length > maxLines) {
    const kept = lines.slice(0, maxLines);
    kept[maxLines - 1] = `${kept[maxLines - 1] ?? ""}…`;
    return kept;
  }
  return lines;
}

/** An estimate from the characters alone: wide scripts take a full em, the others a little over half of one. */
export function textWidth(text: string): number {
  let em = 0;
  for (const character of text) em += isWide(character) ? 1 : 0.56;
  return em * FONT_SIZE;
}

function isWide(character: string): boolean {
  return /[\u1100-\u115f\u2e80-\u9fff\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe4f\uff00-\uff60\u{1f300}-\u{1faff}]/u.test(character);
}

function pieces(text: string): string[] {
  const found: string[] = [];
  let word = "";
  for (const character of text) {
    word += character;
    if (isWide(character) || /\s/.test(character)) {
      found.push(word);
      word = "";
    }
  }
  if (word !== "") found.push(word);
  return found;
}

function place(spot: Spot): Bubble {
  const share = Number.isFinite(spot.share) ? Math.max(spot.share, 0) : 0;
  const r = Math.min(Math.max(Math.sqrt((share * COVER * WIDTH * HEIGHT) / Math.PI), R_MIN), R_MAX);
  const within = wrap(spot.label, r * 1.6);
  const tallest = within.length * LINE_HEIGHT;
  const widest = Math.max(0, ...within.map(textWidth));
  const inside = !within.some((line) => line.endsWith("…")) && Math.hypot(widest / 2, tallest / 2) < r - 2;
  const at = (value: number, size: number): number => {
    const bounded = Math.min(Math.max(Number.isFinite(value) ? value : 0, -1), 1);
    return size / 2 + (bounded * (size / 2)) * 0.8;
  };
  const lines = inside ? within : wrap(spot.label, 110, 2);
  return { ...spot, r, lines, inside, cx: at(spot.x, WIDTH), cy: at(-spot.y, HEIGHT) };
}

/** The rectangle that a bubble and its name fill. */
export function box(bubble: Bubble): { left: number; right: number; top: number; bottom: number } {
  const label = bubble.inside ? 0 : bubble.lines.length * LINE_HEIGHT + 4;
  const half = bubble.inside ? bubble.r : Math.max(bubble.r, ...bubble.lines.map((line) => textWidth(line) / 2));
  return {
    left: bubble.cx - half,
    right: bubble.cx + half,
    top: bubble.cy - bubble.r,
    bottom: bubble.cy + bubble.r + label,
  };
}

function keepIn(bubble: Bubble): void {
  const { left, right, top, bottom } = box(bubble);
  bubble.cx += Math.max(0, MARGIN - left) - Math.max(0, right - (WIDTH - MARGIN));
  bubble.cy += Math.max(0, MARGIN - top) - Math.max(0, bottom - (HEIGHT - MARGIN));
}

/** Moves each overlapping pair half-way apart; says whether any was. */
function pushApart(bubbles: Bubble[]): boolean {
  let moved = false;
  bubbles.forEach((a, i) => {
    for (const b of bubbles.slice(i + 1)) {
      const [x, y] = a.inside && b.inside ? circlesOverlap(a, b) : boxesOverlap(a, b);
      if (x === 0 && y === 0) continue;
      moved = true;
      a.cx -= x / 2;
      a.cy -= y / 2;
      b.cx += x / 2;
      b.cy += y / 2;
    }
  });
  return moved;
}

/** How far `b` must go from `a` so that the circles part: along the line of their centres. */
function circlesOverlap(a: Bubble, b: Bubble): [number, number] {
  const [x, y] = [b.cx - a.cx, b.cy - a.cy];
  const distance = Math.hypot(x, y) || 1;
  const overlap = Math.max(a.r + b.r + GAP - distance, 0);
  return [(x / distance) * overlap, (y / distance) * overlap];
}

/** The same for the rectangles of bubble and name: along the axis where they overlap least. */
function boxesOverlap(a: Bubble, b: Bubble): [number, number] {
  const [p, q] = [box(a), box(b)];
  const x = Math.min(p.right, q.right) - Math.max(p.left, q.left) + GAP;
  const y = Math.min(p.bottom, q.bottom) - Math.max(p.top, q.top) + GAP;
  if (x <= 0 || y <= 0) return [0, 0];
  return x < y ? [a.cx <= b.cx ? x : -x, 0] : [0, a.cy <= b.cy ? y : -y];
}
