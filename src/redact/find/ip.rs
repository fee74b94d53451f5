//! IP addresses, v4 and v6, and not the version numbers and headings that are written like v4.

use super::numbers::Reading;
use super::{Findings, push};
use crate::redact::Kind;
use crate::redact::context::Context;
use crate::redact::view::View;
use core::net::{Ipv4Addr, Ipv6Addr};

const WORDS: Context = Context {
    raise: &["ip", "ips", "ipv4", "ipv6", "login", "logged in", "from address", "登录", "登陆", "地址", "网络", "来源"],
    lower: &[
        "version", "ver", "v", "firmware", "release", "build", "software", "driver", "update", "upgraded", "section",
        "chapter", "版本", "固件", "系统", "升级", "更新", "驱动", "软件", "章节", "型号",
    ],
};
const MAX_V6: usize = 45;

pub fn find(view: &View, findings: &mut Findings) {
    v4(view, findings);
    v6(view, findings);
}

fn v4(view: &View, findings: &mut Findings) {
    for first in 0..view.groups().len() {
        let mut reading = Reading::start(view, first);
        while reading.lengths.len() < 4 && reading.extend(&["."], 12) {}
        let range = reading.range();
        if reading.lengths.len() != 4 || !view.starts_token(range.start) || !view.ends_token(range.end) {
            continue;
        }
        if let Ok(address) = view.text()[range.clone()].parse::<Ipv4Addr>() {
            let certainty = WORDS.weigh(view, &range, likelihood(address));
            push(findings, Kind::IpAddress, range, certainty);
        }
    }
}

/// Four small numbers are a version or a heading more often than an address; nobody is at the loopback.
fn likelihood(address: Ipv4Addr) -> f32 {
    let octets = address.octets();
    if address.is_loopback() || address.is_unspecified() || address.is_broadcast() {
        0.0
    } else if octets.iter().all(|octet| *octet < 32) {
        0.4
    } else if octets.iter().any(|octet| *octet >= 100) {
        0.75
    } else {
        0.55
    }
}

fn v6(view: &View, findings: &mut Findings) {
    let bytes = view.bytes();
    let is_part = |byte: &u8| byte.is_ascii_hexdigit() || b":.".contains(byte);
    let mut at = 0;
    while let Some(colon) = view.text()[at..].find(':').map(|found| at + found) {
        let back = bytes[at..colon].iter().rev().take(4).take_while(|byte| byte.is_ascii_hexdigit()).count();
        let run = bytes[colon - back..].iter().take_while(|byte| is_part(byte)).count();
        view.step(back + run + 1);
        let (start, end) = (colon - back, colon - back + run);
        at = end.max(colon + 1);
        let written = view.text()[start..end].trim_end_matches('.');
        if written.len() <= MAX_V6 {
            consider_v6(view, start, written, findings);
        }
    }
}

fn consider_v6(view: &View, start: usize, written: &str, findings: &mut Findings) {
    // "地址:2001:db8::1": the first colon may belong to the sentence.
    let inner = written.strip_prefix(':').filter(|rest| !rest.starts_with(':'));
    let (start, written) = inner.map_or((start, written), |rest| (start + 1, rest));
    // So may the last one: "2001:db8::1:".
    let written = written.strip_suffix(':').filter(|rest| !rest.ends_with(':')).unwrap_or(written);
    let end = start + written.len();
    if !view.starts_token(start) || !view.ends_token(end) {
        return;
    }
    let Ok(address) = written.parse::<Ipv6Addr>() else { return };
    let n_parts = written.split(':').filter(|part| !part.is_empty()).count();
    let base = if address.is_loopback() || address.is_unspecified() {
        0.0
    } else if n_parts >= 4 || (n_parts == 3 && written.contains("::")) || written.contains('.') {
        0.8
    } else {
        0.4
    };
    push(findings, Kind::IpAddress, start..end, WORDS.weigh(view, &(start..end), base));
}

#[cfg(test)]
mod tests {
    use super::super::check;

    #[test]
    fn addresses_are_found_and_versions_are_not() {
        check(
            super::find,
            &[
                ("from 203.0.113.77.", &["203.0.113.77"]),
                ("登录地址198.51.100.23，", &["198.51.100.23"]),
                ("ip 10.0.0.5", &["10.0.0.5"]),
                ("ＩＰ：２０３．０．１１３．９", &["２０３．０．１１３．９"]),
                ("at 2001:db8:85a3::8a2e:370:7334 now", &["2001:db8:85a3::8a2e:370:7334"]),
                ("来源:2001:db8::1f:42。", &["2001:db8::1f:42"]),
                ("fe80:0:0:0:1:2:3:4", &["fe80:0:0:0:1:2:3:4"]),
                ("::ffff:203.0.113.9", &["::ffff:203.0.113.9"]),
                ("version 101.2.3.4, firmware: 203.0.113.7", &[]),
                ("版本1.2.3.4 固件是210.3.0.9", &[]),
                ("1.2.3.4.5 256.1.1.1 127.0.0.1 v203.0.113.7 01.2.3.400", &[]),
                ("12:30:45 10:20:30:40 std::vec a::b", &[]),
                ("比例10:20:30", &[]),
            ],
        );
    }
}
