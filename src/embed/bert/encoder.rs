//! The encoder on the processor: token ids of packed texts in, one vector a token out.
//!
//! The texts of a batch stand one after the other in `[n_tokens, width]`. There is no padding between them, so nothing is
//! computed in vain and no mask is needed; `width` is the hidden size up to the next whole panel.

#![expect(
    unsafe_code,
    reason = "the kernels' steps share buffers among threads; a step is over before the next begins"
)]

use super::config::{BertConfig, Family};
use super::plan::{Plan, outputs_in_order};
use super::weights::{Embeddings, LayerWeights, Linear, Scaling, Weights};
use crate::embed::{EmbedError, TokenIds};
use crate::kernels::{
    Activation, Attention, Destination, Finish, HeadShape, Isa, Kernel, Lines, Norm, PANEL, Pack, Panels, Shared,
    Source, Team, Word, WordRows, add_rows, norm_rows,
};
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

/// Rows that go through both halves of the feed-forward layer together: what lies between them stays in the second-level cache.
const FEED_FORWARD_ROWS: usize = 64;
/// Rows that a thread normalises or packs at a time.
const ROWS_A_PIECE: usize = 8;

pub struct Encoder {
    config: BertConfig,
    isa: Isa,
    heads: HeadShape,
    words: Table,
    /// `[n_positions, width]`
    positions: Lines<f32>,
    norm: Norm,
    layers: Vec<Layer>,
    width: usize,
    /// Buffers of forward passes that are over, for those to come.
    idle: Mutex<Vec<Buffers>>,
}

/// The words' vectors, in half the memory where the products are not in `f32` either.
enum Table {
    F32(Vec<f32>),
    Bf16(Vec<half::bf16>),
}

/// One layer: each product's weights with its bias, and the two normalisations.
struct Layer {
    qkv: Dense,
    output: Dense,
    output_norm: Norm,
    up: Dense,
    down: Dense,
    down_norm: Norm,
}

struct Dense {
    weights: Panels,
    bias: Lines<f32>,
    kernel: Kernel,
}

/// What a forward pass writes on its way.
#[derive(Default)]
struct Buffers {
    /// `[n_tokens, width]`: the residual stream.
    x: Lines<f32>,
    /// The same, packed for the next product.
    words: WordRows,
    /// `[n_tokens, 3 · all heads]`
    qkv: WordRows,
    /// `[n_tokens, all heads]`
    mixed: Lines<f32>,
    mixed_words: WordRows,
    /// `[FEED_FORWARD_ROWS, inner width]`, only where packing needs the whole row first.
    inner: Lines<f32>,
    inner_words: WordRows,
}

impl Encoder {
    pub fn load(config: BertConfig, weights: &Weights<'_>, plan: Plan) -> Result<Self, EmbedError> {
        let heads = plan.heads(&config);
        let width = config.hidden_size.next_multiple_of(PANEL);
        let Embeddings { words, positions, norm } = weights.embeddings(&config)?;
        let layers = (0..config.n_layers)
            .map(|number| Ok(Layer::pack(weights.layer(&config, number)?, &config, plan, heads, number)))
            .collect::<Result<_, EmbedError>>()?;
        Ok(Self {
            isa: plan.isa,
            heads,
            words: Table::new(words, plan.is_exact()),
            positions: padded_rows(&positions, config.hidden_size, width),
            norm: padded_norm(&norm, config.layer_norm_eps),
            layers,
            width,
            config,
            idle: Mutex::default(),
        })
    }

    pub fn n_words(&self) -> usize {
        self.words.len() / self.config.hidden_size
    }

    /// Bytes of the weights as they are kept.
    pub fn n_bytes(&self) -> usize {
        let denses = self.layers.iter().flat_map(|layer| [&layer.qkv, &layer.output, &layer.up, &layer.down]);
        let layers: usize = denses.map(|dense| dense.weights.n_bytes()).sum();
        layers + self.words.n_bytes() + 4 * self.positions.len()
    }

