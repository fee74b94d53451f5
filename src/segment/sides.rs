//! The sides of customers as columns: texts as vectors, behaviour scaled, traits encoded. What of it counts, and how much, comes after.

use super::people::People;
use crate::domain::{BlockChoice, BlockKind, BlockWeights, CustomerId, Inputs, Invalid, LeftOut, Picked};
use crate::features::{
    Behaviour, Categories, Cutoff, Dropped, FeatureSet, Kind, Scaling, Selection, TableScaler, TraitEncoder, TraitKind,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Hours and weekdays: many columns that say one thing, and less than what people buy. They are a part of their own, so that their
/// number does not outweigh the rest.
const RHYTHM: [&str; 9] = [
    "hour_sin",
    "hour_cos",
    "night_share",
    "morning_share",
    "afternoon_share",
    "evening_share",
    "weekday_sin",
    "weekday_cos",
    "weekend_share",
];
/// Of the behaviour block's weight, where there is anything else.
const RHYTHM_SHARE: f64 = 0.2;
/// Features of categories are called so and by the category.
const CATEGORY: &str = "category_share:";
/// Values of a trait that have a coordinate of their own, at most.
const MAX_CATEGORIES: usize = 12;
/// A trait's value that fewer customers have has none: it would say more of them than of a segment.
const FEWEST_WITH_VALUE: usize = 5;

/// Columns of one part of a block, `[n, width]`.
#[derive(Debug, Clone)]
pub struct Part {
    pub name: &'static str,
    pub block: BlockKind,
    /// Of the block's weight; the parts of a block have 1 together.
    pub share: f64,
    pub width: usize,
    pub values: Vec<f64>,
    pub missing: Vec<bool>,
}

/// Texts as points: row i of `values`, `[n_writers, dimension]`, is the customer in row `rows[i]`.
#[derive(Debug, Clone, Copy)]
pub struct TextRows<'a> {
    pub rows: &'a [usize],
    pub values: &'a [f32],
    pub dimension: usize,
}

/// What turns a customer's behaviour into columns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BehaviourColumns {
    /// The catalogue is left out: it is taken as it is when a customer is placed.
    pub settings: Behaviour,
    /// Columns of the settings' features: what people do.
    pub doing: Vec<usize>,
    /// And when.
    pub rhythm: Vec<usize>,
    /// Of `doing` and `rhythm`, one after the other.
    pub scaler: TableScaler,
}

/// Everything that turns a customer's facts into columns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Encoders {
    pub cutoff: Cutoff,
    pub behaviour: Option<BehaviourColumns>,
    pub traits: Option<TraitEncoder>,
    /// Columns of the text block; 0 where there is none.
    pub text_width: usize,
}

/// All sides of some customers, with what made them.
#[derive(Debug, Clone)]
pub struct Sides {
    /// `[n]`
    pub customers: Vec<CustomerId>,
    pub parts: Vec<Part>,
    pub encoders: Encoders,
    /// Columns that were left out, by block.
    pub left_out: BTreeMap<BlockKind, Vec<LeftOut>>,
}

/// What is known of one customer.
#[derive(Debug, Clone, Copy, Default)]
pub struct Known<'a> {
    pub text: Option<&'a [f32]>,
    /// Features of the encoders' own settings, all of them.
    pub behaviour: Option<&'a [Option<f64>]>,
    pub traits: Option<&'a Map<String, Value>>,
}

impl Sides {
    /// The columns that these inputs may use, of those that there are data for.
    pub fn of(people: &People, text: Option<TextRows<'_>>, inputs: &Inputs) -> Self {
        let n = people.table.n_customers();
        let mut sides = Self {
            customers: people.customers().to_vec(),
            parts: Vec::new(),
            encoders: Encoders { cutoff: people.cutoff, behaviour: None, traits: None, text_width: 0 },
            left_out: BTreeMap::new(),
        };
        if let Some(text) = text.filter(|text| inputs.may_use(BlockKind::Text) && !text.rows.is_empty()) {
            sides.encoders.text_width = text.dimension;
            sides.parts.push(Part::of_text(text, n));
        }
        // Who was not asked for behaviour by name gets it where people did more than write.
        let is_named = matches!(inputs.blocks, BlockChoice::Weights(_));
        if inputs.may_use(BlockKind::Behaviour) && (is_named || people.do_anything()) {
            sides.add_behaviour(&people.behaviour, &people.table, &inputs.features);
        }
        if inputs.may_use(BlockKind::Traits) {
            sides.add_traits(&people.traits, &inputs.traits);
        }
        sides
    }

