//! Bank cards: 13 to 19 digits that an issuer's prefix starts and Luhn's formula (ISO/IEC 7812) ends, UnionPay's 62 among them.

use super::numbers::Reading;
use super::{Findings, push};
use crate::redact::Kind;
use crate::redact::context::Context;
use crate::redact::view::View;

const MAX_DIGITS: usize = 19;
const WORDS: Context = Context {
    raise: &[
        "card",
        "visa",
        "mastercard",
        "amex",
        "unionpay",
        "debit",
        "credit",
        "charged",
        "卡号",
        "银行卡",
        "信用卡",
        "储蓄卡",
        "银联",
        "扣款",
        "支付",
        "付款",
        "卡",
    ],
    lower: &[
        "order",
        "tracking",
        "parcel",
        "barcode",
        "imei",
        "serial",
        "isbn",
        "ean",
        "invoice",
        "订单",
        "单号",
        "运单",
        "快递",
        "条码",
        "条形码",
        "序列号",
        "书号",
        "编号",
    ],
};

pub fn find(view: &View, findings: &mut Findings) {
    for first in 0..view.groups().len() {
        consider(view, &Reading::start(view, first), findings);
        for gap in [" ", "-"] {
            let mut reading = Reading::start(view, first);
            while reading.extend(&[gap], MAX_DIGITS) {
                consider(view, &reading, findings);
            }
        }
    }
}

fn consider(view: &View, reading: &Reading, findings: &mut Findings) {
    let range = reading.range();
    if !has_shape(&reading.lengths) || !view.starts_token(range.start) || !view.ends_token(range.end) {
        return;
    }
    let base = issuer(&reading.digits);
    if base > 0.0 && luhn(&reading.digits) {
        let certainty = WORDS.weigh(view, &range, base);
        push(findings, Kind::BankCard, range, certainty);
    }
}

/// In one piece, in fours, as 4-6-5, or as UnionPay's 6 and 13.
fn has_shape(lengths: &[usize]) -> bool {
    match lengths {
        [n] => (13..=MAX_DIGITS).contains(n),
        [4, 6, 4 | 5] | [6, 13] | [8, 8] | [8, 11] => true,
        [fours @ .., last] => fours.len() >= 3 && fours.iter().all(|n| *n == 4) && *last <= 4,
        [] => false,
    }
}

/// How sure a number of this prefix and length is a card before its context; Luhn alone passes one number in ten.
fn issuer(digits: &str) -> f32 {
    let prefix = |n: usize| digits.get(..n).and_then(|digits| digits.parse::<u32>().ok()).unwrap_or(0);
    match (digits.len(), prefix(2), prefix(4)) {
        (15, 34 | 37, _) => 0.75,
        (14, 36 | 38 | 39, _) | (14, 30, 3000..=3059) => 0.55,
        (16, 40..=49 | 51..=55, _) | (16, _, 2221..=2720) => 0.8,
        (16, 35, 3528..=3589) | (16, 64 | 65, _) | (16, 60, 6011) => 0.75,
        (16..=19, 62, _) => 0.8,
        (19, _, 9558) => 0.75,
        (13, 40..=49, _) => 0.35,
        (16..=19, 40..=49 | 50 | 56..=61 | 63..=69 | 81, _) => 0.45,
        _ => 0.0,
    }
}

/// Luhn's formula: from the right every second digit is doubled, and all digits add up to a multiple of ten.
fn luhn(digits: &str) -> bool {
    let sum: u32 = digits
        .bytes()
        .rev()
        .enumerate()
        .map(|(place, digit)| {
            let digit = u32::from(digit - b'0') << (place % 2);
            if digit > 9 { digit - 9 } else { digit }
        })
        .sum();
    sum.is_multiple_of(10)
}

#[cfg(test)]
mod tests {
    use super::super::check;

    #[test]
    fn cards_are_found_by_prefix_and_luhn() {
        check(
            super::find,
            &[
                ("card 4000 7877 8932 8790 declined", &["4000 7877 8932 8790"]),
                ("4539-2174-2180-9676", &["4539-2174-2180-9676"]),
                ("Amex 3701 916146 10037", &["3701 916146 10037"]),
                ("银行卡6222024506123100770扣款", &["6222024506123100770"]),
                ("６２１４８３７５８９２９００７５", &["６２１４８３７５８９２９００７５"]),
                ("6222 0245 0612 3100 770", &["6222 0245 0612 3100 770"]),
                ("622202 4506123100770", &["622202 4506123100770"]),
                ("2 4000787789328790", &["4000787789328790"]),
                ("4000 7877 8932 8791", &[]),
                ("ISBN 9780306406157, order 4000787789328790", &[]),
                ("运单号6222024506123100770", &[]),
                ("条码6901234567892 型号4000-7877", &[]),
                ("0.4000787789328790 and a4000787789328790", &[]),
                ("40 00 78 77 89 32 87 90", &[]),
            ],
        );
    }
}
