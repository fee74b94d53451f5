//! A sample shop to try things on: an invented outdoor and home shop with customers grown from planted personas.
//!
//! Everything in it is made up by the program, from a seed: no data set, no real person, no real product. The truth (who was
//! grown from which persona) is written aside, so that a fit can be measured against it; no fact names a persona.

mod catalogue;
mod customer;
mod dice;
mod grammar;
mod grammar_en;
mod grammar_zh;
mod personas;
mod planted;
mod shop;
#[cfg(test)]
mod tests;
mod voices_en;
mod voices_zh;

pub use planted::{PlantedFiles, PlantedKind, PlantedSettings, write_planted};
pub use shop::{SHOP_NAME, ShopFiles, ShopSettings, write_shop};