    /// The same encoders on the same customers at another moment, and with other texts.
    pub fn at(&self, table: &FeatureSet, traits: &[Map<String, Value>], text: Option<TextRows<'_>>) -> Self {
        let n = table.n_customers();
        let mut parts = Vec::with_capacity(self.parts.len());
        parts.extend(text.filter(|text| self.encoders.text_width == text.dimension).map(|text| Part::of_text(text, n)));
        if let Some(behaviour) = &self.encoders.behaviour {
            parts.extend(behaviour.parts((0..n).map(|row| table.row(row))));
        }
        if let Some(encoder) = &self.encoders.traits {
            parts.push(Part::of_traits(encoder, traits));
        }
        Self { customers: table.customers.clone(), parts, ..self.without_parts() }
    }

    /// The customers of whom something of a block that counts is known.
    pub fn known_by(&self, weights: BlockWeights) -> Self {
        let counts = |row: &usize| weights.blocks().any(|block| self.knows(*row, block));
        self.select(&(0..self.customers.len()).filter(counts).collect::<Vec<usize>>())
    }

    /// Some customers, in the order of `rows`.
    pub fn select(&self, rows: &[usize]) -> Self {
        let customers = rows.iter().map(|row| self.customers[*row].clone()).collect();
        let parts = self.parts.iter().map(|part| part.select(rows)).collect();
        Self { customers, parts, ..self.without_parts() }
    }

    fn without_parts(&self) -> Self {
        Self {
            customers: self.customers.clone(),
            parts: Vec::new(),
            encoders: self.encoders.clone(),
            left_out: self.left_out.clone(),
        }
    }

    /// Blocks there are data for.
    pub fn blocks(&self) -> Vec<BlockKind> {
        BlockKind::ALL.into_iter().filter(|block| self.parts.iter().any(|part| part.block == *block)).collect()
    }

    /// Customers who have something of a block.
    pub fn n_known(&self, block: BlockKind) -> usize {
        (0..self.customers.len()).filter(|row| self.knows(*row, block)).count()
    }

    pub fn knows(&self, row: usize, block: BlockKind) -> bool {
        self.parts.iter().any(|part| part.block == block && part.has(row))
    }

    /// Ids of the columns of a block; none for text.
    pub fn columns(&self, block: BlockKind) -> Vec<String> {
        let features = match block {
            BlockKind::Text => return Vec::new(),
            BlockKind::Behaviour => self.encoders.behaviour.iter().flat_map(|b| &b.scaler.features).collect(),
            BlockKind::Traits => return self.encoders.traits.iter().flat_map(|t| t.traits.keys().cloned()).collect(),
        };
        let features: Vec<_> = features;
        features.into_iter().map(|feature| feature.id.to_string()).collect()
    }

    fn add_behaviour(&mut self, settings: &Behaviour, table: &FeatureSet, picked: &Picked) {
        // Who is known by traits alone says nothing of how behaviour is spread.
        let active: Vec<usize> =
            (0..table.n_customers()).filter(|&row| table.row(row).iter().any(Option::is_some)).collect();
        let of_active = table.of_customers(&active);
        let (kept, left_out) = chosen(&of_active, picked);
        self.left_out.insert(BlockKind::Behaviour, left_out);
        if kept.is_empty() {
            return;
        }
        let (rhythm, doing): (Vec<usize>, Vec<usize>) =
            kept.into_iter().partition(|column| RHYTHM.contains(&&*table.features[*column].id));
        let columns: Vec<usize> = doing.iter().chain(&rhythm).copied().collect();
        let scaler = TableScaler::fit_with(&of_active.select(&columns), |feature| scalings(feature.kind));
        let settings = Behaviour { catalogue: Categories::default(), ..settings.clone() };
        let behaviour = BehaviourColumns { settings, doing, rhythm, scaler };
        self.parts.extend(behaviour.parts((0..table.n_customers()).map(|row| table.row(row))));
        self.encoders.behaviour = Some(behaviour);
    }

