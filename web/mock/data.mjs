// Invented data for looking at the console without the service: one English shop, one Chinese, one not fitted yet.
// Some texts try to be markup, so that a page that would run them is seen at once.

export const HOSTILE = `<img src=x onerror="document.title='broken in'"> said nobody`;

const minutesAgo = (minutes) => new Date(Date.now() - minutes * 60_000).toISOString();

/** A repeatable stream of numbers from 0 to 1. */
function stream(seed) {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

function segment(id, name, terms, size, total, x, y, texts, stability) {
  return {
    id,
    name,
    keywords: terms.map((term, i) => ({ term, score: 0.92 / (1 + i * 0.45) })),
    typical_reviews: texts.map((text, i) => ({ review_id: `r-${id}-${i}`, customer_id: `cust-${id}-${i + 1}`, text, similarity: 0.86 - i * 0.05 })),
    size,
    share: size / total,
    cohesion: 0.41 + stability / 4,
    stability,
    map: { x, y },
    portrait: {
      sentence_en: `${size} customers: orders 12 (everyone: 3).`,
      differences: [
        { feature: "frequency", name_en: "Orders", unit: "orders", effect: 1.42, low: 1.21, high: 1.63, segment: 12, everyone: 3 },
        { feature: "trait:plan=pro", name_en: "plan=pro", unit: "share", effect: -0.31, low: -0.44, high: -0.18, segment: 0.12, everyone: 0.27 },
      ],
      rule: { text_en: "Orders > 7", precision: 0.91, recall: 0.84 },
    },
  };
}

const shop = [
  ["s1", "Quiet sleepers", ["silence", "night", "fan noise", "bedroom", "sleep"], 1180, -0.62, 0.5, ["I can finally sleep with it on: not a hum, not a click, all night.", "Bought for the nursery. Silent on low, a whisper on high.", "The old one rattled; this one I forget about."], 0.93],
  ["s2", "Gift givers", ["gift", "birthday", "wrapping", "she loved", "on time"], 870, 0.55, 0.62, ["Wrapped beautifully and came a day before her birthday.", "My mother cried, in the good way. Will order again for Christmas.", HOSTILE], 0.88],
  ["s3", "Delivery trouble", ["late", "courier", "box", "damaged", "refund"], 640, 0.7, -0.55, ["Two weeks late and the box looked as if it had been kicked here.", "The courier left it in the rain. Refund was quick, I will say that.", "Tracking stood still for nine days."], 0.79],
  ["s4", "Price hunters", ["discount", "cheaper", "voucher", "worth", "sale"], 520, 0.1, -0.1, ["Waited for the sale and paid half. At full price I would not.", "Cheaper elsewhere, but the voucher made up for it.", "Good for the money, no more than that."], 0.71],
  ["s5", "Home baristas", ["espresso", "grinder", "crema", "milk", "beans"], 310, -0.35, -0.68, ["Nine bars, thick crema, and a grinder that does not clump.", "Steams milk better than the café on our corner.", "Dial it in for a week and it rewards you."], 0.9],
  ["s6", "Size exchangers", ["too small", "exchange", "fits", "sleeves", "order up"], 190, 0.32, -0.22, ["Order one size up. The exchange was painless.", "Sleeves end at my elbows, the rest fits.", "Third exchange, finally right."], 0.55],
];

const learners = [
  ["s1", "零基础入门", ["零基础", "入门", "老师讲得慢", "听得懂", "新手"], 420, -0.5, 0.3, ["完全零基础也能跟上，老师每一步都讲得很清楚。", "第一次学编程，没有想象中难。", "节奏慢一点正好，适合我这种新手。"], 0.91],
  ["s2", "考证冲刺", ["考试", "真题", "刷题", "通过", "押题"], 360, 0.5, 0.45, ["真题讲解很到位，一次就通过了。", "考前两周刷完全部题目，心里有底。", "押中了两道大题！"], 0.86],
  ["s3", "课程太贵", ["价格", "太贵", "优惠", "退款", "不值"], 150, 0.3, -0.6, ["内容还行，但是这个价格不值。", "等优惠再买吧。", "申请退款三天就到账了，服务不错。"], 0.74],
];

function version(name, rows, number, model, quality) {
  const total = rows.reduce((sum, row) => sum + row[3], 0);
  return {
    segmentation: name,
    version: number,
    state: "live",
    created_at: minutesAgo(60 * 26),
    definition: { model, k: "auto", seed: 7 },
    model_fingerprint: `${model}@1110a243fdf4706b3f48f1d95db1a4f5529b4d41`,
    n_customers: total,
    n_reviews: total * 3 + 17,
    quality: { ...quality, largest_share: Math.max(...rows.map((row) => row[3])) / total, k: rows.length },
    segments: rows.map(([id, label, terms, size, x, y, texts, stability]) => segment(id, label, terms, size, total, x, y, texts, stability)),
  };
}

const candidate = (k, score, rejected = null) => ({ k, silhouette: score / 5, stability: 0.95 - k / 40, largest_share: 1.6 / k, score, rejected });

export const versions = {
  needs: version("needs", shop, 3, "all-MiniLM-L6-v2", {
    silhouette: 0.083, davies_bouldin: 3.12, calinski_harabasz: 148.6, stability: 0.872, inertia: 1822.4,
    candidates: [candidate(2, 0.21, "the largest segment holds 81% of the customers"), candidate(3, 0.38), candidate(4, 0.47), candidate(5, 0.55), candidate(6, 0.61), candidate(7, 0.52), candidate(8, 0.49), candidate(9, 0.31, "stability below 0.6"), candidate(10, 0.24, "stability below 0.6")],
  }),
  kecheng: version("kecheng", learners, 1, "multilingual-e5-small", { silhouette: 0.121, davies_bouldin: 2.41, calinski_harabasz: 96.2, stability: null, inertia: 310.2, candidates: [] }),
};

export const segmentations = [
  { name: "needs", definition: versions.needs.definition, created_at: minutesAgo(9000), live_version: 3 },
  { name: "kecheng", definition: versions.kecheng.definition, created_at: minutesAgo(4000), live_version: 1 },
  { name: "by-topic", definition: { model: "all-MiniLM-L6-v2", k: 8, seed: 1 }, created_at: minutesAgo(30), live_version: null },
];

export function members(name, segmentId) {
  const { segments } = versions[name];
  const own = segments.find((one) => one.id === segmentId);
  const next = segments.find((one) => one.id !== segmentId);
  const random = stream(11 + own.size);
  return Array.from({ length: own.size }, (_, i) => {
    const confidence = 0.99 - random() * 0.6;
    return {
      customer_id: i === 2 ? "顾客/三号 & sons" : i === 3 ? HOSTILE : `cust-${segmentId}-${i + 1}`,
      segment_id: own.id,
      segment: own.name,
      confidence,
      runner_up: i % 9 === 8 ? null : { segment_id: next.id, segment: next.name, confidence: (1 - confidence) * 0.8 },
      since: minutesAgo(1500 + i * 37),
      reason: i % 4 === 0 ? "refit" : "joined",
    };
  });
}

export function customer(id) {
  return {
    customer_id: id,
    traits: { country: "NO", plan: "plus", newsletter: true, orders: 14, note: HOSTILE, tags: ["sleep", "home"], 城市: "上海" },
    created_at: minutesAgo(90_000),
    n_reviews: 4,
    n_events: 61,
    reviews: [
      { review_id: "r1", text: "I can finally sleep with it on: not a hum, not a click, all night.", item_id: "fan-2", rating: 5, time: minutesAgo(4000) },
      { review_id: "r2", text: "完全零基础也能跟上，老师每一步都讲得很清楚。", item_id: null, rating: null, time: minutesAgo(9000) },
      { review_id: "r3", text: `منتج رائع وهادئ جدا. ${HOSTILE}`, item_id: "<b>bold</b>", rating: 4.5, time: minutesAgo(20_000) },
    ],
  };
}

export function customerSegments(id) {
  const since = minutesAgo(5000);
  return {
    customer_id: id,
    data: [
      { segmentation: "needs", version: 3, segment_id: "s1", segment: "Quiet sleepers", confidence: 0.91, runner_up: { segment_id: "s5", segment: "Home baristas", confidence: 0.06 }, since, reason: "joined" },
      { segmentation: "kecheng", version: 1, segment_id: "s2", segment: "考证冲刺", confidence: 0.58, runner_up: { segment_id: "s1", segment: "零基础入门", confidence: 0.4 }, since, reason: "refit" },
    ],
  };
}

export function assign(name, text) {
  const { segments, version: number, definition } = versions[name];
  const random = stream([...text].reduce((sum, character) => sum + character.codePointAt(0), 3));
  const similarities = segments.map((one) => ({ segment_id: one.id, segment: one.name, similarity: random() * 0.75 - 0.2 }));
  const [best, second] = [...similarities].sort((a, b) => b.similarity - a.similarity);
  const data = [{ segment_id: best.segment_id, segment: best.segment, confidence: 0.74, runner_up: { segment_id: second.segment_id, segment: second.segment, confidence: 0.19 }, similarities, truncated: text.length > 2000 }];
  return { segmentation: name, version: number, model: definition.model, data };
}

const started = Date.now();

export function jobs() {
  const done = Math.min(3710, 900 + Math.round((Date.now() - started) / 10));
  const running = done < 3710;
  const job = (n, kind, state, progress, more = {}) => ({ id: `0197d3c2-8a10-7000-8000-00000000000${n}`, kind, state, progress, result: null, error: null, created_at: minutesAgo(n * 40), finished_at: null, ...more });
  return [
    job(1, "fit", "queued", { phase: "waiting", done: 0, total: null }),
    job(2, "fit", running ? "running" : "succeeded", { phase: "embedding", done, total: 3710 }, running ? {} : { finished_at: minutesAgo(0), result: { segmentation: "needs", version: 4 } }),
    job(3, "import", "running", { phase: "reading_rows", done: 120_400, total: null }),
    job(4, "import", "succeeded", { phase: "done", done: 11_147, total: 11_147 }, { result: { accepted: 11_130, duplicate: 14, rejected: 3 }, finished_at: minutesAgo(159.2) }),
    job(5, "fit", "failed", { phase: "clustering", done: 0, total: 8 }, { error: { code: "too_few_customers", detail: "A fit needs at least 10 customers with a review; there are 2. Import more reviews, then fit again." }, finished_at: minutesAgo(199.99) }),
    job(6, "import", "cancelled", { phase: "reading_rows", done: 20, total: null }, { finished_at: minutesAgo(238) }),
  ];
}
