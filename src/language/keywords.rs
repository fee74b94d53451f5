//! Class-based TF-IDF: the terms that tell one segment from the others.

use super::terms::terms;
use crate::domain::Keyword;
use rayon::prelude::*;
use rust_stemmers::{Algorithm, Stemmer};
use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

/// A term of fewer documents than this says more about one writer than about a segment; in tiny sets any term may do.
const DOCUMENTS_AT_LEAST: usize = 3;
const TINY_SET: usize = 50;

/// Only to tell that two words are one; no stem is ever shown.
static STEMMER: LazyLock<Stemmer> = LazyLock::new(|| Stemmer::create(Algorithm::English));

/// The `wanted` best terms of each of `k` classes, best first; fewer where there are no more words.
///
/// A document is its class and its text. The weight of term t in class c is tf(t, c) · ln(1 + A / tf(t)), where tf(t, c) is the
/// share of t among the terms of c, tf(t) its count in all classes and A the mean number of terms in a class (Grootendorst
/// 2022, equation 2). Of terms that say the same (`camera` and `cameras`, `life` and `battery life`) the best stands alone.
pub fn keywords(documents: &[(usize, &str)], k: usize, wanted: usize) -> Vec<Vec<Keyword>> {
    let counts = Counts::new(documents, k);
    (0..k).map(|class| distinct(counts.weighted(class), wanted)).collect()
}

struct Counts {
    /// For each class how often a term is in it.
    in_class: Vec<HashMap<String, usize>>,
    in_all: HashMap<String, usize>,
    documents: HashMap<String, usize>,
    n_documents: usize,
}

impl Counts {
    fn new(documents: &[(usize, &str)], k: usize) -> Self {
        let all: Vec<(usize, Vec<String>)> = documents.par_iter().map(|(class, text)| (*class, terms(text))).collect();
        let mut counts = Self {
            in_class: vec![HashMap::new(); k],
            in_all: HashMap::new(),
            documents: HashMap::new(),
            n_documents: documents.len(),
        };
        for (class, terms) in all {
            let mut seen = HashSet::new();
            for term in &terms {
                if seen.insert(term.as_str()) {
                    *counts.documents.entry(term.clone()).or_default() += 1;
                }
            }
            for term in terms {
                *counts.in_all.entry(term.clone()).or_default() += 1;
                *counts.in_class[class].entry(term).or_default() += 1;
            }
        }
        counts
    }

    /// A class's terms with their weights, best first, ties by the alphabet.
    fn weighted(&self, class: usize) -> Vec<Keyword> {
        let at_least = if self.n_documents < TINY_SET { 1 } else { DOCUMENTS_AT_LEAST };
        let n_terms: usize = self.in_class[class].values().sum();
        let mean_terms = self.in_all.values().sum::<usize>() as f64 / self.in_class.len() as f64;
        let mut weighted: Vec<Keyword> = self.in_class[class]
            .iter()
            .filter(|(term, _)| self.documents[*term] >= at_least)
            .map(|(term, &count)| {
                let share = count as f64 / n_terms as f64;
                let rarity = (1.0 + mean_terms / self.in_all[term] as f64).ln();
                Keyword { term: term.clone(), score: share * rarity }
            })
            .collect();
        weighted.sort_by(|a, b| b.score.total_cmp(&a.score).then_with(|| a.term.cmp(&b.term)));
        weighted
    }
}

/// The first terms of which none shares a word with one before it.
fn distinct(weighted: Vec<Keyword>, wanted: usize) -> Vec<Keyword> {
    let mut chosen: Vec<Keyword> = Vec::with_capacity(wanted);
    for keyword in weighted {
        if chosen.len() == wanted {
            break;
        }
        if !chosen.iter().any(|before| says_the_same(&before.term, &keyword.term)) {
            chosen.push(keyword);
        }
    }
    chosen
}

fn says_the_same(one: &str, other: &str) -> bool {
    if super::terms::is_chinese(one) || super::terms::is_chinese(other) {
        return one.contains(other) || other.contains(one);
    }
    let stem = |word| STEMMER.stem(word);
    one.split(' ').any(|a| other.split(' ').any(|b| stem(a) == stem(b)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn terms_of(keywords: &[Keyword]) -> Vec<&str> {
        keywords.iter().map(|keyword| keyword.term.as_str()).collect()
    }

    #[test]
    fn each_class_gets_the_terms_the_others_lack() {
        let documents = [
            (0, "The hotel room was clean, hotel staff friendly"),
            (0, "Hotel breakfast cold"),
            (1, "Laptop keyboard broke"),
            (1, "The laptop screen and keyboard"),
            (2, "这本书的内容很好，作者文笔流畅"),
            (2, "书的内容不错，作者用心"),
        ];
        let found = keywords(&documents, 3, 3);
        assert_eq!(found[0][0].term, "hotel");
        assert!(terms_of(&found[1]).contains(&"laptop") && terms_of(&found[1]).contains(&"keyboard"), "{found:?}");
        assert!(terms_of(&found[2]).contains(&"内容") && terms_of(&found[2]).contains(&"作者"), "{found:?}");
    }

    #[test]
    fn weights_are_those_of_the_equation() {
        // Terms: class 0 has "red" twice and "blue" once, class 1 "blue" once; pairs never meet across the full stops.
        let found = keywords(&[(0, "red. red. blue."), (1, "blue.")], 2, 5);
        let weight = |term: &str| found[0].iter().find(|keyword| keyword.term == term).unwrap().score;
        assert!((weight("red") - 2.0 / 3.0 * (1.0f64 + 2.0 / 2.0).ln()).abs() < 1e-12);
        assert!((weight("blue") - 1.0 / 3.0 * (1.0f64 + 2.0 / 2.0).ln()).abs() < 1e-12);
        assert!((found[1][0].score - 1.0 * (1.0f64 + 2.0 / 2.0).ln()).abs() < 1e-12);
    }

    #[test]
    fn no_keyword_repeats_a_word_of_another() {
        let documents =
            [(0, "battery batteries battery, charging charged, plays play movie movies"), (1, "camera zoom")];
        assert_eq!(terms_of(&keywords(&documents, 2, 5)[0]), ["battery", "charged", "movie", "play"]);
    }

    #[test]
    fn a_class_without_words_has_no_keywords() {
        assert_eq!(keywords(&[(0, "👍"), (1, "camera")], 3, 5)[0], vec![]);
        assert_eq!(keywords(&[], 2, 5), vec![vec![], vec![]]);
    }

    proptest! {
        #[test]
        fn the_order_of_documents_does_not_matter(
            mut documents in prop::collection::vec((0usize..3, "[a-e]{2} [a-e]{2} [a-e]{2}"), 1..30), by in 0usize..30,
        ) {
            let view = |documents: &[(usize, String)]| {
                keywords(&documents.iter().map(|(c, text)| (*c, text.as_str())).collect::<Vec<_>>(), 3, 5)
            };
            let one = view(&documents);
            let n = documents.len();
            documents.rotate_left(by % n);
            prop_assert_eq!(one, view(&documents));
        }
    }
}