    /// Runs the texts through the model and gives every text's rows, `[n_tokens of the text, width]` in the texts' order, to
    /// `take`; of a row only the first `hidden_size` numbers count.
    pub fn forward(&self, texts: &[&TokenIds], team: Team<'_>, mut take: impl FnMut(&[f32])) {
        let lengths: Vec<usize> = texts.iter().map(|text| text.ids.len()).collect();
        let mut buffers = self.lock().pop().unwrap_or_default();
        self.embed(texts, &mut buffers, team);
        for (number, layer) in self.layers.iter().enumerate() {
            let next = self.layers.get(number + 1).map(|next| next.qkv.weights.kind());
            self.run_layer(layer, &mut buffers, &lengths, next, team);
        }
        let mut rest = &buffers.x[..];
        for length in lengths {
            let (rows, after) = rest.split_at(length * self.width);
            take(rows);
            rest = after;
        }
        self.lock().push(buffers);
    }

    /// Numbers from one row of [`Encoder::forward`] to the next.
    pub fn width(&self) -> usize {
        self.width
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Buffers>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The sum of word, position and type, normalised.
    fn embed(&self, texts: &[&TokenIds], buffers: &mut Buffers, team: Team<'_>) {
        let n_tokens: usize = texts.iter().map(|text| text.ids.len()).sum();
        let (hidden, width) = (self.config.hidden_size, self.width);
        buffers.x.resize(n_tokens * width);
        let mut word = vec![0f32; hidden];
        let places = texts.iter().flat_map(|text| text.ids.iter().zip(self.position_ids(&text.ids)));
        for (row, (&id, position)) in buffers.x.chunks_exact_mut(width).zip(places) {
            self.words.read(id as usize, &mut word);
            let position = &self.positions[position as usize * width..][..hidden];
            add_rows(self.isa, &word, position, &mut row[..hidden]);
            row[hidden..].fill(0.0);
        }
        let kind = self.layers.first().map_or(Word::F32, |layer| layer.qkv.weights.kind());
        buffers.words.prepare(kind, n_tokens, width);
        self.normalise(&self.norm, &mut buffers.x, 0..n_tokens, &mut buffers.words, team);
    }

    fn run_layer(&self, layer: &Layer, buffers: &mut Buffers, lengths: &[usize], next: Option<Word>, team: Team<'_>) {
        let n_tokens: usize = lengths.iter().sum();
        let Buffers { x, words, qkv, mixed, mixed_words, .. } = buffers;
        qkv.prepare(self.heads.kind, n_tokens, layer.qkv.bias.len());
        let to = Destination::Words(qkv.shared());
        layer.qkv.run(self.source(&layer.qkv, words, 0..n_tokens, team), None, to, 0);
        let mixed_width = layer.output.weights.depth() * layer.output.weights.kind().parts();
        mixed.resize(n_tokens * mixed_width);
        self.attend(qkv, lengths, mixed, mixed_width, team);
        mixed_words.prepare(layer.output.weights.kind(), n_tokens, mixed_width);
        self.pack(mixed, mixed_words, n_tokens, team);
        let to = Destination::AddTo { rows: Shared::new(x), stride: self.width };
        layer.output.run(self.source(&layer.output, mixed_words, 0..n_tokens, team), None, to, 0);
        words.prepare(layer.up.weights.kind(), n_tokens, self.width);
        self.normalise(&layer.output_norm, x, 0..n_tokens, words, team);
        for first in (0..n_tokens).step_by(FEED_FORWARD_ROWS) {
            self.feed_forward(layer, buffers, first..(first + FEED_FORWARD_ROWS).min(n_tokens), team);
        }
        let Buffers { x, words, .. } = buffers;
        words.prepare(next.unwrap_or(Word::F32), n_tokens, self.width);
        self.normalise(&layer.down_norm, x, 0..n_tokens, words, team);
    }

    fn attend(&self, qkv: &WordRows, lengths: &[usize], mixed: &mut [f32], mixed_width: usize, team: Team<'_>) {
        let kernel = Kernel::new(self.isa, self.heads.kind);
        let (words, stride) = (qkv.words(), qkv.stride());
        let attention = Attention { isa: self.isa, kernel, shape: self.heads, words, stride, lengths };
        // SAFETY: `mixed` is borrowed for writing here alone.
        unsafe { attention.run(team, Shared::new(mixed), mixed_width) }
    }

    fn feed_forward(&self, layer: &Layer, buffers: &mut Buffers, rows: Range<usize>, team: Team<'_>) {
        let Buffers { x, words, inner, inner_words, .. } = buffers;
        let (n_rows, inner_width) = (rows.len(), layer.up.bias.len());
        let kind = layer.down.weights.kind();
        let activation = Some(self.config.activation);
        let source = self.source(&layer.up, words, rows.clone(), team);
        inner_words.prepare(kind, n_rows, inner_width);
        if kind == Word::Int8 {
            inner.resize(n_rows * inner_width);
            let to = Destination::Store { rows: Shared::new(inner), stride: inner_width };
            layer.up.run(source, activation, to, 0);
            self.pack(inner, inner_words, n_rows, team);
        } else {
            layer.up.run(source, activation, Destination::Words(inner_words.shared()), 0);
        }
        let to = Destination::AddTo { rows: Shared::new(x), stride: self.width };
        layer.down.run(self.source(&layer.down, inner_words, 0..n_rows, team), None, to, rows.start);
    }

    /// Rows that a product of `dense` takes.
    fn source<'a>(&self, dense: &Dense, rows: &'a WordRows, range: Range<usize>, team: Team<'a>) -> Source<'a> {
        Source { team, isa: self.isa, kernel: dense.kernel, rows, range }
    }

    fn normalise(&self, norm: &Norm, x: &mut [f32], rows: Range<usize>, words: &mut WordRows, team: Team<'_>) {
        let (x, words) = (Shared::new(x), words.shared());
        team.each(rows.len().div_ceil(ROWS_A_PIECE), |piece| {
            let first = rows.start + piece * ROWS_A_PIECE;
            // SAFETY: each piece has rows of its own, of buffers borrowed for writing here alone.
            unsafe { norm_rows(self.isa, x, first..(first + ROWS_A_PIECE).min(rows.end), norm, words) }
        });
    }

    fn pack(&self, numbers: &[f32], words: &mut WordRows, n_rows: usize, team: Team<'_>) {
        let rows = words.shared();
        let stride = rows.stride * rows.kind.parts();
        team.each(n_rows.div_ceil(ROWS_A_PIECE), |piece| {
            let first_row = piece * ROWS_A_PIECE;
            let n_rows = (n_rows - first_row).min(ROWS_A_PIECE);
            // SAFETY: each piece has rows of its own, of a buffer borrowed for writing here alone.
            unsafe { Pack { numbers, stride, rows, first_row, n_rows }.run(self.isa) }
        });
    }

    /// BERT counts from 0. RoBERTa counts from the padding token's id plus 1, and gives a padding token that stands in the
    /// text itself the padding's own position.
    fn position_ids(&self, ids: &[u32]) -> Vec<u32> {
        position_ids(&self.config, ids)
    }
}

/// See [`Encoder::position_ids`].
pub fn position_ids(config: &BertConfig, ids: &[u32]) -> Vec<u32> {
    if config.family != Family::Roberta {
        return (0u32..).take(ids.len()).collect();
    }
    let padding = config.pad_token_id;
    let mut last = padding;
    let next = |&id: &u32| {
        if id == padding {
            return padding;
        }
        last += 1;
        last
    };
    ids.iter().map(next).collect()
}

impl Table {
    fn new(words: Vec<f32>, exact: bool) -> Self {
        if exact { Self::F32(words) } else { Self::Bf16(words.into_iter().map(half::bf16::from_f32).collect()) }
    }

