//! Writes a review out of templates: which sentences it has, how they are filled, and the slips of a hurried writer.

use super::catalogue::Item;
use super::dice::Dice;

/// What is said about one department's items. Slots as in [`Tongue`].
pub(super) struct Voice {
    /// When and where the item is used, as part of a sentence.
    pub scenes: &'static [&'static str],
    pub praise: &'static [&'static str],
    pub blame: &'static [&'static str],
    /// What customers tell about themselves.
    pub notes: &'static [&'static str],
}

/// A language: its templates and the words for their slots.
pub(super) struct Tongue {
    /// What stands between two sentences.
    pub between: &'static str,
    /// One a department, in the departments' order.
    pub voices: &'static [Voice],
    pub openings_good: &'static [&'static str],
    pub openings_bad: &'static [&'static str],
    pub details_good: &'static [&'static str],
    pub details_bad: &'static [&'static str],
    pub aspects_good: &'static [&'static str],
    pub aspects_bad: &'static [&'static str],
    pub closings_good: &'static [&'static str],
    pub closings_bad: &'static [&'static str],
    /// Whole sentences with no topic.
    pub generic_good: &'static [&'static str],
    pub generic_bad: &'static [&'static str],
    /// Sentences that turn from praise to blame.
    pub joins: &'static [&'static str],
    pub fills: &'static [(&'static str, &'static [&'static str])],
}

/// How the writer feels about the item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mood {
    Good,
    Mixed,
    Bad,
}

impl Mood {
    pub(super) fn of_rating(rating: u32) -> Self {
        match rating {
            0..=2 => Self::Bad,
            3 => Self::Mixed,
            _ => Self::Good,
        }
    }
}

/// What a review is about.
#[derive(Clone, Copy)]
pub(super) struct Subject<'a> {
    pub item: &'a Item,
    /// Index of the item's department.
    pub department: usize,
}

/// Of a hundred reviews, so many say nothing about the item.
const PERCENT_GENERIC: u32 = 8;
/// Of a hundred English reviews, so many have a slip of the keyboard.
const PERCENT_WITH_TYPO: u32 = 7;

/// Writes one review.
pub(super) fn compose(tongue: &Tongue, subject: Subject<'_>, mood: Mood, dice: &mut Dice) -> String {
    let templates =
        if dice.percent(PERCENT_GENERIC) { generic(tongue, mood, dice) } else { plan(tongue, subject, mood, dice) };
    let sentences: Vec<String> = templates.iter().map(|template| sentence(tongue, subject, template, dice)).collect();
    let text = sentences.join(tongue.between);
    if text.is_ascii() && dice.percent(PERCENT_WITH_TYPO) { with_typo(&text, dice) } else { text }
}

fn generic(tongue: &Tongue, mood: Mood, dice: &mut Dice) -> Vec<&'static str> {
    let list = if mood == Mood::Bad { tongue.generic_bad } else { tongue.generic_good };
    let mut chosen = Vec::new();
    for _ in 0..2 + dice.below(2) {
        let template = dice.pick(list);
        if !chosen.contains(&template) {
            chosen.push(template);
        }
    }
    if mood == Mood::Mixed {
        chosen.push(dice.pick(tongue.generic_bad));
    }
    chosen
}

/// The sentences of a review with a topic: at least one of them is about the item itself.
fn plan(tongue: &Tongue, subject: Subject<'_>, mood: Mood, dice: &mut Dice) -> Vec<&'static str> {
    let voice = &tongue.voices[subject.department];
    let is_bad = mood == Mood::Bad;
    let either = |good, bad| if is_bad { bad } else { good };
    let mut templates: Vec<&'static str> = Vec::new();
    let mut maybe = |percent: u32, list: &'static [&'static str], dice: &mut Dice| {
        if dice.percent(percent) {
            templates.push(dice.pick(list));
        }
    };
    maybe(35, either(tongue.openings_good, tongue.openings_bad), dice);
    maybe(14, voice.notes, dice);
    let (core, detail) = match dice.below(10) {
        0..=3 => (100, 0),
        4..=6 => (0, 100),
        _ => (100, 100),
    };
    maybe(core, either(voice.praise, voice.blame), dice);
    maybe(detail, either(tongue.details_good, tongue.details_bad), dice);
    if mood == Mood::Mixed {
        maybe(100, tongue.joins, dice);
        maybe(100, if dice.percent(50) { tongue.details_bad } else { tongue.aspects_bad }, dice);
    } else {
        let is_short = core + detail == 100;
        maybe(if is_short { 55 } else { 35 }, either(tongue.aspects_good, tongue.aspects_bad), dice);
        maybe(18, either(tongue.closings_good, tongue.closings_bad), dice);
    }
    templates
}

