//! Findings into a text without them: overlaps resolved, each treated as the policy says, until nothing more is found.

use super::find;
use super::hash::hmac_sha256;
use super::view::{HASH_DIGITS, View};
use super::{Counts, Finding, Kind, Policy, Treatment};
use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::ops::Range;

/// A text may show something new once its neighbour is gone: two digits groups that a dropped word kept apart. From the second
/// pass on what would be dropped is masked, so that each pass leaves less to be found; the laws' tests see three at most.
const MAX_PASSES: usize = 8;

/// Finds personal data and treats it as a policy says.
pub struct Redactor {
    pub(super) policy: Policy,
    key: Box<[u8]>,
}

/// A text after redaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redacted<'a> {
    /// Borrowed where nothing was changed.
    pub text: Cow<'a, str>,
    pub counts: Counts,
}

impl Redactor {
    /// `hash_key` is the workspace's own secret: equal values have equal hashes under it, and none can be guessed without it.
    pub fn new(policy: Policy, hash_key: &[u8]) -> Self {
        Self { policy, key: hash_key.into() }
    }

    /// What the policy does not keep, in order, none overlapping another: the longest first, then the most certain, then by kind.
    pub fn findings(&self, text: &str) -> Vec<Finding> {
        self.resolved(&View::new(text))
    }

    pub fn text<'a>(&self, text: &'a str) -> Redacted<'a> {
        let mut redacted = Redacted { text: Cow::Borrowed(text), counts: Counts::default() };
        for pass in 0..MAX_PASSES {
            let findings = self.findings(&redacted.text);
            if findings.is_empty() {
                break;
            }
            redacted.text = Cow::Owned(self.treated(&redacted.text, &findings, pass > 0));
            findings.iter().for_each(|finding| redacted.counts.add(finding.kind));
        }
        redacted
    }

    pub(super) fn resolved(&self, view: &View) -> Vec<Finding> {
        let mut findings = find::all(view);
        findings.retain(|finding| {
            self.policy.in_texts(finding.kind) != Treatment::Keep
                && finding.certainty >= self.policy.min_certainty(finding.kind)
        });
        let mut findings = without_overlaps(findings, view.placeholders());
        for finding in &mut findings {
            finding.range = view.original(finding.range.clone());
        }
        findings
    }

    fn treated(&self, text: &str, findings: &[Finding], mask_dropped: bool) -> String {
        let mut out = String::with_capacity(text.len());
        let mut at = 0;
        for finding in findings {
            out.push_str(&text[at..finding.range.start]);
            at = finding.range.end;
            let value = &text[finding.range.clone()];
            match self.policy.in_texts(finding.kind) {
                Treatment::Drop if !mask_dropped => at += close_gap(&mut out, &text[at..]),
                Treatment::Hash => out.push_str(&self.hashed(finding.kind, value)),
                _ => out.push_str(&masked(finding.kind)),
            }
        }
        out.push_str(&text[at..]);
        out
    }

    /// The placeholder that stands for a value and all its spellings.
    pub(super) fn hashed(&self, kind: Kind, value: &str) -> String {
        let hash = hmac_sha256(&self.key, &[kind.name().as_bytes(), b":", canonical(kind, value).as_bytes()]);
        let hex: String = hash[..HASH_DIGITS / 2].iter().map(|byte| format!("{byte:02x}")).collect();
        format!("[{}:{hex}]", kind.name())
    }
}

pub(super) fn masked(kind: Kind) -> String {
    format!("[{}]", kind.name())
}

/// Takes away the space on one side of a gap and says how many bytes of what follows go with it.
fn close_gap(out: &mut String, rest: &str) -> usize {
    let next = rest.chars().next();
    if out.is_empty() || out.ends_with([' ', '\n']) {
        if next == Some(' ') {
            return 1;
        }
        let closes = next.is_none_or(|c| matches!(c, ',' | '.' | ';' | ':' | '!' | '?' | ')' | '\n'));
        if closes && out.ends_with(' ') {
            out.pop();
        }
    }
    0
}

/// One spelling for all spellings of a value, so that their hashes are equal.
fn canonical(kind: Kind, value: &str) -> String {
    let view = View::new(value);
    let folded = view.text().trim();
    match kind {
        Kind::Phone => canonical_phone(folded),
        Kind::NationalId | Kind::BankCard | Kind::Iban => {
            folded.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_uppercase()).collect()
        }
        _ => folded.to_lowercase(),
    }
}

