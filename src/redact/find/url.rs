//! URLs that carry a secret: user-info, tokens in the query, the fragment or the path. The host stays, the rest is the finding.

use super::{Findings, push};
use crate::redact::Kind;
use crate::redact::context::Context;
use crate::redact::view::View;
use std::ops::Range;

const MAX_URL: usize = 4096;
const MAX_SCHEME: usize = 12;
/// Names of parameters whose value lets someone in or says who someone is.
const SECRET_NAMES: [&str; 34] = [
    "token",
    "accesstoken",
    "refreshtoken",
    "idtoken",
    "authtoken",
    "key",
    "apikey",
    "appkey",
    "secret",
    "clientsecret",
    "auth",
    "authorization",
    "sig",
    "sign",
    "signature",
    "password",
    "passwd",
    "pwd",
    "pass",
    "session",
    "sessionid",
    "sid",
    "jwt",
    "code",
    "otp",
    "ticket",
    "credential",
    "email",
    "mail",
    "phone",
    "mobile",
    "tel",
    "user",
    "uid",
];
const WORDS: Context =
    Context { raise: &["link", "reset", "login", "token", "链接", "重置", "登录", "密钥"], lower: &[] };

pub fn find(view: &View, findings: &mut Findings) {
    let mut at = 0;
    while let Some(sign) = view.text()[at..].find("://").map(|found| at + found) {
        let start = sign - scheme_length(view, sign);
        let end = end_of(view, sign + 3);
        at = end.max(sign + 3);
        if start < sign
            && let Some(range) = secret_part(view, sign + 3, end)
        {
            let certainty = WORDS.weigh(view, &(start..end), 0.85);
            push(findings, Kind::Url, range, certainty);
        }
    }
}

fn scheme_length(view: &View, sign: usize) -> usize {
    let before = &view.bytes()[sign.saturating_sub(MAX_SCHEME)..sign];
    view.step(before.len());
    before.iter().rev().take_while(|byte| byte.is_ascii_alphabetic()).count()
}

/// Where the URL ends: at a space, a quote, a bracket or what is not ASCII, without the stops of the sentence around it.
fn end_of(view: &View, from: usize) -> usize {
    let bytes = &view.bytes()[from..view.bytes().len().min(from + MAX_URL)];
    let is_part = |byte: &u8| byte.is_ascii_graphic() && !b"<>\"[]{}|\\^`".contains(byte);
    let run = bytes.iter().take_while(|byte| is_part(byte)).count();
    view.step(run + 1);
    let stops = bytes[..run].iter().rev().take_while(|byte| b".,;:!?)'".contains(byte)).count();
    from + run - stops
}

/// The part after the host if there is a secret in it; from the user-info on if there is one.
fn secret_part(view: &View, authority: usize, end: usize) -> Option<Range<usize>> {
    let rest = &view.text()[authority..end];
    let host_length = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    if rest[..host_length].contains('@') {
        return Some(authority..end);
    }
    let skip = usize::from(rest[host_length..].starts_with('/'));
    let part = &rest[(host_length + skip).min(rest.len())..];
    has_secret(part).then(|| end - part.len()..end)
}

fn has_secret(part: &str) -> bool {
    let (path, query) = part.split_once(['?', '#']).unwrap_or((part, ""));
    let mut parameters = query.split(['&', ';', '#', '?']).filter_map(|parameter| parameter.split_once('='));
    path.split('/').any(|segment| is_jwt(segment) || is_random(segment, 24))
        || parameters
            .any(|(name, value)| is_secret_name(name) && value.len() >= 4 || is_jwt(value) || is_random(value, 16))
        || is_jwt(query)
        || is_random(query, 16)
}

fn is_secret_name(name: &str) -> bool {
    let bare: String = name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
    SECRET_NAMES.contains(&bare.as_str()) || bare.ends_with("token")
}

/// Three parts of base64url, the first a JSON object (RFC 7519).
fn is_jwt(text: &str) -> bool {
    text.starts_with("eyJ") && text.split('.').count() == 3
}

/// Long, in one piece, letters and digits in turns: what no one chose as a word.
fn is_random(text: &str, min_length: usize) -> bool {
    let one_piece = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-~".contains(&byte));
    let classes: Vec<bool> = text.bytes().filter(u8::is_ascii_alphanumeric).map(|byte| byte.is_ascii_digit()).collect();
    let n_turns = classes.windows(2).filter(|pair| pair[0] != pair[1]).count();
    text.len() >= min_length && one_piece && n_turns >= 5 && text.matches(['-', '_']).count() * 6 <= text.len()
}

#[cfg(test)]
mod tests {
    use super::super::check;

    #[test]
    fn secrets_are_found_and_plain_links_are_not() {
        check(
            super::find,
            &[
                ("https://a.example/reset?token=9f8e7d6c.", &["reset?token=9f8e7d6c"]),
                ("链接https://a.example/r?access_token=Zk83hDq0，打不开", &["r?access_token=Zk83hDq0"]),
                ("ftp://me:pw@files.example.net/x", &["me:pw@files.example.net/x"]),
                ("https://a.example/d/eyJhbGciOi.eyJzdWIi.c2lnbmF0", &["d/eyJhbGciOi.eyJzdWIi.c2lnbmF0"]),
                ("https://a.example?x=a1b2c3d4e5f60718", &["?x=a1b2c3d4e5f60718"]),
                ("(https://a.example/k/a1b2c3d4e5f6071829304a5b6c)", &["k/a1b2c3d4e5f6071829304a5b6c"]),
                ("https://shop.example/products/blue-kettle-1-7-litre?color=blue&size=xl", &[]),
                ("https://shop.example/[url] https://shop.example/2024/05/11/how-we-make-soap-in-2024", &[]),
                ("网址www.example.cn/help与https://example.cn/item?id=672938475612", &[]),
                ("://token=abcdef https:// 10://x?token=", &[]),
            ],
        );
    }
}
