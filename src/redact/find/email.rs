//! E-mail addresses: `local@domain.tld`, from the `@` outwards (RFC 5321's lengths, the characters that mail services give out).

use super::{Findings, push};
use crate::redact::Kind;
use crate::redact::context::Context;
use crate::redact::view::View;

const MAX_LOCAL: usize = 64;
const MAX_DOMAIN: usize = 253;
/// `icon@2x.png` is a file.
const FILE_ENDINGS: [&str; 9] = ["png", "jpg", "jpeg", "gif", "svg", "webp", "pdf", "css", "js"];
const WORDS: Context = Context { raise: &["email", "e-mail", "mail", "邮箱", "邮件", "信箱"], lower: &[] };

pub fn find(view: &View, findings: &mut Findings) {
    for (at, _) in view.text().match_indices('@') {
        let (start, end) = (local_start(view, at), domain_end(view, at + 1));
        if let (Some(start), Some(end)) = (start, end) {
            push(findings, Kind::Email, start..end, WORDS.weigh(view, &(start..end), 0.9));
        }
    }
}

fn local_start(view: &View, at: usize) -> Option<usize> {
    let local = &view.bytes()[at.saturating_sub(MAX_LOCAL)..at];
    let is_local = |byte: &u8| byte.is_ascii_alphanumeric() || b"._%+-'".contains(byte);
    let n = local.iter().rev().take_while(|byte| is_local(byte)).count();
    view.step(n + 1);
    let leading = local[local.len() - n..].iter().take_while(|byte| b".'-".contains(byte)).count();
    (n > leading && local.last() != Some(&b'.')).then_some(at - n + leading)
}

fn domain_end(view: &View, from: usize) -> Option<usize> {
    let bytes = view.bytes();
    let domain = &bytes[from..bytes.len().min(from + MAX_DOMAIN)];
    let n = domain.iter().take_while(|byte| byte.is_ascii_alphanumeric() || b".-".contains(byte)).count();
    view.step(n + 1);
    let mut labels: Vec<&str> = Vec::new();
    for label in view.text()[from..from + n].split('.') {
        if label.is_empty() || label.starts_with('-') {
            break;
        }
        labels.push(label.trim_end_matches('-'));
        if label.ends_with('-') {
            break;
        }
    }
    while labels.last().is_some_and(|label| !is_top_level(label)) {
        labels.pop();
    }
    let length = labels.iter().map(|label| label.len() + 1).sum::<usize>();
    (labels.len() >= 2).then(|| from + length - 1)
}

fn is_top_level(label: &str) -> bool {
    let is_word = (2..=24).contains(&label.len()) && label.bytes().all(|byte| byte.is_ascii_alphabetic());
    (is_word && !FILE_ENDINGS.contains(&label.to_ascii_lowercase().as_str())) || label.starts_with("xn--")
}

#[cfg(test)]
mod tests {
    use super::super::check;

    #[test]
    fn addresses_are_found_and_what_looks_like_one_is_not() {
        check(
            super::find,
            &[
                ("write to a.b+c@mail.example.co.uk.", &["a.b+c@mail.example.co.uk"]),
                ("邮箱zhang_1@example.cn谢谢", &["zhang_1@example.cn"]),
                ("ＡＢ＠example．com，", &["ＡＢ＠example．com"]),
                ("<o'neil@example.ie>", &["o'neil@example.ie"]),
                ("x@a.example, y@b.example", &["x@a.example", "y@b.example"]),
                ("me@xn--fiqs8s.xn--fiqs8s", &["me@xn--fiqs8s.xn--fiqs8s"]),
                ("...a@b.example...", &["a@b.example"]),
                ("icon@2x.png @brand 3 @ 9.99 a@b a@.com @example.com a.@example.com", &[]),
                ("客服@小王 单价@9.90元", &[]),
            ],
        );
    }
}
