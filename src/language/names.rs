//! Short names for segments, made of their keywords, no two the same.

use super::terms::is_chinese;
use crate::domain::Keyword;
use std::collections::{HashMap, HashSet};

/// Keywords in a name, unless more are needed to tell it from another.
const WORDS: usize = 2;

/// A name for each segment, in their order: its best keywords, those first that weigh more here than in any other segment.
/// Where keywords cannot tell two segments apart a number does, and a segment without keywords is told by its number alone.
pub fn names(keywords: &[Vec<Keyword>]) -> Vec<String> {
    let mut most: HashMap<&str, f64> = HashMap::new();
    for keyword in keywords.iter().flatten() {
        let most = most.entry(&keyword.term).or_default();
        *most = most.max(keyword.score);
    }
    let mut taken = HashSet::new();
    let mut names = Vec::with_capacity(keywords.len());
    for (i, keywords) in keywords.iter().enumerate() {
        let (own, others): (Vec<&Keyword>, Vec<&Keyword>) =
            keywords.iter().partition(|keyword| keyword.score >= most[keyword.term.as_str()]);
        let terms: Vec<&str> = own.iter().chain(&others).map(|keyword| keyword.term.as_str()).collect();
        let name = (WORDS..=terms.len().max(WORDS))
            .map(|n_words| name_of(&terms, n_words))
            .chain((1..).map(|n| numbered(&terms, i + n)))
            .find(|name| !name.is_empty() && !taken.contains(name));
        let name = name.unwrap_or_default();
        taken.insert(name.clone());
        names.push(name);
    }
    names
}

fn name_of(terms: &[&str], n_words: usize) -> String {
    let terms = &terms[..n_words.min(terms.len())];
    let chinese = terms.iter().any(|term| is_chinese(term));
    let name = match *terms {
        [] => String::new(),
        _ if chinese => terms.join("、"),
        [only] => only.to_owned(),
        [ref first @ .., last] => format!("{} & {last}", first.join(", ")),
    };
    capitalised(&name)
}

fn numbered(terms: &[&str], number: usize) -> String {
    match name_of(terms, WORDS) {
        name if name.is_empty() => format!("Without words {number}"),
        name => format!("{name} ({number})"),
    }
}

fn capitalised(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Keywords with falling scores: 1, ½, ⅓, …
    fn of(terms: &[&str]) -> Vec<Keyword> {
        let scores = (1..).map(|rank| 1.0 / f64::from(rank));
        terms.iter().zip(scores).map(|(term, score)| Keyword { term: (*term).to_owned(), score }).collect()
    }

    #[test]
    fn names_are_made_of_the_best_keywords_of_their_own_and_told_apart_by_numbers_at_last() {
        let found = names(&[
            of(&["battery life", "camera", "zoom"]),
            of(&["camera", "battery life", "price"]),
            of(&["price", "sound", "camera"]),
            of(&["price", "sound", "zoom"]),
            of(&["酒店", "房间", "前台"]),
            of(&["only"]),
            of(&[]),
            of(&["only"]),
        ]);
        assert_eq!(
            found,
            [
                "Battery life & zoom",
                "Camera & battery life",
                "Price & sound",
                "Price, sound & zoom",
                "酒店、房间",
                "Only",
                "Without words 7",
                "Only (8)"
            ]
        );
    }

    proptest! {
        #[test]
        fn no_two_names_are_the_same_and_none_is_empty(
            all in prop::collection::vec(prop::collection::vec("[ab]", 0..4), 0..12),
        ) {
            let keywords: Vec<Vec<Keyword>> =
                all.iter().map(|terms| of(&terms.iter().map(String::as_str).collect::<Vec<_>>())).collect();
            let found = names(&keywords);
            let distinct: HashSet<&String> = found.iter().collect();
            prop_assert_eq!(distinct.len(), all.len());
            prop_assert!(found.iter().all(|name| !name.is_empty()));
        }
    }
}
