//! Which kind of file it is and which column is what: proposed with how sure and why, never decided.

use super::super::{Format, Kind, Mapping};
use super::names::{self, Role};
use super::report::ColumnProfile;
use super::suits::{by_content, suits};
use super::typing::Type;
use serde::Serialize;

/// How a file could be imported as one kind.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Proposal {
    pub kind: Kind,
    /// 0 to 1, to be compared with the other kinds.
    pub sure: f64,
    /// Whether nothing that the kind needs is missing.
    pub is_complete: bool,
    pub mapping: Mapping,
    pub fields: Vec<Field>,
    /// What to look at before going by it.
    pub notes: Vec<String>,
}

/// A column that was found for a role.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Field {
    pub role: &'static str,
    pub column: String,
    pub sure: f64,
    pub why: String,
}

/// The columns of a file, those that a mapping can name.
pub(super) struct Columns<'a> {
    pub all: Vec<&'a ColumnProfile>,
    pub format: Format,
}

struct Found<'a> {
    role: Role,
    column: &'a ColumnProfile,
    sure: f64,
    by_name: bool,
}

const KINDS: [Kind; 5] = [Kind::Reviews, Kind::Events, Kind::Orders, Kind::Customers, Kind::Items];

/// A proposal for every kind, the likeliest first.
pub(super) fn all(columns: &Columns<'_>) -> Vec<Proposal> {
    let mut all: Vec<Proposal> = KINDS.into_iter().map(|kind| columns.propose(kind)).collect();
    all.sort_by(|a, b| b.is_complete.cmp(&a.is_complete).then(b.sure.total_cmp(&a.sure)));
    all
}

fn roles(kind: Kind) -> &'static [Role] {
    use Role::{
        Category, Currency, Customer, Description, Discount, Event, Id, Item, Lines, Name, Price, Quantity, Rating,
        Text, Time, Total,
    };
    match kind {
        Kind::Reviews => &[Customer, Text, Id, Item, Rating, Time],
        Kind::Events => &[Customer, Event, Id, Time],
        Kind::Orders => &[Customer, Id, Total, Item, Price, Quantity, Category, Lines, Currency, Discount, Time],
        Kind::Customers => &[Customer, Time],
        Kind::Items => &[Id, Name, Category, Description, Price, Currency, Time],
    }
}

impl<'a> Columns<'a> {
    fn propose(&self, kind: Kind) -> Proposal {
        if kind == Kind::Events && self.are_calls() {
            return calls();
        }
        let mut found = self.assigned(kind);
        let mut notes = Vec::new();
        if kind == Kind::Reviews {
            self.stand_in_customer(&mut found, &mut notes);
        }
        leave_out(kind, &mut found);
        let mut mapping = Mapping::default();
        for part in &found {
            set(&mut mapping, part.role, &part.column.name);
        }
        self.complete(kind, &found, &mut mapping, &mut notes);
        let is_complete = mapping.check(kind, self.format).is_ok();
        let sure = if is_complete { likelihood(kind, &found, self) } else { 0.0 };
        notes.extend(self.passed_over(kind, &found));
        let fields = found.iter().map(Found::told).collect();
        Proposal { kind, sure: hundredths(sure), is_complete, mapping, fields, notes }
    }

