//! Laws of the sample shop: the same bytes from the same seed, the planted shares, and every line readable by the importer.

use super::personas::PERSONAS;
use super::{ShopFiles, ShopSettings, write_shop};
use crate::domain::{Fact, Timestamp};
use crate::ingest::{Format, Kind, Mapping, Position, Reading, Source, Vocabulary, open};
use sha2::{Digest, Sha256};
use std::cell::Cell;
use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;

fn grown(settings: ShopSettings) -> (tempfile::TempDir, ShopFiles) {
    let dir = tempfile::tempdir().unwrap();
    let files = write_shop(settings, dir.path(), &|_, _| {}).unwrap();
    (dir, files)
}

fn hash(path: &Path) -> [u8; 32] {
    Sha256::digest(std::fs::read(path).unwrap()).into()
}

fn hashes(settings: ShopSettings) -> [[u8; 32]; 3] {
    let (_dir, files) = grown(settings);
    [hash(&files.events), hash(&files.reviews), hash(&files.truth)]
}

fn facts(path: &Path, kind: Kind) -> Vec<Fact> {
    let name = |text: &str| Some(text.to_owned());
    let mapping = Mapping {
        customer: name("customer_id"),
        text: name("text"),
        id: name("review_id"),
        item: name("item_id"),
        rating: name("rating"),
        time: name("time"),
        ..Mapping::default()
    };
    let format = Format::of_path(path).unwrap();
    let source =
        Source { path: path.to_owned(), kind, format, mapping: Some(mapping).filter(|_| kind == Kind::Reviews) };
    let reading =
        Reading { now: Timestamp::UNIX_EPOCH, vocabulary: Arc::new(Vocabulary::standard()), keeps_raw: false };
    let rows = open(&source, Position::default(), reading).unwrap();
    rows.map(|row| row.unwrap().fact.unwrap()).collect()
}