    fn add_traits(&mut self, rows: &[Map<String, Value>], picked: &Picked) {
        let rows: Vec<Map<String, Value>> = rows.iter().map(|traits| taken(traits, picked)).collect();
        let mut encoder = TraitEncoder::fit(&rows, MAX_CATEGORIES);
        fold_rare_values(&mut encoder, &rows);
        if !encoder.traits.is_empty() {
            self.parts.push(Part::of_traits(&encoder, &rows));
            self.encoders.traits = Some(encoder);
        }
    }
}

/// Counts, money and days by their logarithm, and every column with one and the same spread: by its quartiles a column of two values
/// would weigh less than one of noise.
fn scalings(kind: Kind) -> &'static [Scaling] {
    match kind {
        Kind::Count | Kind::Amount | Kind::Duration | Kind::Ratio => &[Scaling::Log1p, Scaling::Standard],
        Kind::Share | Kind::Score | Kind::Circle | Kind::Change => &[Scaling::Standard],
        Kind::Trait => &[],
    }
}

/// Columns worth keeping of those asked for. Who names columns gets all of them that differ between customers.
fn chosen(table: &FeatureSet, picked: &Picked) -> (Vec<usize>, Vec<LeftOut>) {
    let asked: Vec<usize> = (0..table.n_features()).filter(|c| picked.takes(&table.features[*c].id)).collect();
    let part = table.select(&asked);
    let selection = match picked.only.is_empty() {
        true => Selection::default(),
        false => Selection { max_correlation: f64::INFINITY, ..Selection::default() },
    };
    let selected = selection.select(&part);
    let id = |column: usize| part.features[column].id.to_string();
    let reason = |reason: &Dropped| match reason {
        Dropped::Missing { share } => format!("{:.0} % of the customers have none", 100.0 * share),
        Dropped::Same { share } => format!("{:.0} % of the customers have the same", 100.0 * share),
        Dropped::Redundant { of, correlation } => {
            format!("says what {} says (rank correlation {correlation:.2})", id(*of))
        }
    };
    let dropped = selected.dropped.iter();
    let left_out = dropped.map(|(column, why)| LeftOut { column: id(*column), reason: reason(why) }).collect();
    (selected.kept.into_iter().map(|column| asked[column]).collect(), left_out)
}

/// # Errors
/// A list names a feature that no customer ever has.
pub fn check_features(picked: &Picked) -> Result<(), Invalid> {
    let features = Behaviour::default().features();
    let is_known = |name: &str| match name.strip_suffix('*') {
        Some(start) => start.starts_with(CATEGORY) || features.iter().any(|feature| feature.id.starts_with(start)),
        None => name.starts_with(CATEGORY) || features.iter().any(|feature| feature.id == name),
    };
    match picked.only.iter().chain(&picked.without).find(|name| !is_known(name) && !CATEGORY.starts_with(name.as_str()))
    {
        None => Ok(()),
        Some(name) => {
            let ids: Vec<&str> = features.iter().map(|feature| &*feature.id).collect();
            let ids = ids.join(", ");
            Err(Invalid::new("features", format!("names {name:?}; there are {ids}, and {CATEGORY}NAME")))
        }
    }
}

/// A customer's traits that are asked for.
pub fn taken(traits: &Map<String, Value>, picked: &Picked) -> Map<String, Value> {
    traits.iter().filter(|(name, _)| picked.takes(name)).map(|(name, value)| (name.clone(), value.clone())).collect()
}

fn fold_rare_values(encoder: &mut TraitEncoder, rows: &[Map<String, Value>]) {
    encoder.traits.retain(|name, kind| {
        let TraitKind::Category { values } = kind else { return true };
        let holders =
            |value: &String| rows.iter().filter(|row| row.get(name).and_then(Value::as_str) == Some(value)).count();
        values.retain(|value| holders(value) >= FEWEST_WITH_VALUE.min(1 + rows.len() / 10));
        !values.is_empty()
    });
}

