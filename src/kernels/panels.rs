//! Weights as words, packed once when a model is loaded: a panel of 64 columns after the other, each `[depth, 64]`, so that a
//! product reads them in one stream.

use super::{LANES, Lines, PANEL, Word, column_of};

/// A packed weight matrix.
pub struct Panels {
    kind: Word,
    words: Lines<u32>,
    /// Words of a row of inputs.
    depth: usize,
    n_panels: usize,
    /// One a column for 8-bit weights: a number stands for `byte * scale`. Else empty.
    column_scales: Vec<f32>,
    /// One a column for 8-bit weights: the sum of its bytes. Else empty.
    column_sums: Vec<i32>,
}

impl Panels {
    /// Packs `weight`, `[n_outputs, n_inputs]` row by row as the files have it. `outputs` says which output each column of the
    /// result is and `inputs` which input each number of a row is, None where a buffer has padding; their lengths are
    /// multiples of [`PANEL`].
    pub fn pack(
        kind: Word,
        weight: &[f32],
        n_inputs: usize,
        outputs: &[Option<usize>],
        inputs: &[Option<usize>],
    ) -> Self {
        let depth = inputs.len() / kind.parts();
        let mut panels = Self {
            kind,
            words: Lines::zeros(depth * outputs.len()),
            depth,
            n_panels: outputs.len() / PANEL,
            column_scales: Vec::new(),
            column_sums: Vec::new(),
        };
        for (column, output) in outputs.iter().enumerate() {
            let row = output.map(|output| &weight[output * n_inputs..][..n_inputs]);
            let value = |position: usize| row.zip(inputs[position]).map_or(0.0, |(row, input)| row[input]);
            panels.pack_column(column, value);
        }
        panels
    }

    fn pack_column(&mut self, column: usize, value: impl Fn(usize) -> f32) {
        let (kind, depth) = (self.kind, self.depth);
        let scale = (0..depth * kind.parts()).map(|i| value(i).abs()).fold(0f32, f32::max) / 127.0;
        let scale = if scale > 0.0 { scale } else { 1.0 };
        let byte = |position: usize| (value(position) / scale).round_ties_even().clamp(-127.0, 127.0) as i8;
        let start = (column / PANEL) * PANEL * depth + column % PANEL;
        for word in 0..depth {
            let number = |part: usize| value(column_of(kind, word, part));
            self.words[start + word * PANEL] = match kind {
                Word::F32 => number(0).to_bits(),
                Word::Bf16 => u32::from(bf16(number(0))) | u32::from(bf16(number(1))) << 16,
                Word::Int8 => {
                    u32::from_le_bytes(std::array::from_fn(|part| byte(column_of(kind, word, part)).cast_unsigned()))
                }
            };
        }
        if kind == Word::Int8 {
            self.column_scales.push(scale);
            self.column_sums.push((0..depth * kind.parts()).map(|i| i32::from(byte(i))).sum());
        }
    }

    pub fn kind(&self) -> Word {
        self.kind
    }

    pub fn depth(&self) -> usize {
        self.depth
    }

    pub fn n_panels(&self) -> usize {
        self.n_panels
    }

    /// `[depth, 64]`
    pub fn panel(&self, panel: usize) -> &[u32] {
        &self.words[panel * PANEL * self.depth..][..PANEL * self.depth]
    }

    /// Of the panel's 64 columns; empty unless the weights are 8-bit numbers.
    pub fn column_scales(&self, panel: usize) -> &[f32] {
        self.column_scales.get(panel * PANEL..(panel + 1) * PANEL).unwrap_or_default()
    }

    /// Of the panel's 64 columns; empty unless the weights are 8-bit numbers.
    pub fn column_sums(&self, panel: usize) -> &[i32] {
        self.column_sums.get(panel * PANEL..(panel + 1) * PANEL).unwrap_or_default()
    }

    pub fn n_bytes(&self) -> usize {
        4 * (self.words.len() + self.column_scales.len() + self.column_sums.len())
    }
}

/// The nearest bf16, ties to even.
fn bf16(number: f32) -> u16 {
    let bits = number.to_bits();
    ((bits + 0x7fff + (bits >> 16 & 1)) >> 16) as u16
}

const _: () = assert!(PANEL == 4 * LANES, "a panel is a group of the widest words");
