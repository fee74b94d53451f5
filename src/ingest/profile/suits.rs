//! Whether a column's values can be what its name says, and what values alone say.

use super::super::Kind;
use super::names::{self, Role};
use super::propose::is_unique;
use super::report::ColumnProfile;
use super::typing::Type;

/// How well the values suit a role: 0 where they cannot be it.
pub(super) fn suits(role: Role, kind: Kind, column: &ColumnProfile) -> f64 {
    let filled = if column.missing.share > 0.5 { 0.4 } else { 1.0 };
    filled
        * match role {
            Role::Customer => customer(kind, column),
            Role::Id => row_id(kind, column),
            Role::Text => text(column.kind),
            Role::Rating => rating(column),
            Role::Time => column.times.as_ref().map_or(0.0, |times| if times.is_taken { 1.0 } else { 0.0 }),
            Role::Currency => currency(column),
            Role::Total | Role::Price | Role::Discount => amount(kind, column),
            _ => by_type(role, column.kind),
        }
}

fn by_type(role: Role, kind: Type) -> f64 {
    match (role, kind) {
        (Role::Item, Type::Id | Type::Category) | (Role::Event, Type::Category) | (Role::Quantity, Type::Integer) => {
            1.0
        }
        (Role::Item | Role::Category, Type::Text) | (Role::Item, Type::Integer | Type::Boolean) => 0.9,
        (Role::Event, Type::Text) => 0.6,
        (Role::Quantity, Type::Decimal | Type::Boolean)
        | (Role::Category, Type::Integer | Type::Boolean | Type::Id) => 0.5,
        (Role::Lines, Type::List) | (Role::Category, Type::Category) => 1.0,
        (Role::Name, Type::Text | Type::Category) | (Role::Description, Type::FreeText | Type::Text) => 1.0,
        (Role::Name, Type::FreeText) => 0.9,
        (Role::Description, Type::Mixed) => 0.5,
        _ => 0.0,
    }
}

fn customer(kind: Kind, column: &ColumnProfile) -> f64 {
    let by_type = match column.kind {
        Type::Id | Type::Email | Type::Phone => 1.0,
        Type::Text | Type::Category | Type::Integer => 0.9,
        _ => 0.0,
    };
    // A customer's row is the customer's alone.
    if kind == Kind::Customers && !is_unique(column) { 0.3 * by_type } else { by_type }
}

/// The id of a row has to be its alone; that of an order may come with each of its lines.
fn row_id(kind: Kind, column: &ColumnProfile) -> f64 {
    let is_code = matches!(column.kind, Type::Id | Type::Integer | Type::Text);
    let is_own = is_unique(column) || kind == Kind::Orders && column.missing.n == 0 && column.distinct.n > 1;
    if is_code && is_own { 1.0 } else { 0.0 }
}

fn text(kind: Type) -> f64 {
    match kind {
        Type::FreeText => 1.0,
        Type::Text => 0.8,
        Type::Mixed => 0.5,
        Type::Category => 0.3,
        _ => 0.0,
    }
}

fn rating(column: &ColumnProfile) -> f64 {
    let Some(numbers) = &column.numbers else { return if column.kind == Type::Boolean { 0.5 } else { 0.0 } };
    if numbers.p05 >= -10.0 && numbers.p95 <= 100.0 { 1.0 } else { 0.0 }
}

/// Codes of three letters, or signs.
fn currency(column: &ColumnProfile) -> f64 {
    let is_short = column.lengths.is_some_and(|[_, median, max]| median <= 3.0 && max <= 8.0);
    if is_short && column.distinct.n <= 50 && matches!(column.kind, Type::Category | Type::Text | Type::Mixed) {
        1.0
    } else {
        0.0
    }
}

fn amount(kind: Kind, column: &ColumnProfile) -> f64 {
    match column.kind {
        Type::Money | Type::Decimal | Type::Integer => 1.0,
        // Catalogues are full of ranges and words in place of a price, and those are kept as they are.
        Type::Mixed if kind == Kind::Items => 0.7,
        _ => 0.0,
    }
}

/// What a column could be whose name says nothing.
pub(super) fn by_content(role: Role, kind: Kind, column: &ColumnProfile) -> f64 {
    let is_item = names::speaks_for(&column.name, Role::Item, Kind::Orders) >= 0.9;
    let comes_again = column.distinct.n > 1 && !is_unique(column);
    match (role, kind) {
        (Role::Text, Kind::Reviews) if column.kind == Type::FreeText => 0.45,
        (Role::Customer, Kind::Reviews | Kind::Events | Kind::Orders)
            if column.kind == Type::Id && comes_again && !is_item =>
        {
            0.3
        }
        (Role::Customer, Kind::Reviews | Kind::Orders) if column.kind == Type::Email => 0.5,
        (Role::Time, _) if column.kind == Type::Time => 0.6,
        (Role::Total, Kind::Orders) if column.kind == Type::Money => 0.4,
        (Role::Name, Kind::Items) if column.kind == Type::Text && is_unique(column) => 0.35,
        _ => 0.0,
    }
}
