//! Amounts and currencies as shops export them, into the plain forms that the rest of the program reads.

/// Signs that may stand at either end of an amount, and the currency they mean where it is one alone.
const SIGNS: [(&str, Option<&str>); 9] = [
    ("$", None),
    ("€", Some("EUR")),
    ("£", Some("GBP")),
    ("¥", None),
    ("￥", None),
    ("元", Some("CNY")),
    ("₹", Some("INR")),
    ("₩", Some("KRW")),
    ("₽", Some("RUB")),
];

/// `$1,299.90 ` as `1299.9`: without a sign at an end and without commas between groups of three digits. Nothing where it is no
/// amount then; `12,50` is none, as it could be both.
pub(super) fn plain(text: &str) -> Option<String> {
    let mut text = text.trim();
    for (sign, _) in SIGNS {
        text = text.strip_prefix(sign).or_else(|| text.strip_suffix(sign)).unwrap_or(text).trim();
    }
    let (whole, fraction) = text.split_once('.').map_or((text, None), |(whole, fraction)| (whole, Some(fraction)));
    let (sign, digits) = whole.strip_prefix('-').map_or(("", whole), |digits| ("-", digits));
    let mut groups = digits.split(',');
    let first = groups.next()?;
    let rest: Vec<&str> = groups.collect();
    let grouped = rest.is_empty() || (1..=3).contains(&first.len()) && rest.iter().all(|group| group.len() == 3);
    let whole = format!("{first}{}", rest.concat());
    let is_number =
        grouped && !whole.is_empty() && whole.bytes().chain(fraction.unwrap_or("").bytes()).all(|b| b.is_ascii_digit());
    // `12.00` and `12` are one amount, and have to be one spelling where an id is made of them.
    let fraction = fraction
        .map(|digits| digits.trim_end_matches('0'))
        .filter(|digits| !digits.is_empty())
        .map(|fraction| format!(".{fraction}"));
    is_number.then(|| format!("{sign}{whole}{}", fraction.unwrap_or_default())).or_else(|| with_exponent(text))
}

/// A number as JSON may write it, `1e3`.
fn with_exponent(text: &str) -> Option<String> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte));
    let number: f64 = Some(text).filter(|_| is_plain).and_then(|text| text.parse().ok())?;
    number.is_finite().then(|| text.to_owned())
}

/// The three letters of a currency: the given ones, those that a sign means, or `usual` where a sign or nothing is given.
///
/// # Errors
/// What is wrong with it.
pub(super) fn currency(given: Option<&str>, usual: Option<&str>) -> Result<Option<String>, &'static str> {
    let Some(given) = given.map(str::trim).filter(|text| !text.is_empty()) else {
        return Ok(usual.map(str::to_owned));
    };
    if given.len() == 3 && given.bytes().all(|byte| byte.is_ascii_alphabetic()) {
        return Ok(Some(given.to_ascii_uppercase()));
    }
    match SIGNS.iter().find(|(sign, _)| *sign == given) {
        Some((_, Some(code))) => Ok(Some((*code).to_owned())),
        Some((_, None)) => match usual {
            Some(code) => Ok(Some(code.to_owned())),
            None => Err("is a sign of several currencies; say which with currency_code"),
        },
        None => Err("is not the three letters of a currency, such as EUR"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_in_the_forms_of_exports() {
        for (text, expected) in [
            ("11.77", Some("11.77")),
            ("$20.99 ", Some("20.99")),
            ("$1,299.00", Some("1299")),
            ("12.50", Some("12.5")),
            ("12,345,678", Some("12345678")),
            ("5 €", Some("5")),
            ("-3.5", Some("-3.5")),
            ("7.", Some("7")),
            ("1e3", Some("1e3")),
            ("12,50", None),
            ("1,2345.00", None),
            ("$9.99through-$19.99", None),
            ("", None),
            ("$", None),
            ("free", None),
            ("inf", None),
            ("NaN", None),
            ("1.2.3", None),
        ] {
            assert_eq!(plain(text).as_deref(), expected, "{text:?}");
        }
    }

    #[test]
    fn currencies_are_letters_or_a_sign_that_means_one() {
        let code = |code: &str| Ok(Some(code.to_owned()));
        assert_eq!(currency(Some("eur"), None), code("EUR"));
        assert_eq!(currency(Some("€"), Some("USD")), code("EUR"));
        assert_eq!(currency(Some("$"), Some("CAD")), code("CAD"));
        assert_eq!(currency(None, Some("USD")), code("USD"));
        assert_eq!(currency(Some(" "), None), Ok(None));
        assert!(currency(Some("$"), None).unwrap_err().contains("currency_code"));
        assert!(currency(Some("Euro"), None).is_err());
    }
}
