//! The recognisers, one a file. Each looks at a bounded stretch around an anchor (an `@`, a group of digits, a trigger word), so that
//! all of them together are linear in the text, and says how certain it is. They are written by hand rather than as regular
//! expressions: an iterator over a linear-time expression's matches can still be quadratic, and its work cannot be counted by a test.

mod address_en;
mod address_zh;
mod bank_card;
mod email;
mod iban;
mod ip;
mod name_en;
mod name_words;
mod name_zh;
mod national_id;
mod numbers;
mod phone;
mod url;

use super::view::View;
use super::{Finding, Kind};
use std::ops::Range;

type Findings = Vec<Finding>;

/// Everything that any recogniser sees, overlaps and doubts included; ranges are of the folded text.
pub fn all(view: &View) -> Findings {
    let mut findings = Findings::new();
    let recognisers = [
        email::find,
        phone::find,
        national_id::find,
        bank_card::find,
        iban::find,
        ip::find,
        url::find,
        address_en::find,
        address_zh::find,
        name_en::find,
        name_zh::find,
    ];
    for find in recognisers {
        find(view, &mut findings);
    }
    findings
}

fn push(findings: &mut Findings, kind: Kind, range: Range<usize>, certainty: f32) {
    findings.push(Finding { range, kind, certainty });
}

/// For the recognisers' tables: what one of them finds with at least the default certainty.
#[cfg(test)]
fn found(find: fn(&View, &mut Findings), text: &str) -> Vec<String> {
    let view = View::new(text);
    let mut findings = Findings::new();
    find(&view, &mut findings);
    let policy = super::Policy::default();
    findings.retain(|finding| finding.certainty >= policy.min_certainty(finding.kind));
    findings.sort_by_key(|finding| (finding.range.start, std::cmp::Reverse(finding.range.end)));
    let mut end = 0;
    findings.retain(|finding| {
        let first = finding.range.start >= end;
        end = end.max(finding.range.end);
        first
    });
    findings.into_iter().map(|finding| text[view.original(finding.range)].to_owned()).collect()
}

/// Asserts a table of texts and what is found in them.
#[cfg(test)]
fn check(find: fn(&View, &mut Findings), table: &[(&str, &[&str])]) {
    for (text, expected) in table {
        assert_eq!(found(find, text), *expected, "{text}");
    }
}