    fn len(&self) -> usize {
        match self {
            Self::F32(numbers) => numbers.len(),
            Self::Bf16(numbers) => numbers.len(),
        }
    }

    fn n_bytes(&self) -> usize {
        match self {
            Self::F32(numbers) => 4 * numbers.len(),
            Self::Bf16(numbers) => 2 * numbers.len(),
        }
    }

    /// One word's vector.
    fn read(&self, word: usize, to: &mut [f32]) {
        let range = word * to.len()..(word + 1) * to.len();
        match self {
            Self::F32(numbers) => to.copy_from_slice(&numbers[range]),
            Self::Bf16(numbers) => {
                to.iter_mut()
                    .zip(&numbers[range])
                    .for_each(|(to, x)| *to = f32::from_bits(u32::from(x.to_bits()) << 16));
            }
        }
    }
}

impl Layer {
    fn pack(weights: LayerWeights, config: &BertConfig, plan: Plan, heads: HeadShape, number: usize) -> Self {
        let (hidden, inner) = (config.hidden_size, config.intermediate_size);
        let kinds = plan.kinds(number, config.n_layers);
        let (hidden_order, inner_order) = (outputs_in_order(hidden), outputs_in_order(inner));
        let mixed_order: Vec<Option<usize>> = padded_order(heads.places().collect());
        let qkv = joined(&weights, heads);
        Self {
            qkv: Dense::pack(plan, kinds.qkv, &qkv, hidden, &qkv_order(heads, hidden), &hidden_order),
            output: Dense::pack(plan, kinds.output, &weights.output, hidden, &hidden_order, &mixed_order),
            output_norm: padded_norm(&weights.output_norm, config.layer_norm_eps),
            up: Dense::pack(plan, kinds.up, &weights.up, hidden, &inner_order, &hidden_order),
            down: Dense::pack(plan, kinds.down, &weights.down, inner, &hidden_order, &inner_order),
            down_norm: padded_norm(&weights.down_norm, config.layer_norm_eps),
        }
    }
}

impl Dense {
    /// `to = activation(source · weights + bias)`, from row `to_row` on. `to` must be made of a buffer that the caller alone has.
    fn run(&self, source: Source<'_>, activation: Option<Activation>, to: Destination<'_>, to_row: usize) {
        let finish = Finish { bias: &self.bias, activation, to };
        // SAFETY: all callers make `to` of a buffer that they borrow for writing.
        unsafe { finish.product(source, &self.weights, to_row) }
    }

