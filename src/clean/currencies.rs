//! Amounts of several currencies in one, by a table that the operator keeps.
//!
//! The original amount is what is stored; the converted one is derived on reading, so a new table needs no rewrite. Everything is
//! reckoned in whole numbers: a rate is decimal digits and a scale, an amount is minor units, and there is one rounding, at the end,
//! half away from zero.

use super::settings::{SettingsError, moment};
use crate::domain::{Currency, Money, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::fmt;

/// What is wrong with a table: where it stands, and what would be right.
pub type CurrenciesError = SettingsError;

/// The most digits of a rate, and the most of them behind the point.
const MAX_DIGITS: usize = 15;
/// The most rates of a table.
const MAX_RATES: usize = 100_000;

/// How many units of the base currency one unit of another is worth: an exact decimal number above zero.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    digits: i64,
    scale: u32,
}

impl Rate {
    /// Reads a decimal number such as `7.11` of at most 15 digits.
    pub fn parse(text: &str) -> Option<Self> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let fraction = fraction.trim_end_matches('0');
        let all = [whole, fraction].concat();
        let is_number = !whole.is_empty() && all.bytes().all(|byte| byte.is_ascii_digit());
        let digits = all.trim_start_matches('0');
        let digits =
            digits.parse().ok().filter(|_| is_number && digits.len() <= MAX_DIGITS && fraction.len() <= MAX_DIGITS)?;
        Some(Self { digits, scale: fraction.len() as u32 })
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scale = self.scale as usize;
        let digits = format!("{:0>width$}", self.digits, width = scale + 1);
        let (whole, fraction) = digits.split_at(digits.len() - scale);
        if fraction.is_empty() { f.write_str(whole) } else { write!(f, "{whole}.{fraction}") }
    }
}

impl fmt::Debug for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A base currency, and what others are worth in it from when on. As JSON
/// `{"base": "CNY", "rates": [{"currency": "USD", "from": "2026-01-01", "rate": "7.11"}]}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Map<String, Value>", into = "Map<String, Value>")]
pub struct Currencies {
    base: Currency,
    /// By currency and by the moment from which a rate holds, until the next one does.
    rates: BTreeMap<Currency, BTreeMap<Timestamp, Rate>>,
}

impl Currencies {
    /// Rates in any order; of two for one currency from one moment on the later one in the list stands.
    pub fn new(base: Currency, rates: impl IntoIterator<Item = (Currency, Timestamp, Rate)>) -> Self {
        let mut by_currency: BTreeMap<Currency, BTreeMap<Timestamp, Rate>> = BTreeMap::new();
        for (currency, from, rate) in rates {
            by_currency.entry(currency).or_default().insert(from, rate);
        }
        Self { base, rates: by_currency }
    }

    pub fn base(&self) -> Currency {
        self.base
    }

    /// The amount at a moment in minor units of the base currency. Nothing where the currency has no rate at that moment, or the
    /// amount becomes too large. An amount without a currency is taken to be in the base.
    pub fn in_base(&self, amount: &Money, time: Timestamp) -> Option<Money> {
        let from = amount.currency.map_or(2, |currency| currency.n_decimals());
        let rate = match amount.currency.filter(|currency| *currency != self.base) {
            Some(currency) => *self.rates.get(&currency)?.range(..=time).next_back()?.1,
            None => Rate { digits: 1, scale: 0 },
        };
        let up = i128::from(amount.minor) * i128::from(rate.digits) * 10i128.pow(self.base.n_decimals());
        let minor = rounded(up, 10i128.checked_pow(rate.scale + from)?);
        Some(Money { minor: i64::try_from(minor).ok()?, currency: Some(self.base) })
    }
}

/// Half away from zero.
fn rounded(number: i128, divisor: i128) -> i128 {
    (number.abs() + divisor / 2) / divisor * number.signum()
}

fn error(key: String, why: impl Into<String>) -> CurrenciesError {
    CurrenciesError { key, why: why.into() }
}

impl TryFrom<Map<String, Value>> for Currencies {
    type Error = CurrenciesError;

    fn try_from(map: Map<String, Value>) -> Result<Self, CurrenciesError> {
        let none = Vec::new();
        if let Some(other) = map.keys().find(|key| !["base", "rates"].contains(&key.as_str())) {
            return Err(error(other.clone(), "is not known; there are `base` and `rates`"));
        }
        let base = currency("base".into(), map.get("base"))?;
        let rates = match map.get("rates") {
            None => &none,
            Some(Value::Array(rates)) => rates,
            Some(_) => return Err(error("rates".into(), "takes a list of objects with `currency`, `from` and `rate`")),
        };
        if rates.len() > MAX_RATES {
            return Err(error("rates".into(), format!("has {} entries; at most {MAX_RATES} are taken", rates.len())));
        }
        let read = rates.iter().enumerate().map(|(place, rate)| read_rate(place, rate, base));
        Ok(Self::new(base, read.collect::<Result<Vec<_>, _>>()?))
    }
}