fn truth(files: &ShopFiles) -> HashMap<String, String> {
    let mut reader = csv::Reader::from_path(&files.truth).unwrap();
    reader.deserialize().map(Result::unwrap).collect()
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_seed_others() {
    for chinese in [false, true] {
        let settings = ShopSettings { n_customers: 200, seed: 5, chinese };
        let first = hashes(settings);
        assert_eq!(first, hashes(settings));
        let other = hashes(ShopSettings { seed: 6, ..settings });
        assert!(first.iter().zip(&other).all(|(a, b)| a != b));
    }
}

#[test]
fn a_smaller_shop_is_the_beginning_of_a_larger_one() {
    let (_a, small) = grown(ShopSettings { n_customers: 20, ..ShopSettings::default() });
    let (_b, large) = grown(ShopSettings { n_customers: 50, ..ShopSettings::default() });
    for (small, large) in [(small.events, large.events), (small.reviews, large.reviews), (small.truth, large.truth)] {
        assert!(std::fs::read(large).unwrap().starts_with(&std::fs::read(small).unwrap()));
    }
}

#[test]
fn every_persona_has_its_share() {
    let (_dir, files) = grown(ShopSettings::default());
    let truth = truth(&files);
    assert_eq!(truth.len(), 3000);
    assert_eq!(PERSONAS.iter().map(|persona| persona.share_percent).sum::<u32>(), 100);
    for persona in &PERSONAS {
        let n = truth.values().filter(|name| *name == persona.name).count();
        let percent = 100.0 * n as f64 / truth.len() as f64;
        assert!((percent - f64::from(persona.share_percent)).abs() < 3.0, "{}: {percent} %", persona.name);
    }
}

#[test]
fn every_line_is_a_fact_of_a_known_customer_and_no_id_repeats() {
    let (_dir, files) = grown(ShopSettings { n_customers: 400, chinese: true, ..ShopSettings::default() });
    let customers = truth(&files);
    let mut ids = HashSet::new();
    let mut n_calls = HashMap::new();
    let facts = facts(&files.events, Kind::Events).into_iter().chain(facts(&files.reviews, Kind::Reviews));
    for fact in facts {
        assert!(customers.contains_key(fact.customer().unwrap().as_str()));
        match fact {
            Fact::Review(review) => assert!(ids.insert(review.id.to_string())),
            Fact::Event(event) => {
                assert!(ids.insert(event.id.to_string()));
                *n_calls.entry(event.name).or_insert(0) += 1;
            }
            Fact::Identify(identify) => {
                assert_eq!(identify.traits.len(), 5);
                *n_calls.entry("identify".to_owned()).or_insert(0) += 1;
            }
            other => panic!("the shop sends no {other:?}"),
        }
    }
    assert_eq!(n_calls["identify"], 400);
    for name in ["Product Viewed", "Product Added", "Order Completed", "Order Refunded"] {
        assert!(n_calls.contains_key(name), "{name}");
    }
}

#[test]
fn an_order_adds_up_and_a_life_is_in_order() {
    let (_dir, files) = grown(ShopSettings { n_customers: 200, ..ShopSettings::default() });
    let mut last: Option<(String, Timestamp)> = None;
    for fact in facts(&files.events, Kind::Events) {
        let (customer, time) = match &fact {
            Fact::Identify(identify) => (identify.who.id.to_string(), identify.time),
            Fact::Event(event) => (event.who.id.to_string(), event.time),
            other => panic!("events hold no {other:?}"),
        };
        assert!(last.is_none_or(|(before, earlier)| before != customer || earlier <= time), "{customer}");
        assert!(time < "2026-07-01T00:00:00Z".parse().unwrap(), "{customer}");
        last = Some((customer, time));
        let Fact::Event(event) = fact else { continue };
        if event.name.starts_with("Order") {
            let lines = event.properties["products"].as_array().unwrap();
            let cents =
                |line: &serde_json::Value| line["price"].as_f64().unwrap() * line["quantity"].as_f64().unwrap() * 100.0;
            let sum: f64 = lines.iter().map(cents).sum();
            assert!((sum - 100.0 * event.properties["total"].as_f64().unwrap()).abs() < 0.01, "{}", event.id);
        }
    }
}

#[test]
fn reviews_are_as_long_and_as_varied_as_real_ones() {
    let (_dir, files) = grown(ShopSettings::default());
    let texts: Vec<String> = facts(&files.reviews, Kind::Reviews)
        .into_iter()
        .map(|fact| match fact {
            Fact::Review(review) => review.text.as_str().to_owned(),
            other => panic!("reviews hold reviews alone: {other:?}"),
        })
        .collect();
    let n = texts.len() as f64;
    assert!((2.1..2.3).contains(&(n / 3000.0)), "{n} reviews");
    let distinct: HashSet<&str> = texts.iter().map(String::as_str).collect();
    let duplicates = 1.0 - distinct.len() as f64 / n;
    assert!(duplicates < 0.03, "{duplicates}");
    let n_words: usize = texts.iter().map(|text| text.split_whitespace().count()).sum();
    assert!((18.0..25.0).contains(&(n_words as f64 / n)), "{} words", n_words as f64 / n);
}

#[test]
fn about_a_third_write_chinese_when_asked_and_nobody_when_not() {
    let share = |chinese: bool| {
        let (_dir, files) = grown(ShopSettings { n_customers: 1000, chinese, ..ShopSettings::default() });
        let mut writers: HashMap<String, bool> = HashMap::new();
        for fact in facts(&files.reviews, Kind::Reviews) {
            let Fact::Review(review) = fact else { panic!("reviews hold reviews alone") };
            let has_chinese = review.text.as_str().chars().any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c));
            let known = *writers.entry(review.customer.to_string()).or_insert(has_chinese);
            assert_eq!(known, has_chinese, "{} writes one language", review.customer);
        }
        writers.values().filter(|is_chinese| **is_chinese).count() as f64 / writers.len() as f64
    };
    assert_eq!(share(false), 0.0);
    assert!((0.30..0.40).contains(&share(true)));
}

#[test]
fn progress_is_told_to_the_end_and_a_folder_that_cannot_be_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let last = Cell::new((0, 0));
    let settings = ShopSettings { n_customers: 10, ..ShopSettings::default() };
    write_shop(settings, &dir.path().join("new/folder"), &|done, total| last.set((done, total))).unwrap();
    assert_eq!(last.get(), (10, 10));
    let file = dir.path().join("file");
    std::fs::write(&file, "in the way").unwrap();
    assert!(write_shop(settings, &file, &|_, _| {}).is_err());
}