/// The digits without the country's code where the form gives it away: mainland mobiles and +1.
fn canonical_phone(phone: &str) -> String {
    let digits: String = phone.chars().filter(char::is_ascii_digit).collect();
    let digits = digits.trim_start_matches("00");
    let mobile = digits.strip_prefix("86").filter(|rest| rest.len() == 11 && rest.starts_with('1'));
    let north_american = digits.strip_prefix('1').filter(|rest| phone.starts_with('+') && rest.len() == 10);
    mobile.or(north_american).unwrap_or(digits).to_owned()
}

/// The findings that remain when the longest wins, then the most certain, then the first kind; none touches what is `taken`.
fn without_overlaps(mut findings: Vec<Finding>, taken: &[Range<usize>]) -> Vec<Finding> {
    let length = |finding: &Finding| finding.range.len();
    findings.sort_by(|a, b| {
        let by_length = Reverse(length(a)).cmp(&Reverse(length(b)));
        let by_certainty = b.certainty.total_cmp(&a.certainty);
        by_length.then(by_certainty).then(a.kind.cmp(&b.kind)).then(a.range.start.cmp(&b.range.start))
    });
    let mut ends: BTreeMap<usize, usize> = taken.iter().map(|range| (range.start, range.end)).collect();
    findings.retain(|finding| {
        let last_before = ends.range(..finding.range.end).next_back();
        let free = last_before.is_none_or(|(_, end)| *end <= finding.range.start);
        if free {
            ends.insert(finding.range.start, finding.range.end);
        }
        free
    });
    findings.sort_by_key(|finding| finding.range.start);
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redacted(treatment: Treatment, text: &str) -> String {
        Redactor::new(Policy::all(treatment), b"a key").text(text).text.into_owned()
    }

    #[test]
    fn each_treatment_writes_what_it_says() {
        let text = "Mail a.b@example.com, or call 13800138000.";
        assert_eq!(redacted(Treatment::Mask, text), "Mail [email], or call [phone].");
        assert_eq!(redacted(Treatment::Drop, text), "Mail, or call.");
        assert_eq!(redacted(Treatment::Keep, text), text);
        let hashed = redacted(Treatment::Hash, text);
        assert!(
            hashed.starts_with("Mail [email:")
                && hashed.len() == "Mail [email:0123456789], or call [phone:0123456789].".len()
        );
    }

    #[test]
    fn spellings_of_a_value_have_one_hash_and_another_key_another() {
        let hash = |key: &[u8], kind, value| Redactor::new(Policy::default(), key).hashed(kind, value);
        for (kind, a, b) in [
            (Kind::Email, "A.B@Example.com", "ａ.b@example.com"),
            (Kind::Phone, "+86 138-0013-8000", "13800138000"),
            (Kind::Phone, "+1 (212) 555-0142", "212-555-0142"),
            (Kind::NationalId, "34010219880718254x", "34010219880718254X"),
            (Kind::BankCard, "4000 7877 8932 8790", "4000787789328790"),
        ] {
            assert_eq!(hash(b"k", kind, a), hash(b"k", kind, b), "{a} and {b}");
            assert_ne!(hash(b"k", kind, a), hash(b"l", kind, a), "{a} under two keys");
        }
        assert_ne!(hash(b"k", Kind::Phone, "13800138000"), hash(b"k", Kind::BankCard, "13800138000"), "two kinds");
    }

    #[test]
    fn the_longest_wins_then_the_most_certain_then_the_first_kind() {
        let finding = |range, kind, certainty| Finding { range, kind, certainty };
        let findings = vec![
            finding(0..5, Kind::Phone, 0.9),
            finding(3..9, Kind::BankCard, 0.6),
            finding(9..12, Kind::Url, 0.6),
            finding(9..12, Kind::Email, 0.6),
            finding(20..25, Kind::Phone, 0.6),
            finding(20..25, Kind::BankCard, 0.7),
            finding(30..33, Kind::Phone, 1.0),
        ];
        let kept: Vec<Kind> =
            without_overlaps(findings, &[32..34, 36..40]).into_iter().map(|finding| finding.kind).collect();
        assert_eq!(kept, [Kind::BankCard, Kind::Email, Kind::BankCard]);
    }

    #[test]
    fn what_appears_when_a_neighbour_goes_is_treated_too() {
        let redactor = Redactor::new(Policy::all(Treatment::Drop), b"a key");
        let first = redactor.text("1380 a@example.com 0138000").text.into_owned();
        assert_eq!(redactor.text(&first).text, first);
    }
}
