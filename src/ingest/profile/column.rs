//! What is remembered of one column while the file is read.

use super::cell::{self, Class, Judged};
use super::language::Language;
use super::moment::Form;
use super::shown::{Eyes, first_chars};
use super::sketch::{Distinct, Extremes, Frequent, LONGEST_COUNTED, Quantiles, hash};
use crate::domain::Timestamp;
use jiff::Span;
use serde_json::Value;
use std::collections::BTreeMap;

/// Places that are told of each problem.
const EXAMPLES: usize = 3;
/// What is kept of a value for an example, in bytes.
const EXAMPLE_BYTES: usize = 256;
/// Marks of text that was read in a wrong encoding once: UTF-8 as Latin-1 or GBK, and the character that stands for what was lost.
const MOJIBAKE: [&str; 9] = ["\u{fffd}", "Ã©", "Ã¤", "Ã¶", "Ã¼", "â€", "Â ", "锟斤拷", "烫烫"];

/// How often something was met and the first places of it.
#[derive(Debug, Default, Clone)]
pub(super) struct Spots {
    pub n: u64,
    pub first: Vec<(u64, String)>,
}

impl Spots {
    pub(super) fn add(&mut self, line: u64, value: &str) {
        self.n += 1;
        if self.first.len() < EXAMPLES {
            self.first.push((line, first_chars(value, EXAMPLE_BYTES).to_owned()));
        }
    }
}

/// A cell as its file has it.
#[derive(Clone, Copy)]
pub(super) enum Cell<'a> {
    Bytes(&'a [u8]),
    Json(&'a Value),
}

/// What a column is looked at with.
pub(super) struct Looking<'a> {
    pub eyes: &'a Eyes,
    pub now: Timestamp,
    pub line: u64,
}

pub(super) struct Column {
    pub name: String,
    /// Cells that were met: in NDJSON a row may lack the field.
    pub n_cells: u64,
    pub missing: BTreeMap<&'static str, Spots>,
    /// By class, in the order of [`Class::ALL`].
    pub classes: [Spots; Class::ALL.len()],
    pub forms: BTreeMap<Form, u64>,
    pub distinct: Distinct,
    /// Values that were met before, as long as that is known.
    pub repeated: Spots,
    pub frequent: Frequent,
    pub numbers: Quantiles,
    pub extremes: Extremes,
    pub negative: Spots,
    /// Numbers over 5, over 10 and over 100.
    pub over: [u64; 3],
    pub n_leading_zero: u64,
    pub lengths: Quantiles,
    pub n_with_digit: u64,
    pub n_with_space: u64,
    pub spaced: Spots,
    pub bad_utf8: Spots,
    pub garbled: Spots,
    pub control: Spots,
    pub personal: BTreeMap<&'static str, Spots>,
    pub future: Spots,
    pub moments: Option<(Timestamp, Timestamp)>,
    pub currencies: BTreeMap<&'static str, u64>,
    pub language: Language,
}

impl Column {
    /// With how many distinct values it counts exactly.
    pub(super) fn new(name: String, exact_distinct: usize) -> Self {
        Self {
            name,
            n_cells: 0,
            missing: BTreeMap::new(),
            classes: Default::default(),
            forms: BTreeMap::new(),
            distinct: Distinct::new(exact_distinct),
            repeated: Spots::default(),
            frequent: Frequent::default(),
            numbers: Quantiles::default(),
            extremes: Extremes::default(),
            negative: Spots::default(),
            over: [0; 3],
            n_leading_zero: 0,
            lengths: Quantiles::default(),
            n_with_digit: 0,
            n_with_space: 0,
            spaced: Spots::default(),
            bad_utf8: Spots::default(),
            garbled: Spots::default(),
            control: Spots::default(),
            personal: BTreeMap::new(),
            future: Spots::default(),
            moments: None,
            currencies: BTreeMap::new(),
            language: Language::default(),
        }
    }

    /// Cells that hold something, readable or not.
    pub(super) fn n_filled(&self) -> u64 {
        self.n_cells - self.missing.values().map(|spots| spots.n).sum::<u64>()
    }