fn read_rate(place: usize, value: &Value, base: Currency) -> Result<(Currency, Timestamp, Rate), CurrenciesError> {
    let at = |name: &str| format!("rates.{place}.{name}");
    let fields = value.as_object();
    let fields =
        fields.ok_or_else(|| error(format!("rates.{place}"), "takes an object with `currency`, `from` and `rate`"))?;
    if let Some(other) = fields.keys().find(|key| !["currency", "from", "rate"].contains(&key.as_str())) {
        return Err(error(at(other), "is not known; there are `currency`, `from` and `rate`"));
    }
    let currency = currency(at("currency"), fields.get("currency"))?;
    if currency == base {
        return Err(error(at("currency"), "is the base, whose rate is always 1; leave it out"));
    }
    let from = moment(&at("from"), fields.get("from").unwrap_or(&Value::Null))?;
    let text = match fields.get("rate") {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(number)) => number.to_string(),
        _ => String::new(),
    };
    let rate = Rate::parse(&text).filter(|rate| rate.digits > 0);
    let rate = rate.ok_or_else(|| {
        error(
            at("rate"),
            "takes a decimal number above 0 of at most 15 digits, such as \"7.11\": what one unit is worth in the base",
        )
    })?;
    Ok((currency, from, rate))
}

fn currency(key: String, value: Option<&Value>) -> Result<Currency, CurrenciesError> {
    let parsed = value.and_then(Value::as_str).and_then(|text| Currency::parse(text).ok());
    parsed.ok_or_else(|| error(key, "takes the three letters of ISO 4217, for example CNY"))
}

