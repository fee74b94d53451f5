//! What is wrong or odd in a column, each with how often and where.

use super::super::Kind;
use super::cell::Class;
use super::column::{Column, Spots};
use super::names::{self, Role};
use super::report::{Example, Problem, examples, share};
use super::shown::Eyes;
use super::typing::Type;

/// All problems of a column, in a fixed order.
pub(super) fn of(column: &Column, kind: Type, is_private: bool, eyes: &Eyes) -> Vec<Problem> {
    let finder = Finder { column, kind, is_private, eyes };
    let found = [
        finder.spots("bad_utf8", &column.bad_utf8, "are not UTF-8; save the file as UTF-8"),
        finder.spots(
            "garbled_text",
            &column.garbled,
            "hold characters of a text that was once read in a wrong encoding",
        ),
        finder.spots("control_characters", &column.control, "hold control characters"),
        finder.spots("surrounding_spaces", &column.spaced, "have spaces around them"),
        finder.mixed_types(),
        finder.repeated_ids(),
        finder.times_not_taken(),
        finder.future(),
        finder.negative(),
        finder.out_of_scale(),
        finder.outliers(),
        finder.constant(),
    ];
    found.into_iter().flatten().chain(finder.personal()).collect()
}

struct Finder<'a> {
    column: &'a Column,
    kind: Type,
    is_private: bool,
    eyes: &'a Eyes,
}

