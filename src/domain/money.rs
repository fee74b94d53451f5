//! Money: whole minor units of a currency, never a fraction.

use super::Invalid;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A currency by its three letters (ISO 4217), such as `EUR`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Currency([u8; 3]);

impl Currency {
    /// Takes three letters in either case.
    ///
    /// # Errors
    /// The text is anything else.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        match text.trim().as_bytes() {
            &[a, b, c] if [a, b, c].iter().all(u8::is_ascii_alphabetic) => {
                Ok(Self([a, b, c].map(|letter| letter.to_ascii_uppercase())))
            }
            _ => Err(Invalid::new("currency", "takes the three letters of ISO 4217, for example EUR")),
        }
    }

    pub fn as_str(&self) -> &str {
        str::from_utf8(&self.0).unwrap_or_default()
    }

    /// Digits behind the point in ISO 4217: 2 but for the few that have none, three or four.
    pub fn n_decimals(&self) -> u32 {
        match self.as_str() {
            "BIF" | "CLP" | "DJF" | "GNF" | "ISK" | "JPY" | "KMF" | "KRW" | "PYG" | "RWF" | "UGX" | "UYI" | "VND"
            | "VUV" | "XAF" | "XOF" | "XPF" => 0,
            "BHD" | "IQD" | "JOD" | "KWD" | "LYD" | "OMR" | "TND" => 3,
            "CLF" | "UYW" => 4,
            _ => 2,
        }
    }
}

impl TryFrom<String> for Currency {
    type Error = Invalid;
    fn try_from(text: String) -> Result<Self, Invalid> {
        Self::parse(&text)
    }
}

impl From<Currency> for String {
    fn from(currency: Currency) -> Self {
        currency.as_str().to_owned()
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An amount in minor units (cents, 分) of a currency. Without a currency the shop said none, and two decimals are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Money {
    pub minor: i64,
    pub currency: Option<Currency>,
}

impl Money {
    /// Reads a decimal number of major units, such as `19.90` or `1.99e1`; digits below the minor unit are rounded half away
    /// from zero.
    ///
    /// # Errors
    /// The text is not a number, or has more than fifteen digits of minor units.
    pub fn parse(text: &str, currency: Option<Currency>) -> Result<Self, Invalid> {
        let n_decimals = currency.map_or(2, |currency| currency.n_decimals());
        minor_units(text.trim(), n_decimals)
            .map(|minor| Self { minor, currency })
            .ok_or_else(|| Invalid::new("amount", "is not an amount such as 19.90 of at most 15 digits"))
    }
}

const MAX_MINOR: i128 = 999_999_999_999_999;

fn minor_units(text: &str, n_decimals: u32) -> Option<i64> {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (sign, digits) = match mantissa.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, mantissa.strip_prefix('+').unwrap_or(mantissa)),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let all = [whole, fraction].concat();
    if all.is_empty() || all.len() > 30 || !all.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number: i128 = all.parse().ok()?;
    let shift = i32::try_from(n_decimals).ok()? + exponent - i32::try_from(fraction.len()).ok()?;
    let minor = shifted(number, shift)?;
    (minor <= MAX_MINOR).then(|| i64::try_from(sign * minor).ok()).flatten()
}

/// `number · 10^shift`, rounded half up; nothing when it is far beyond any amount.
fn shifted(number: i128, shift: i32) -> Option<i128> {
    if number == 0 || shift < -31 {
        return Some(0);
    }
    let power = 10i128.checked_pow(shift.unsigned_abs())?;
    if shift >= 0 { number.checked_mul(power) } else { Some((number + power / 2) / power) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn minor(text: &str, currency: &str) -> Option<i64> {
        Money::parse(text, Some(Currency::parse(currency).unwrap())).ok().map(|money| money.minor)
    }

    #[test]
    fn amounts_are_whole_minor_units_of_their_currency() {
        for (text, currency, expected) in [
            ("19.9", "EUR", Some(1990)),
            ("0.1", "usd", Some(10)),
            ("-5", "CNY", Some(-500)),
            ("1980", "JPY", Some(1980)),
            ("1.2345", "KWD", Some(1235)),
            ("2.675", "EUR", Some(268)),
            ("1.99e1", "EUR", Some(1990)),
            ("1e-9", "EUR", Some(0)),
            ("0e999", "EUR", Some(0)),
            ("1e30", "EUR", None),
            ("1e999999999", "EUR", None),
            ("", "EUR", None),
            (".", "EUR", None),
            ("12,50", "EUR", None),
            ("NaN", "EUR", None),
        ] {
            assert_eq!(minor(text, currency), expected, "{text} {currency}");
        }
    }

    proptest! {
        #[test]
        fn a_number_as_json_writes_it_keeps_its_cents(cents in -99_999_999_999i64..99_999_999_999) {
            let as_json = serde_json::Number::from_f64(cents as f64 / 100.0).unwrap().to_string();
            prop_assert_eq!(minor(&as_json, "EUR"), Some(cents));
        }

        #[test]
        fn nothing_panics(text in "[-+0-9.eE]{0,12}") {
            let _ = Money::parse(&text, None);
        }
    }
}