impl From<Currencies> for Map<String, Value> {
    fn from(currencies: Currencies) -> Self {
        let rates = currencies.rates.iter().flat_map(|(currency, rates)| {
            let row = move |(from, rate): (&Timestamp, &Rate)| {
                json!({"currency": currency.as_str(), "from": from.to_string(), "rate": rate.to_string()})
            };
            rates.iter().map(row)
        });
        let rates = rates.collect::<Vec<_>>();
        Self::from_iter([
            ("base".to_owned(), Value::from(currencies.base.as_str())),
            ("rates".to_owned(), Value::Array(rates)),
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn code(text: &str) -> Currency {
        Currency::parse(text).unwrap()
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn table(base: &str, rates: &[(&str, i64, &str)]) -> Currencies {
        let rates = rates.iter().map(|(other, from, rate)| (code(other), at(*from), Rate::parse(rate).unwrap()));
        Currencies::new(code(base), rates)
    }

    fn money(minor: i64, currency: &str) -> Money {
        Money { minor, currency: Some(code(currency)) }
    }

    #[test]
    fn amounts_become_minor_units_of_the_base_exactly() {
        for (base, other, rate, minor, expected) in [
            ("CNY", "USD", "7.11", 10_000, 71_100),
            ("USD", "JPY", "0.0064", 1_500, 960),
            ("JPY", "USD", "156.25", 1_234, 1_928),
            ("CNY", "KWD", "23.1", 1_000, 2_310),
            ("KWD", "CNY", "0.0433", 100, 43),
            ("EUR", "USD", "0.005", 100, 1),
            ("EUR", "USD", "0.005", -100, -1),
            ("EUR", "USD", "0.0049", 100, 0),
        ] {
            let found = table(base, &[(other, 0, rate)]).in_base(&money(minor, other), at(1));
            assert_eq!(found, Some(money(expected, base)), "{minor} {other} at {rate} {base}");
        }
    }

    #[test]
    fn a_rate_holds_from_its_moment_until_the_next() {
        let table = table("CNY", &[("USD", 100, "7"), ("USD", 200, "8")]);
        let worth = |second| table.in_base(&money(100, "USD"), at(second)).map(|money| money.minor);
        assert_eq!([99, 100, 199, 200].map(worth), [None, Some(700), Some(700), Some(800)]);
        assert_eq!(table.in_base(&money(5, "EUR"), at(500)), None);
        assert_eq!(table.in_base(&money(5, "CNY"), at(0)), Some(money(5, "CNY")));
        assert_eq!(table.in_base(&Money { minor: 5, currency: None }, at(0)), Some(money(5, "CNY")));
    }

    #[test]
    fn what_is_wrong_with_a_table_is_named_with_its_mend() {
        let with = |rate: Value| json!({"base": "CNY", "rates": [rate]});
        for (json, expected) in [
            (json!({}), "`base` takes the three letters"),
            (json!({"base": "yuan"}), "`base` takes the three letters"),
            (json!({"base": "CNY", "rate": []}), "`rate` is not known"),
            (json!({"base": "CNY", "rates": {}}), "`rates` takes a list"),
            (with(json!({"currency": "CNY", "from": "2026-01-01", "rate": "1"})), "`rates.0.currency` is the base"),
            (with(json!({"currency": "USD", "from": "Jan", "rate": "1"})), "`rates.0.from` takes a date"),
            (with(json!({"currency": "USD", "from": "2026-01-01", "rate": "0"})), "`rates.0.rate` takes a decimal"),
            (with(json!({"currency": "USD", "from": "2026-01-01", "rate": -7})), "`rates.0.rate` takes a decimal"),
            (with(json!({"currency": "USD", "from": "2026-01-01"})), "`rates.0.rate` takes a decimal"),
            (with(json!({"currency": "USD", "day": 1})), "`rates.0.day` is not known"),
            (with(json!(7)), "`rates.0` takes an object"),
        ] {
            let error = serde_json::from_value::<Currencies>(json.clone()).unwrap_err().to_string();
            assert!(error.starts_with(expected), "{json}: {error}");
        }
        assert!(
            serde_json::from_value::<Currencies>(with(json!({"currency": "usd", "from": "2026-01-01", "rate": 7.11})))
                .is_ok()
        );
    }

    fn any_rates() -> impl Strategy<Value = Vec<(&'static str, i64, String)>> {
        let rate = (prop::sample::select(vec!["USD", "JPY", "KWD"]), 0..6_i64, "[1-9][0-9]{0,3}(\\.[0-9]{1,6})?");
        let distinct = |rates: Vec<(&'static str, i64, String)>| {
            let by: BTreeMap<_, _> = rates.into_iter().map(|(c, from, rate)| ((c, from), rate)).collect();
            by.into_iter().map(|((c, from), rate)| (c, from, rate)).collect()
        };
        prop::collection::vec(rate, 0..9).prop_map(distinct)
    }

    fn of(rates: &[(&'static str, i64, String)]) -> Currencies {
        let rates: Vec<_> = rates.iter().map(|(c, from, rate)| (*c, *from, rate.as_str())).collect();
        table("CNY", &rates)
    }

    proptest! {
        #[test]
        fn the_order_of_rates_is_irrelevant((rates, shuffled) in any_rates().prop_flat_map(|rates| (Just(rates.clone()), Just(rates).prop_shuffle()))) {
            prop_assert_eq!(of(&rates), of(&shuffled));
        }

        #[test]
        fn a_table_survives_json(rates in any_rates()) {
            let table = of(&rates);
            let json = serde_json::to_value(&table).unwrap();
            prop_assert_eq!(serde_json::from_value::<Currencies>(json).unwrap(), table);
        }

        #[test]
        fn more_is_never_worth_less(rates in any_rates(), a in -1_000_000..1_000_000_i64, b in -1_000_000..1_000_000_i64, second in 0..8_i64, other in prop::sample::select(vec!["USD", "JPY", "KWD", "CNY"])) {
            let table = of(&rates);
            let worth = |minor| table.in_base(&money(minor, other), at(second)).map(|money| money.minor);
            prop_assert!(worth(a.min(b)) <= worth(a.max(b)));
            prop_assert_eq!(worth(-a), worth(a).map(|minor| -minor));
        }

        /// There and back again by the two rates of a pair, an amount is off by no more than the two roundings.
        #[test]
        fn there_and_back_is_the_amount_again(minor in -1_000_000_000..1_000_000_000_i64, (rate, back) in prop::sample::select(vec![("8", "0.125"), ("2.5", "0.4"), ("100", "0.01"), ("0.5", "2"), ("1", "1")])) {
            let to = table("CNY", &[("KWD", 0, rate)]).in_base(&money(minor, "KWD"), at(1)).unwrap();
            let again = table("KWD", &[("CNY", 0, back)]).in_base(&to, at(1)).unwrap();
            // Half a minor unit of CNY is five of KWD in major units, at the way back's rate.
            let slack = 0.5 + 5.0 * back.parse::<f64>().unwrap();
            prop_assert!((again.minor - minor).abs() as f64 <= slack, "{} {}", again.minor, minor);
        }

        #[test]
        fn a_rate_is_the_number_that_was_read(whole in 0..1_000_000_i64, fraction in 0..1_000_000_i64) {
            let text = format!("{whole}.{fraction:06}");
            let rate = Rate::parse(&text).unwrap();
            prop_assert_eq!(Rate::parse(&rate.to_string()), Some(rate));
            prop_assert_eq!(rate.to_string().parse::<f64>().unwrap(), text.parse::<f64>().unwrap());
        }
    }
}