impl Finder<'_> {
    fn problem(
        &self,
        code: &'static str,
        n: u64,
        message: impl Into<String>,
        examples: Vec<Example>,
    ) -> Option<Problem> {
        let share = share(n, self.column.n_filled());
        (n > 0).then(|| Problem { code, n, share, message: message.into(), examples })
    }

    fn examples(&self, spots: &Spots) -> Vec<Example> {
        examples(spots, self.column, self.is_private, self.eyes)
    }

    fn spots(&self, code: &'static str, spots: &Spots, message: &str) -> Option<Problem> {
        self.problem(code, spots.n, message, self.examples(spots))
    }

    fn is_named(&self, role: Role) -> bool {
        [Kind::Reviews, Kind::Orders].iter().any(|kind| names::speaks_for(&self.column.name, role, *kind) >= 0.6)
    }

    fn mixed_types(&self) -> Option<Problem> {
        let belongs = |class: Class| match self.kind {
            Type::Integer | Type::Decimal | Type::Money => class.is_number(),
            Type::Time => matches!(class, Class::Time | Class::Integer),
            Type::Boolean => matches!(class, Class::Boolean | Class::Integer),
            Type::Email => class == Class::Email,
            Type::Phone => matches!(class, Class::Phone | Class::Integer),
            Type::Mixed => false,
            _ => true,
        };
        let mut others = Spots::default();
        let mut names = Vec::new();
        for class in Class::ALL.into_iter().filter(|class| !belongs(*class)) {
            let spots = self.column.of_class(class);
            if spots.n > 0 {
                names.push(format!("{} {}", spots.n, name(class)));
                others.n += spots.n;
                others.first.extend(spots.first.iter().take(2).cloned());
            }
        }
        others.first.truncate(5);
        let message = format!("are of another type than most: {}", names.join(", "));
        let message = if self.kind == Type::Mixed {
            message.replace("are of another type than most", "are mixed")
        } else {
            message
        };
        self.problem("mixed_types", others.n, message, self.examples(&others))
    }

    /// Of a column that is all but unique, as an id is that names the row.
    fn repeated_ids(&self) -> Option<Problem> {
        let (filled, distinct) = (self.column.n_filled(), &self.column.distinct);
        let is_row_id =
            self.kind == Type::Id && distinct.is_exact() && distinct.estimate() as f64 >= 0.95 * filled as f64;
        let spots = Some(&self.column.repeated).filter(|_| is_row_id)?;
        self.spots("repeated_ids", spots, "come again although nearly all others come once")
    }

    fn times_not_taken(&self) -> Option<Problem> {
        if self.kind != Type::Time {
            return None;
        }
        let wrong = self.column.forms.iter().filter(|(form, _)| !form.is_taken());
        let n = wrong.map(|(_, n)| *n).sum();
        let spots = [Class::Time, Class::Integer].map(|class| self.column.of_class(class));
        let examples = spots.into_iter().flat_map(|spots| self.examples(spots)).take(3).collect();
        self.problem(
            "time_form_not_taken",
            n,
            "are in a form that no import reads; write them as 2026-01-31 09:30:00",
            examples,
        )
    }

    fn future(&self) -> Option<Problem> {
        let spots = Some(&self.column.future).filter(|_| self.kind == Type::Time)?;
        self.spots("future_time", spots, "lie in the future")
    }

    fn negative(&self) -> Option<Problem> {
        let is_amount = self.kind == Type::Money || self.is_named(Role::Quantity);
        let spots = Some(&self.column.negative).filter(|_| is_amount)?;
        self.spots("negative_amount", spots, "are negative; refunds are events of their own")
    }

    /// The scale is the smallest usual one that nineteen ratings in twenty are on.
    fn out_of_scale(&self) -> Option<Problem> {
        if !self.is_named(Role::Rating) || !matches!(self.kind, Type::Integer | Type::Decimal) {
            return None;
        }
        let n = self.column.numbers.n();
        let is_signed = self.column.negative.n as f64 > 0.05 * n as f64;
        let scales = [5.0, 10.0, 100.0].into_iter().zip(self.column.over);
        let (scale, n_over) = scales.into_iter().find(|(_, over)| *over as f64 <= 0.05 * n as f64)?;
        let lowest = if is_signed { -scale } else { 0.0 };
        let outside = self.column.extremes.outside(|number| number > scale || number < lowest);
        let n_outside = n_over + if is_signed { 0 } else { self.column.negative.n };
        let message = format!("are out of the scale of {lowest} to {scale} that the others are on");
        self.problem("rating_out_of_scale", n_outside, message, numbers(&outside))
    }

    fn outliers(&self) -> Option<Problem> {
        let fences = self.column.numbers.fences().filter(|_| self.kind.is_number() && !self.is_private)?;
        let outside = self.column.extremes.outside(|number| fences.is_outside(number));
        let scale = if fences.is_log { " on a logarithmic scale" } else { "" };
        let message = format!(
            "are far from the rest: outside of {} to {}, 3.5 robust deviations from the median{scale}",
            short(fences.low),
            short(fences.high)
        );
        self.problem("outliers", self.column.numbers.n_outside(&fences), message, numbers(&outside))
    }

    fn constant(&self) -> Option<Problem> {
        let filled = self.column.n_filled();
        let is_constant = self.column.distinct.estimate() == 1 && filled > 1;
        self.problem("constant", if is_constant { filled } else { 0 }, "all say the same", Vec::new())
    }

    fn personal(&self) -> Vec<Problem> {
        let found = self.column.personal.iter();
        let told = found.filter_map(|(kind, spots)| {
            let message =
                format!("look like personal data ({}); redaction treats them by the workspace's policy", spelled(kind));
            self.problem("personal_data", spots.n, message, examples(spots, self.column, true, self.eyes))
        });
        let named = names::is_personal(&self.column.name) && self.column.personal.is_empty();
        let by_name = Some(self.column.n_filled()).filter(|_| named).and_then(|n| {
            let message = "are about a person by the column's name; redaction treats them by the workspace's policy";
            self.problem("personal_data", n, message, Vec::new())
        });
        told.chain(by_name).collect()
    }
}

fn name(class: Class) -> &'static str {
    match class {
        Class::Integer => "whole numbers",
        Class::Decimal => "decimal numbers",
        Class::Money => "amounts",
        Class::Boolean => "yes or no",
        Class::Time => "times",
        Class::Email => "e-mail addresses",
        Class::Phone => "phone numbers",
        Class::List => "lists",
        Class::Object => "objects",
        Class::Text => "texts",
    }
}

fn spelled(kind: &str) -> &str {
    match kind {
        "id" => "national id",
        other => other,
    }
}

/// A number in four digits or so.
pub(super) fn short(number: f64) -> String {
    let rounded: f64 = format!("{number:.3e}").parse().unwrap_or(number);
    if rounded.abs() >= 1e15 { format!("{rounded:e}") } else { rounded.to_string() }
}

fn numbers(outside: &[(f64, u64)]) -> Vec<Example> {
    outside.iter().take(5).map(|(number, line)| Example { line: *line, value: number.to_string() }).collect()
}