    fn pack(
        plan: Plan,
        kind: Word,
        linear: &Linear,
        n_inputs: usize,
        outputs: &[Option<usize>],
        inputs: &[Option<usize>],
    ) -> Self {
        let bias: Vec<f32> = outputs.iter().map(|output| output.map_or(0.0, |output| linear.bias[output])).collect();
        Self {
            weights: Panels::pack(kind, &linear.weight, n_inputs, outputs, inputs),
            bias: Lines::from(&bias[..]),
            kernel: Kernel::new(plan.isa, kind),
        }
    }
}

/// Queries, keys and values as one layer; queries are scaled as [`Attention`] wants them.
fn joined(weights: &LayerWeights, heads: HeadShape) -> Linear {
    let scale = std::f64::consts::LOG2_E / (heads.head_size as f64).sqrt();
    let scaled = |numbers: &[f32]| -> Vec<f32> { numbers.iter().map(|&x| (f64::from(x) * scale) as f32).collect() };
    let LayerWeights { query, key, value, .. } = weights;
    Linear {
        weight: [&scaled(&query.weight), &key.weight, &value.weight].map(|part| &part[..]).concat(),
        bias: [&scaled(&query.bias), &key.bias, &value.bias].map(|part| &part[..]).concat(),
    }
}

/// Which output of the joined layer each column of its result is.
fn qkv_order(heads: HeadShape, hidden: usize) -> Vec<Option<usize>> {
    let part = |part: usize| heads.places().map(move |place| place.map(|column| part * hidden + column));
    padded_order((0..3).flat_map(part).collect())
}

fn padded_order(mut order: Vec<Option<usize>>) -> Vec<Option<usize>> {
    order.resize(order.len().next_multiple_of(PANEL), None);
    order
}

fn padded_rows(rows: &[f32], hidden: usize, width: usize) -> Lines<f32> {
    let mut padded = Lines::zeros(rows.len() / hidden * width);
    for (to, from) in padded.chunks_exact_mut(width).zip(rows.chunks_exact(hidden)) {
        to[..hidden].copy_from_slice(from);
    }
    padded
}

fn padded_norm(norm: &Scaling, epsilon: f32) -> Norm {
    let hidden = norm.scale.len();
    let width = hidden.next_multiple_of(PANEL);
    let pad = |numbers: &[f32]| padded_rows(numbers, hidden, width);
    Norm { scale: pad(&norm.scale), shift: pad(&norm.shift), epsilon, n_columns: hidden }
}
