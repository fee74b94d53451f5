//! IBANs (ISO 13616): a country, two check digits, the length that the country has, and ISO 7064 MOD 97-10 over all of it.

use super::{Findings, push};
use crate::redact::Kind;
use crate::redact::context::Context;
use crate::redact::view::View;

/// Countries and the lengths of their IBANs, from the registry of ISO 13616.
const LENGTHS: &str = "AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DK18 DO28 EE20 EG29 ES24 \
    FI18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 LB28 LC32 LI21 LT20 LU20 LV21 \
    LY25 MC27 MD24 ME22 MK19 MR27 MT31 MU30 NI28 NL18 NO15 OM23 PK24 PL28 PS29 PT25 QA29 RO24 RS22 RU33 SA24 SC31 SD18 SE24 SI19 \
    SK24 SM27 SO23 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20 YE30";
const WORDS: Context =
    Context { raise: &["iban", "account", "bank", "账号", "账户", "汇款", "退款"], lower: &[] };

pub fn find(view: &View, findings: &mut Findings) {
    for group in view.groups().iter().filter(|group| group.len() >= 2 && group.start >= 2) {
        let start = group.start - 2;
        let bytes = view.bytes();
        let letters = bytes[start..group.start].iter().all(u8::is_ascii_alphabetic);
        if letters
            && view.starts_token(start)
            && let Some(end) = end_of(view, start)
        {
            push(findings, Kind::Iban, start..end, WORDS.weigh(view, &(start..end), 0.95));
        }
    }
}

fn end_of(view: &View, start: usize) -> Option<usize> {
    let bytes = view.bytes();
    let country = view.text()[start..start + 2].to_ascii_uppercase();
    let at = LENGTHS.find(&country).filter(|at| at % 5 == 0)?;
    let length: usize = LENGTHS.get(at + 2..at + 4)?.parse().ok()?;
    let mut code = Vec::with_capacity(length);
    let mut end = start;
    while code.len() < length {
        let byte = *bytes.get(end)?;
        view.step(1);
        if byte.is_ascii_alphanumeric() {
            code.push(byte.to_ascii_uppercase());
        } else if !matches!(byte, b' ' | b'-') || !bytes[end - 1].is_ascii_alphanumeric() {
            return None;
        }
        end += 1;
    }
    (view.ends_token(end) && remainder(&code) == 1).then_some(end)
}

/// The code with its first four characters at its end, letters as 10 to 35, modulo 97.
fn remainder(code: &[u8]) -> u32 {
    code[4..].iter().chain(&code[..4]).fold(0, |rest, byte| match byte {
        b'0'..=b'9' => (rest * 10 + u32::from(byte - b'0')) % 97,
        _ => (rest * 100 + u32::from(byte - b'A') + 10) % 97,
    })
}

#[cfg(test)]
mod tests {
    use super::super::check;

    #[test]
    fn the_table_of_lengths_is_a_grid() {
        assert!(super::LENGTHS.len() % 5 == 4 && super::LENGTHS.split(' ').all(|entry| entry.len() == 4));
    }

    #[test]
    fn ibans_are_found_by_country_length_and_remainder() {
        check(
            super::find,
            &[
                ("IBAN DE91 1000 0000 0123 4567 89.", &["DE91 1000 0000 0123 4567 89"]),
                ("打到GB88TEST00010203040506，", &["GB88TEST00010203040506"]),
                ("ＤＥ９１100000000123456789", &["ＤＥ９１100000000123456789"]),
                ("fr14 2004 1010 0505 0001 3m02 606", &["fr14 2004 1010 0505 0001 3m02 606"]),
                ("NL08-TEST-0300-0652-64", &["NL08-TEST-0300-0652-64"]),
                ("DE92100000000123456789 DE9110000000012345678 XX91100000000123456789", &[]),
                ("ADE91100000000123456789 DE911000000001234567890", &[]),
                ("批次DE44 500，型号GB22-1100", &[]),
            ],
        );
    }
}
