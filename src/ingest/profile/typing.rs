//! What a column is, by what most of its cells are and, where that leaves it open, by its name.

use super::super::Kind;
use super::cell::Class;
use super::column::Column;
use super::moment::Form;
use super::names::{self, Role};
use serde::Serialize;

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Type {
    /// Nothing at all.
    Empty,
    Integer,
    Decimal,
    /// Also 0 and 1.
    Boolean,
    Time,
    Money,
    /// Codes that stand for something.
    Id,
    Email,
    Phone,
    /// Few words that come again and again.
    Category,
    /// Names, titles and the like.
    Text,
    /// Sentences.
    FreeText,
    List,
    Object,
    /// No type has nine cells in ten.
    Mixed,
}

impl Type {
    pub(super) fn is_number(self) -> bool {
        matches!(self, Self::Integer | Self::Decimal | Self::Money)
    }
}

/// What a type needs of the filled cells.
const MOST: f64 = 0.9;

/// Shares and counts of a column that decisions are made of.
struct Facts<'a> {
    column: &'a Column,
    filled: f64,
    distinct: u64,
}

impl Facts<'_> {
    fn share(&self, classes: &[Class]) -> f64 {
        classes.iter().map(|class| self.column.of_class(*class).n as f64).sum::<f64>() / self.filled
    }

    fn is_mostly(&self, classes: &[Class]) -> bool {
        self.share(classes) >= MOST
    }

    fn is_unique(&self) -> bool {
        self.filled >= 20.0 && self.distinct as f64 >= 0.99 * self.filled
    }
}

pub(super) fn type_of(column: &Column) -> Type {
    let filled = column.n_filled();
    if filled == 0 {
        return Type::Empty;
    }
    let facts = Facts { column, filled: filled as f64, distinct: column.distinct.estimate() };
    for (class, kind) in [
        (Class::Time, Type::Time),
        (Class::Email, Type::Email),
        (Class::Phone, Type::Phone),
        (Class::List, Type::List),
        (Class::Object, Type::Object),
    ] {
        if facts.is_mostly(&[class]) {
            return kind;
        }
    }
    // A third word makes it a category: "no line" beside yes and no.
    if facts.share(&[Class::Boolean]) >= 0.995 {
        return Type::Boolean;
    }
    if facts.is_mostly(&[Class::Integer, Class::Decimal, Class::Money]) {
        return of_numbers(&facts);
    }
    let has_words = facts.share(&[Class::Text]) > 0.0;
    if has_words && facts.is_mostly(&[Class::Text, Class::Boolean]) {
        return of_words(&facts);
    }
    let is_coded = facts.is_mostly(&[Class::Text, Class::Integer, Class::Phone, Class::Decimal]) && is_compact(&facts);
    if is_coded { Type::Id } else { Type::Mixed }
}

fn of_numbers(facts: &Facts<'_>) -> Type {
    let column = facts.column;
    let is_named =
        |role| [Kind::Orders, Kind::Reviews].iter().any(|kind| names::speaks_for(&column.name, role, *kind) >= 0.6);
    let of_form =
        |forms: &[Form]| forms.iter().filter_map(|form| column.forms.get(form)).sum::<u64>() as f64 / facts.filled;
    if is_named(Role::Time) && of_form(&[Form::UnixSeconds, Form::UnixMilliseconds, Form::CompactDay]) >= MOST {
        return Type::Time;
    }
    let is_coded = names::is_id(&column.name) || is_named(Role::Customer) || names::is_personal(&column.name);
    if column.n_leading_zero > 0 || is_coded && facts.is_mostly(&[Class::Integer]) {
        return Type::Id;
    }
    let is_money = is_named(Role::Total) || is_named(Role::Price) || is_named(Role::Discount);
    if is_money || facts.share(&[Class::Money]) > 0.1 {
        return Type::Money;
    }
    if facts.share(&[Class::Decimal]) > 0.0 {
        return Type::Decimal;
    }
    let range = column.numbers.range();
    if range == Some((0.0, 1.0)) && facts.filled >= 10.0 {
        return Type::Boolean;
    }
    let is_measured = is_named(Role::Quantity) || is_named(Role::Rating);
    if facts.is_unique() && !is_measured { Type::Id } else { Type::Integer }
}

fn of_words(facts: &Facts<'_>) -> Type {
    let column = facts.column;
    let is_dense = matches!(column.language.guess(), Some("zh" | "ja" | "ko"));
    let median = column.lengths.at(0.5).unwrap_or(0.0);
    let is_sentence = is_dense && median >= 8.0 || median >= 20.0 && column.n_with_space as f64 > 0.5 * facts.filled;
    if is_sentence && facts.distinct as f64 >= 0.3 * facts.filled {
        return Type::FreeText;
    }
    let is_named = names::is_id(&column.name) || names::speaks_for(&column.name, Role::Customer, Kind::Orders) >= 0.9;
    if is_compact(facts) && (is_named || facts.distinct > 50 && !is_dense) || is_named && is_spaceless(facts) {
        return Type::Id;
    }
    let distinct = facts.distinct as f64;
    let comes_again = facts.filled >= 2.0 * distinct && (distinct <= 50.0 || distinct <= 0.05 * facts.filled);
    if comes_again && distinct <= 1_000.0 { Type::Category } else { Type::Text }
}

fn is_spaceless(facts: &Facts<'_>) -> bool {
    facts.column.n_with_space as f64 <= 0.01 * facts.filled
        && facts.column.lengths.at(0.5).is_some_and(|length| length <= 64.0)
}

/// Words with a digit and without a space in them, as codes are.
fn is_compact(facts: &Facts<'_>) -> bool {
    is_spaceless(facts) && facts.column.n_with_digit as f64 >= MOST * facts.filled
}

/// Whether nothing of a value may be shown but its shape.
pub(super) fn is_private(column: &Column, kind: Type) -> bool {
    let n_personal: u64 = column.personal.values().map(|spots| spots.n).sum();
    matches!(kind, Type::Id | Type::Email | Type::Phone | Type::Text | Type::FreeText | Type::List | Type::Object)
        || names::is_personal(&column.name)
        || names::speaks_for(&column.name, Role::Customer, Kind::Orders) >= 0.6
        || n_personal as f64 > 0.01 * column.n_filled() as f64
}