    /// Each role with the column that speaks for it most, and no column twice.
    fn assigned(&self, kind: Kind) -> Vec<Found<'a>> {
        let mut candidates = Vec::new();
        for role in roles(kind) {
            for column in &self.all {
                let name = names::speaks_for(&column.name, *role, kind);
                let content = if name > 0.0 { 0.0 } else { by_content(*role, kind, column) };
                let sure = name.max(content) * suits(*role, kind, column);
                if sure >= 0.25 {
                    candidates.push(Found { role: *role, column, sure, by_name: name > 0.0 });
                }
            }
        }
        // A stable sort: of equals the earlier role and column.
        candidates.sort_by(|a, b| b.sure.total_cmp(&a.sure));
        let mut taken: Vec<Found<'a>> = Vec::new();
        for one in candidates {
            let is_free = taken.iter().all(|other| other.role != one.role && other.column.name != one.column.name);
            if is_free {
                taken.push(one);
            }
        }
        taken.sort_by_key(|one| one.role);
        taken
    }

    /// Reviews that do not say who wrote them: each is somebody's of its own.
    fn stand_in_customer(&self, found: &mut Vec<Found<'a>>, notes: &mut Vec<String>) {
        if found.iter().any(|one| one.role == Role::Customer) {
            return;
        }
        let is_own = |column: &&&ColumnProfile| column.kind == Type::Id && is_unique(column);
        let Some(column) = self.all.iter().find(is_own) else { return };
        notes
            .push(format!("no column says whose a review is: by {:?} each becomes a customer of its own", column.name));
        found.insert(0, Found { role: Role::Customer, column, sure: 0.2, by_name: false });
    }

    /// Whether each line is a call of the Segment spec.
    fn are_calls(&self) -> bool {
        let has = |name: &str| self.all.iter().any(|column| column.name == name);
        let types = ["identify", "track", "page", "screen", "group", "alias"];
        let is_typed =
            self.all.iter().filter(|column| column.name == "type").any(|column| {
                !column.top.is_empty() && column.top.iter().all(|top| types.contains(&top.value.as_str()))
            });
        self.format == Format::Ndjson && is_typed && (has("userId") || has("anonymousId"))
    }

    /// The constants: an event's name, a currency.
    fn complete(&self, kind: Kind, found: &[Found<'a>], mapping: &mut Mapping, notes: &mut Vec<String>) {
        if kind == Kind::Events && mapping.event.is_none() {
            let is_rating = |column: &&ColumnProfile| {
                column.kind.is_number() && names::speaks_for(&column.name, Role::Rating, kind) >= 0.6
            };
            let name = if self.all.iter().any(is_rating) { "Rated" } else { "Recorded" };
            notes.push(format!("no column holds the events' names: all are called {name:?}; call them what they are"));
            mapping.event_name = Some(name.into());
        }
        let amounts: Vec<_> =
            found.iter().filter(|one| matches!(one.role, Role::Total | Role::Price | Role::Discount)).collect();
        if amounts.is_empty() {
            return;
        }
        let signs = found.iter().filter(|one| one.role == Role::Currency).flat_map(|one| &one.column.top);
        let by_column = signs.map(|top| top.value.as_str()).next();
        if by_column.is_some_and(|value| value.len() == 3 && value.bytes().all(|byte| byte.is_ascii_alphabetic())) {
            return;
        }
        let by_sign = amounts.iter().find_map(|one| one.column.currency);
        let by_name = amounts.iter().find_map(|one| names::currency(&one.column.name));
        match by_name.or(by_sign).or(by_column) {
            Some("$") => {
                notes.push("\"$\" is taken as USD; if it is another dollar, say so with --currency-code".into());
                mapping.currency_code = Some("USD".into());
            }
            Some("¥" | "￥") => {
                notes.push("\"¥\" is taken as CNY; for yen say --currency-code JPY".into());
                mapping.currency_code = Some("CNY".into());
            }
            Some(code) if code.len() == 3 && code.is_ascii() => mapping.currency_code = Some(code.to_owned()),
            _ => notes.push("nothing tells the amounts' currency; say it with --currency-code".into()),
        }
    }

    /// Columns that are named for a role and cannot have it.
    fn passed_over(&self, kind: Kind, found: &[Found<'a>]) -> Vec<String> {
        let is_open = |role: &&Role| !found.iter().any(|one| one.role == **role);
        let mut notes = Vec::new();
        for role in roles(kind).iter().filter(is_open) {
            let named = self.all.iter().find(|column| {
                let is_used = found.iter().any(|one| one.column.name == column.name);
                !is_used && names::speaks_for(&column.name, *role, kind) >= 0.9 && suits(*role, kind, column) == 0.0
            });
            if let Some(column) = named {
                notes.push(format!(
                    "{:?} is named like the {} and is not taken: {}",
                    column.name,
                    role.name(),
                    why_not(*role, column)
                ));
            }
        }
        notes
    }
}

fn why_not(role: Role, column: &ColumnProfile) -> &'static str {
    match role {
        Role::Time if column.times.is_some() => "its times are in a form that no import reads",
        Role::Id if !is_unique(column) => "its values come more than once",
        _ => "its values are of another type",
    }
}

impl Found<'_> {
    fn told(&self) -> Field {
        let basis = if self.by_name { "by its name" } else { "by its content" };
        let kind = serde_json::to_value(self.column.kind).ok().and_then(|kind| Some(kind.as_str()?.replace('_', " ")));
        let about = if self.column.distinct.is_exact { "" } else { "about " };
        let why = format!("{basis}; {}, {about}{} different values", kind.unwrap_or_default(), self.column.distinct.n);
        Field { role: self.role.name(), column: self.column.name.clone(), sure: hundredths(self.sure), why }
    }
}

