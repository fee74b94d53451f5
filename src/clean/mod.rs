//! What is wrong with facts that could be read, and what is done about it; the language of a text; amounts in one currency.
//!
//! Pure: facts, settings and what was seen before go in, verdicts come out. `intake` asks and the store remembers.

mod amounts;
mod currencies;
mod judge;
mod review_text;
mod rules;
mod settings;
#[cfg(test)]
mod tests;
mod tongue;

pub use amounts::Amounts;
pub use currencies::{Currencies, CurrenciesError, Rate};
pub use judge::{Circumstances, Judge, Verdict, repeated_among};
pub use rules::{About, Action, RULES, about};
pub use settings::{CleaningSettings, Limits, SettingsError};
pub use tongue::tongue;