impl BehaviourColumns {
    /// Scaled columns of these features' rows, `doing` and `rhythm` as a part each.
    fn parts(&self, rows: impl Iterator<Item = Vec<Option<f64>>>) -> Vec<Part> {
        let rhythm_share = match (self.doing.is_empty(), self.rhythm.is_empty()) {
            (_, true) => 0.0,
            (true, false) => 1.0,
            (false, false) => RHYTHM_SHARE,
        };
        let part = |name, share, width| Part {
            name,
            block: BlockKind::Behaviour,
            share,
            width,
            values: Vec::new(),
            missing: Vec::new(),
        };
        let (mut doing, mut rhythm) =
            (part("behaviour", 1.0 - rhythm_share, self.doing.len()), part("rhythm", rhythm_share, self.rhythm.len()));
        for row in rows {
            let scaled = self.scaled(&row);
            doing.extend(scaled[..self.doing.len()].iter().copied());
            rhythm.extend(scaled[self.doing.len()..].iter().copied());
        }
        [doing, rhythm].into_iter().filter(|part| part.width > 0).collect()
    }

    /// The kept features of a row of all, scaled.
    pub fn scaled(&self, row: &[Option<f64>]) -> Vec<Option<f64>> {
        let kept: Vec<Option<f64>> = self.doing.iter().chain(&self.rhythm).map(|column| row[*column]).collect();
        self.scaler.apply_row(&kept)
    }
}

impl Part {
    fn extend(&mut self, cells: impl Iterator<Item = Option<f64>>) {
        for cell in cells {
            self.values.push(cell.unwrap_or_default());
            self.missing.push(cell.is_none());
        }
    }

    fn of_text(text: TextRows<'_>, n: usize) -> Self {
        let width = text.dimension;
        let (mut values, mut missing) = (vec![0.0; n * width], vec![true; n * width]);
        for (&row, vector) in text.rows.iter().zip(text.values.chunks_exact(width)) {
            let at = row * width..(row + 1) * width;
            values[at.clone()].iter_mut().zip(vector).for_each(|(value, &v)| *value = f64::from(v));
            missing[at].fill(false);
        }
        Self { name: "text", block: BlockKind::Text, share: 1.0, width, values, missing }
    }

    fn of_traits(encoder: &TraitEncoder, rows: &[Map<String, Value>]) -> Self {
        let width = encoder.features().len();
        let (values, missing) = (Vec::with_capacity(rows.len() * width), Vec::with_capacity(rows.len() * width));
        let mut part = Self { name: "traits", block: BlockKind::Traits, share: 1.0, width, values, missing };
        rows.iter().for_each(|row| part.extend(encoder.row(row).into_iter()));
        part
    }

    /// Whether anything of it is known of a customer.
    pub fn has(&self, row: usize) -> bool {
        self.missing[row * self.width..][..self.width].iter().any(|missing| !missing)
    }

    /// Some rows of it.
    pub fn select(&self, rows: &[usize]) -> Self {
        let at = |row: usize| row * self.width..(row + 1) * self.width;
        let values = rows.iter().flat_map(|row| &self.values[at(*row)]).copied().collect();
        let missing = rows.iter().flat_map(|row| &self.missing[at(*row)]).copied().collect();
        Self { values, missing, ..*self }
    }
}

impl Encoders {
    /// One customer's parts, all of them.
    pub fn parts_of(&self, known: Known<'_>) -> Vec<Part> {
        let mut parts = Vec::new();
        if self.text_width > 0 {
            let text = known.text.unwrap_or_default();
            let rows: &[usize] = if text.is_empty() { &[] } else { &[0] };
            parts.push(Part::of_text(TextRows { rows, values: text, dimension: self.text_width }, 1));
        }
        if let Some(behaviour) = &self.behaviour {
            let nothing = || vec![None; behaviour.settings.features().len()];
            let row = known.behaviour.map_or_else(nothing, <[Option<f64>]>::to_vec);
            parts.extend(behaviour.parts(std::iter::once(row)));
        }
        if let Some(encoder) = &self.traits {
            let traits = known.traits.cloned().unwrap_or_default();
            parts.push(Part::of_traits(encoder, std::slice::from_ref(&traits)));
        }
        parts
    }
}