pub(super) fn is_unique(column: &ColumnProfile) -> bool {
    column.missing.n == 0
        && column.filled > 0
        && column.distinct.n as f64 >= column.filled as f64 * if column.distinct.is_exact { 0.999 } else { 0.97 }
}

fn hundredths(sure: f64) -> f64 {
    (sure.clamp(0.0, 1.0) * 100.0).round() / 100.0
}

fn calls() -> Proposal {
    let notes = vec!["each line is a call of the Segment spec".to_owned()];
    Proposal {
        kind: Kind::Events,
        sure: 0.98,
        is_complete: true,
        mapping: Mapping::default(),
        fields: Vec::new(),
        notes,
    }
}

/// Roles that mean nothing without others.
fn leave_out(kind: Kind, found: &mut Vec<Found<'_>>) {
    let has = |found: &[Found<'_>], role| found.iter().any(|one| one.role == role);
    if kind == Kind::Orders {
        if !(has(found, Role::Item) && has(found, Role::Price)) {
            found.retain(|one| !matches!(one.role, Role::Item | Role::Price | Role::Quantity | Role::Category));
        }
        if !has(found, Role::Id) && has(found, Role::Total) {
            found.retain(|one| one.role != Role::Lines || one.sure >= 0.9);
        }
    }
    let has_amount = [Role::Total, Role::Price, Role::Discount].into_iter().any(|role| has(found, role));
    found.retain(|one| one.role != Role::Currency || has_amount);
}

fn likelihood(kind: Kind, found: &[Found<'_>], columns: &Columns<'_>) -> f64 {
    let sure = |role| found.iter().find(|one| one.role == role).map_or(0.0, |one| one.sure);
    let customer = sure(Role::Customer);
    match kind {
        Kind::Reviews => {
            0.45 * sure(Role::Text) + 0.35 * customer.max(0.5) + 0.1 * sure(Role::Rating) + 0.1 * sure(Role::Item)
        }
        Kind::Events if sure(Role::Event) > 0.0 => 0.45 * customer + 0.45 * sure(Role::Event) + 0.1 * sure(Role::Time),
        Kind::Events => 0.25 * customer,
        Kind::Orders => {
            let amount = sure(Role::Total).max(sure(Role::Lines)).max(sure(Role::Price).min(sure(Role::Item)));
            0.4 * customer.min(amount)
                + 0.3 * amount
                + 0.15 * sure(Role::Time)
                + 0.15 * sure(Role::Id).max(sure(Role::Time))
        }
        Kind::Customers => {
            let is_own = found.iter().any(|one| one.role == Role::Customer && is_unique(one.column));
            let has_customer =
                columns.all.iter().any(|column| names::speaks_for(&column.name, Role::Customer, kind) >= 0.9);
            match (is_own, has_customer) {
                (true, _) => 0.75 * customer,
                (false, true) => 0.1,
                (false, false) => 0.3,
            }
        }
        Kind::Items => {
            let own = 0.4 * sure(Role::Id).max(sure(Role::Name)) + 0.2 * sure(Role::Name) + 0.2 * sure(Role::Price);
            let told = own + 0.1 * sure(Role::Category) + 0.1 * sure(Role::Description);
            let is_somebodys =
                columns.all.iter().any(|column| names::speaks_for(&column.name, Role::Customer, kind) >= 0.7);
            if is_somebodys { 0.3 * told } else { told }
        }
    }
}

fn set(mapping: &mut Mapping, role: Role, column: &str) {
    let place = match role {
        Role::Customer => &mut mapping.customer,
        Role::Text => &mut mapping.text,
        Role::Id => &mut mapping.id,
        Role::Item => &mut mapping.item,
        Role::Rating => &mut mapping.rating,
        Role::Time => &mut mapping.time,
        Role::Event => &mut mapping.event,
        Role::Total => &mut mapping.total,
        Role::Currency => &mut mapping.currency,
        Role::Discount => &mut mapping.discount,
        Role::Quantity => &mut mapping.quantity,
        Role::Price => &mut mapping.price,
        Role::Category => &mut mapping.category,
        Role::Lines => &mut mapping.lines,
        Role::Name => &mut mapping.name,
        Role::Description => &mut mapping.description,
    };
    *place = Some(column.to_owned());
}