    pub(super) fn of_class(&self, class: Class) -> &Spots {
        &self.classes[class as usize]
    }

    pub(super) fn see(&mut self, cell: Cell<'_>, looking: &Looking<'_>) {
        self.n_cells += 1;
        match cell {
            Cell::Bytes(bytes) => match str::from_utf8(bytes) {
                Ok(text) => self.see_text(text, None, looking),
                Err(_) => {
                    self.distinct.see(hash(bytes));
                    self.bad_utf8.add(looking.line, &String::from_utf8_lossy(first_bytes(bytes)));
                }
            },
            Cell::Json(value) => {
                let (text, class) = cell::spelled(value);
                self.see_text(&text, class, looking);
            }
        }
    }

    fn see_text(&mut self, written: &str, class: Option<Class>, looking: &Looking<'_>) {
        let text = written.trim();
        if let Some(sort) = cell::missing(text) {
            self.missing.entry(sort).or_default().add(looking.line, text);
            return;
        }
        if text.len() != written.len() {
            self.spaced.add(looking.line, written);
        }
        let judged = match class {
            Some(class) => Judged { class, number: None, moment: None },
            None => cell::judge(text),
        };
        self.classes[judged.class as usize].add(looking.line, text);
        if self.distinct.see(hash(text.as_bytes())) == Some(true) {
            self.repeated.add(looking.line, text);
        }
        if text.len() <= LONGEST_COUNTED {
            self.frequent.see(text);
        }
        self.see_number(text, &judged, looking);
        self.see_moment(text, &judged, looking);
        self.see_words(text, &judged, looking);
    }

    fn see_number(&mut self, text: &str, judged: &Judged, looking: &Looking<'_>) {
        let Some(number) = judged.number else { return };
        self.numbers.see(number);
        self.extremes.see(number, looking.line);
        if number < 0.0 {
            self.negative.add(looking.line, text);
        }
        for (n, bound) in self.over.iter_mut().zip([5.0, 10.0, 100.0]) {
            *n += u64::from(number > bound);
        }
        let leads = text.len() > 1 && text.starts_with('0') && judged.class == Class::Integer;
        self.n_leading_zero += u64::from(leads);
        if judged.class == Class::Money
            && let Some(currency) = cell::currency(text)
        {
            *self.currencies.entry(currency).or_default() += 1;
        }
    }

    fn see_moment(&mut self, text: &str, judged: &Judged, looking: &Looking<'_>) {
        let Some((form, moment)) = judged.moment else { return };
        *self.forms.entry(form).or_default() += 1;
        let (first, last) = self.moments.unwrap_or((moment, moment));
        self.moments = Some((first.min(moment), last.max(moment)));
        // A day more, as a time without a zone may be ahead of ours.
        if looking.now.checked_add(Span::new().hours(24)).is_ok_and(|soon| moment > soon) {
            self.future.add(looking.line, text);
        }
    }

    fn see_words(&mut self, text: &str, judged: &Judged, looking: &Looking<'_>) {
        self.lengths.see(text.chars().count() as f64);
        self.n_with_digit += u64::from(text.bytes().any(|byte| byte.is_ascii_digit()));
        self.n_with_space += u64::from(text.contains(char::is_whitespace));
        let is_wordy = matches!(judged.class, Class::Text | Class::List | Class::Object);
        if is_wordy {
            self.language.see(text);
            self.see_damage(text, looking);
        }
        let may_be_personal = is_wordy || matches!(judged.class, Class::Email | Class::Phone | Class::Integer);
        if may_be_personal
            && judged.moment.is_none()
            && let Some(kind) = looking.eyes.personal(text)
        {
            self.personal.entry(kind).or_default().add(looking.line, text);
        }
    }

    fn see_damage(&mut self, text: &str, looking: &Looking<'_>) {
        if MOJIBAKE.iter().any(|mark| text.contains(mark)) {
            self.garbled.add(looking.line, text);
        }
        if text.contains(|c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t')) {
            self.control.add(looking.line, text);
        }
    }
}

fn first_bytes(bytes: &[u8]) -> &[u8] {
    &bytes[..bytes.len().min(EXAMPLE_BYTES)]
}
