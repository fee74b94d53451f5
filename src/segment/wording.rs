//! Names and sentences for segments of a joined space: what their customers write about, and what they do and are.

use super::differences::{Differences, SHARE};
use crate::domain::{Difference, Keyword};
use crate::language;
use std::collections::HashSet;

/// From this effect on a word is said of a segment (Cohen 1988 calls 0.5 medium).
const MEDIUM: f64 = 0.5;
/// Differences in a sentence.
const SAID: usize = 3;

/// What a segment is worded from.
pub struct Wording<'a> {
    pub keywords: &'a [Keyword],
    /// Whether its customers write about the same.
    pub is_text_strong: bool,
    pub differences: &'a Differences,
    pub size: usize,
    pub share: f64,
}

/// The same in both languages.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Phrase {
    english: String,
    chinese: String,
}

impl Phrase {
    fn new(english: impl Into<String>, chinese: impl Into<String>) -> Self {
        Self { english: english.into(), chinese: chinese.into() }
    }
}

/// A name for each, no two the same: keywords where they say something, with what their customers are like beside; else that alone.
pub fn names(wordings: &[Wording<'_>]) -> Vec<String> {
    let strong: Vec<Vec<Keyword>> =
        wordings.iter().map(|one| if one.is_text_strong { one.keywords.to_vec() } else { Vec::new() }).collect();
    let by_words = language::names(&strong);
    let mut taken = HashSet::new();
    let mut names = Vec::with_capacity(wordings.len());
    for (i, wording) in wordings.iter().enumerate() {
        let topic = (!strong[i].is_empty()).then(|| by_words[i].as_str());
        // Words that another segment has too are followed by its number; that one is not needed beside a phrase.
        let topic = topic.map(|topic| topic.trim_end_matches(&format!(" ({})", i + 1)).to_owned());
        let candidates = (0..=wording.n_qualifiers()).map(|n| wording.name(topic.as_deref(), n));
        let numbered = (1..).map(|n| wording.numbered(topic.as_deref(), i + n));
        let name =
            candidates.chain(numbered).find(|name| !name.is_empty() && !taken.contains(name)).unwrap_or_default();
        taken.insert(name.clone());
        names.push(name);
    }
    names
}

impl Wording<'_> {
    /// One sentence in English and one in Chinese.
    pub fn sentences(&self) -> (String, String) {
        let said: Vec<&Difference> = self.differences.marked().take(SAID).collect();
        let mut english = format!("{} customers ({:.0} %)", self.size, 100.0 * self.share);
        let mut chinese = format!("{} 位客户（{:.0} %）", self.size, 100.0 * self.share);
        if self.is_text_strong && !self.keywords.is_empty() {
            let words: Vec<&str> = self.keywords.iter().take(SAID).map(|keyword| keyword.term.as_str()).collect();
            english += &format!(" who write about {}", words.join(", "));
            chinese += &format!("，谈论{}", words.join("、"));
        }
        let part = |one: &Difference, name: &str, between: &str, end: &str| {
            format!("{name} {}{between}{}{end}", shown(one, one.segment), shown(one, one.everyone))
        };
        if said.is_empty() {
            return (english + ".", chinese + "。");
        }
        let parts_en: Vec<String> = said.iter().map(|one| part(one, &one.name_en, " (everyone: ", ")")).collect();
        let parts_zh: Vec<String> = said.iter().map(|one| part(one, &one.name_zh, "（全体：", "）")).collect();
        (format!("{english}: {}.", parts_en.join("; ")), format!("{chinese}：{}。", parts_zh.join("；")))
    }

    fn name(&self, topic: Option<&str>, n_qualifiers: usize) -> String {
        let phrase = self.phrase(n_qualifiers);
        match (topic, phrase.english.is_empty()) {
            (Some(topic), true) => topic.to_owned(),
            (Some(topic), false) if language::is_chinese(topic) => format!("{topic}：{}", phrase.chinese),
            (Some(topic), false) => format!("{topic}: {}", lower_first(&phrase.english)),
            (None, _) => phrase.english,
        }
    }

    fn numbered(&self, topic: Option<&str>, number: usize) -> String {
        match self.name(topic, 0) {
            name if name.is_empty() => format!("Like everyone {number}"),
            name => format!("{name} ({number})"),
        }
    }

    fn n_qualifiers(&self) -> usize {
        self.qualifiers().len()
    }

    /// What they are like, with so many qualifiers more than it takes.
    fn phrase(&self, n_qualifiers: usize) -> Phrase {
        let qualifiers = self.qualifiers();
        let (mut phrase, rest) = match self.archetype() {
            Some(archetype) => (archetype, &qualifiers[..]),
            None => match qualifiers.split_first() {
                Some((first, rest)) => (Phrase::new(upper_first(&first.english), first.chinese.clone()), rest),
                None => return Phrase::new("", ""),
            },
        };
        for qualifier in rest.iter().take(n_qualifiers) {
            phrase.english += &format!(", {}", qualifier.english);
            phrase.chinese += &format!("、{}", qualifier.chinese);
        }
        phrase
    }

    /// What marketers call them, by their orders: frequent big spenders, lapsed one-time buyers.
    fn archetype(&self) -> Option<Phrase> {
        let differences = self.differences;
        let orders = differences.of("frequency")?;
        if orders.segment == 0.0 {
            let everyone_buys = orders.everyone > 0.0 || orders.effect <= -SMALL_FOR_NOBODY;
            return everyone_buys.then(|| self.without_orders());
        }
        let (recency, tenure) = (differences.effect("recency"), differences.effect("tenure"));
        let when = match recency {
            r if r >= MEDIUM => Some(("Lapsed", "流失")),
            r if r <= -MEDIUM && tenure <= -MEDIUM => Some(("New", "新")),
            _ => None,
        };
        let often = match orders.effect {
            _ if orders.segment == 1.0 && orders.everyone > 1.0 => Some(("one-time", "一次性")),
            e if e >= MEDIUM => Some(("frequent", "高频")),
            e if e <= -MEDIUM => Some(("occasional", "低频")),
            _ => None,
        };
        let money = if orders.segment > 1.0 { "monetary" } else { "average_order" };
        let who = match differences.effect(money) {
            e if e >= MEDIUM => Some(("big spenders", "高消费客户")),
            e if e <= -MEDIUM && orders.segment > 1.0 => Some(("small spenders", "低消费客户")),
            _ => None,
        };
        if when.is_none() && often.is_none() && who.is_none() {
            return None;
        }
        let who = who.unwrap_or(("buyers", "买家"));
        let words = [when, often, Some(who)];
        let english: Vec<&str> = words.iter().flatten().map(|(english, _)| *english).collect();
        let chinese: String = words.iter().flatten().map(|(_, chinese)| *chinese).collect();
        Some(Phrase::new(upper_first(&english.join(" ")), chinese))
    }

    fn without_orders(&self) -> Phrase {
        if self.differences.of("views").is_some_and(|views| views.segment > 0.0) {
            return Phrase::new("Browsers without an order", "只逛不买的访客");
        }
        Phrase::new("Customers without an order", "未下单客户")
    }

    /// Differences as words, the largest first, without those an archetype says already.
    fn qualifiers(&self) -> Vec<Phrase> {
        let is_said = self.archetype().is_some();
        let marked = self.differences.marked().filter(|one| one.effect.abs() >= MEDIUM);
        let new =
            marked.filter(|one| !(is_said && ["recency", "frequency", "monetary"].contains(&one.feature.as_str())));
        let phrase = |one: &Difference| match (one.feature.contains('='), one.effect > 0.0) {
            (true, true) => Phrase::new(one.name_en.clone(), one.name_zh.clone()),
            (true, false) => Phrase::new(format!("not {}", one.name_en), format!("非{}", one.name_zh)),
            (false, true) => Phrase::new(format!("high {}", lower_first(&one.name_en)), format!("{}高", one.name_zh)),
            (false, false) => Phrase::new(format!("low {}", lower_first(&one.name_en)), format!("{}低", one.name_zh)),
        };
        new.map(phrase).collect()
    }
}

/// Where the median of everyone is no order either, fewer orders than everyone by this effect still say that these have none.
const SMALL_FOR_NOBODY: f64 = super::differences::SMALL;

/// A value as people read it: shares in percent, three digits of the rest.
fn shown(one: &Difference, value: f64) -> String {
    if one.unit == SHARE || one.feature.ends_with("_share") || one.feature.ends_with("_rate") {
        return format!("{:.0} %", 100.0 * value);
    }
    let digits = match value.abs() {
        v if v >= 100.0 || v.fract() == 0.0 => 0,
        v if v >= 10.0 => 1,
        _ => 2,
    };
    format!("{value:.digits$}")
}

fn lower_first(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next();
    // An abbreviation stays as it is.
    if letters.clone().next().is_some_and(char::is_uppercase) {
        return text.to_owned();
    }
    first.map(|first| first.to_lowercase().chain(letters).collect()).unwrap_or_default()
}

fn upper_first(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}