/// Fills a template's slots, the slots of what was filled in as well, and starts with a capital.
fn sentence(tongue: &Tongue, subject: Subject<'_>, template: &str, dice: &mut Dice) -> String {
    let mut text = template.to_owned();
    while let Some(start) = text.find('{') {
        let length = text[start..].find('}').expect("a test fills every template, so each slot closes");
        let slot = text[start + 1..start + length].to_owned();
        let fill = fill(tongue, subject, &slot, dice);
        text.replace_range(start..=start + length, fill);
    }
    capitalised(&text)
}

fn fill(tongue: &Tongue, subject: Subject<'_>, slot: &str, dice: &mut Dice) -> &'static str {
    let item = subject.item;
    let is_chinese = tongue.between.is_empty();
    match slot {
        "noun" => {
            if is_chinese {
                item.noun_zh
            } else {
                item.noun
            }
        }
        "good" => {
            if is_chinese {
                item.good_zh
            } else {
                item.good
            }
        }
        "bad" => {
            if is_chinese {
                item.bad_zh
            } else {
                item.bad
            }
        }
        "scene" => dice.pick(tongue.voices[subject.department].scenes),
        _ => {
            let list = tongue.fills.iter().find(|(name, _)| *name == slot);
            let (_, words) = list.expect("a test fills every template, so each slot has its words");
            dice.pick(words)
        }
    }
}

fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

/// Swaps, drops or doubles one letter inside a word, or forgets the capitals.
fn with_typo(text: &str, dice: &mut Dice) -> String {
    let letters: Vec<char> = text.chars().collect();
    let inside = |i: &usize| letters[i - 1..=i + 1].iter().all(char::is_ascii_lowercase);
    let places: Vec<usize> = (1..letters.len().saturating_sub(1)).filter(inside).collect();
    if places.is_empty() {
        return text.to_owned();
    }
    let i = dice.pick(&places);
    let mut typed = letters;
    match dice.below(4) {
        0 => typed.swap(i, i + 1),
        1 => drop(typed.remove(i)),
        2 => typed.insert(i, typed[i]),
        _ => return text.to_lowercase(),
    }
    typed.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::super::catalogue::DEPARTMENTS;
    use super::super::grammar_en::ENGLISH;
    use super::super::grammar_zh::CHINESE;
    use super::*;

    #[test]
    fn every_template_fills_for_every_item() {
        for tongue in [&ENGLISH, &CHINESE] {
            assert_eq!(tongue.voices.len(), DEPARTMENTS.len());
            let mut dice = Dice::new(1, 0);
            for (department, shelf) in DEPARTMENTS.iter().enumerate() {
                let voice = &tongue.voices[department];
                let lists = [
                    voice.praise,
                    voice.blame,
                    voice.notes,
                    tongue.openings_good,
                    tongue.openings_bad,
                    tongue.details_good,
                    tongue.details_bad,
                    tongue.aspects_good,
                    tongue.aspects_bad,
                    tongue.closings_good,
                    tongue.closings_bad,
                    tongue.generic_good,
                    tongue.generic_bad,
                    tongue.joins,
                ];
                for template in lists.into_iter().flatten() {
                    for item in &shelf.items {
                        let text = sentence(tongue, Subject { item, department }, template, &mut dice);
                        assert!(!text.is_empty() && !text.contains(['{', '}']), "{template}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_typo_changes_a_letter_or_the_capitals_and_no_more() {
        let mut dice = Dice::new(2, 0);
        for _ in 0..200 {
            let typed = with_typo("This grinder is great.", &mut dice);
            assert!(typed.len().abs_diff("This grinder is great.".len()) <= 1, "{typed}");
            assert_eq!(typed.split(' ').count(), 4);
        }
    }
}
