//! Customers whose groups are known: what they write about × how they buy. Either alone tells two of four apart.

use super::build::Material;
use super::fit::Reporter;
use super::people::{People, Person};
use crate::domain::{
    Algorithm, BlockChoice, BlockWeights, CustomerId, Definition, Inputs, KChoice, Money, Order, OrderId, Review,
    ReviewId, ReviewText, Timestamp,
};
use crate::features::{Categories, History};
use crate::store::ReviewVector;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Map, json};
use std::ops::ControlFlow;

pub const DIMENSION: usize = 16;
/// Days there are facts of.
const DAYS: i64 = 360;

pub struct Nobody;

impl Reporter for Nobody {
    fn report(&self, _: &str, _: u64, _: Option<u64>) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}

/// Everything a planted set is made of, before it is described.
#[derive(Clone)]
pub struct Planted {
    pub persons: Vec<(CustomerId, Person)>,
    pub reviews: Vec<ReviewVector>,
    pub texts: Vec<String>,
    /// In the order of customers' ids.
    pub labels: Vec<usize>,
}

pub fn at(day: i64) -> Timestamp {
    Timestamp::from_second(1_750_000_000 + day * 86_400).unwrap()
}

pub fn id(i: usize) -> CustomerId {
    CustomerId::parse(&format!("c{i:04}")).unwrap()
}

/// `n` customers of four groups in turn. Each writes two reviews.
pub fn planted(n: usize, seed: u64) -> Planted {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut planted = Planted { persons: vec![], reviews: vec![], texts: vec![], labels: vec![] };
    for i in 0..n {
        let (topic, buyer) = (i % 2, i / 2 % 2);
        let mut person = Person { history: orders(i, buyer, &mut rng), traits: Map::new() };
        for n_th in 0..2 {
            let day = if n_th == 0 { rng.random_range(0..200) } else { rng.random_range(280..DAYS) };
            let review = written(i, n_th, day, topic);
            person.history.add_review(&review);
            planted.texts.push(review.text.as_str().to_owned());
            planted.reviews.push(ReviewVector {
                seq: planted.reviews.len() as i64,
                review: review.id,
                customer: id(i),
                time: at(day),
                vector: vector(topic, &mut rng),
            });
        }
        planted.persons.push((id(i), person));
        planted.labels.push(topic + 2 * buyer);
    }
    planted
}

fn vector(topic: usize, rng: &mut ChaCha8Rng) -> Vec<f32> {
    (0..DIMENSION).map(|d| f32::from(u8::from(d == topic)) + rng.random_range(-0.25..0.25)).collect()
}

fn written(i: usize, n_th: usize, day: i64, topic: usize) -> Review {
    let words = [["battery", "camera", "screen"], ["hotel", "breakfast", "staff"]][topic];
    let text = format!("The {} and the {}", words[i % 3], words[(i + 1 + n_th) % 3]);
    Review {
        id: ReviewId::parse(&format!("r{i}-{n_th}")).unwrap(),
        customer: id(i),
        text: ReviewText::parse(&text).unwrap(),
        item: None,
        rating: None,
        time: at(day),
        tongue: None,
    }
}

/// Either about 18 dear orders until today, or about 4 cheap ones that ended long ago.
fn orders(i: usize, buyer: usize, rng: &mut ChaCha8Rng) -> History {
    let mut history = History::default();
    let (n_orders, days, minor) = if buyer == 0 { (18, 0..DAYS, 9_000) } else { (4, 0..200, 1_500) };
    for n in 0..n_orders + rng.random_range(0..3) {
        history.add_order(&Order {
            id: OrderId::parse(&format!("o{i}-{n}")).unwrap(),
            customer: id(i),
            time: at(rng.random_range(days.clone())),
            total: Money { minor: minor + rng.random_range(0..1_000), currency: None },
            discount_minor: 0,
            lines: vec![],
        });
    }
    history
}

impl Planted {
    /// A plan and a city that say nothing.
    pub fn with_traits(mut self) -> Self {
        for (i, (_, person)) in self.persons.iter_mut().enumerate() {
            person.traits.insert("plan".into(), json!(["free", "pro", "team"][i * 7 % 3]));
            person.traits.insert("age".into(), json!(20 + i * 13 % 50));
        }
        self
    }

    pub fn people(&self, holds_out: bool) -> People {
        People::describe(self.persons.clone(), Categories::default(), at(DAYS), holds_out)
    }

    pub fn material(&self, people: Option<People>) -> Material {
        Material {
            reviews: self.reviews.clone(),
            texts: self.texts.clone(),
            people,
            previous: None,
            version: 1,
            highest_id: 0,
            model_fingerprint: "model@1".into(),
            now: at(DAYS + 1),
            scorer: None,
        }
    }
}

pub fn definition(blocks: BlockChoice) -> Definition {
    let inputs = Inputs { blocks, ..Inputs::default() };
    Definition { model: "model".into(), k: KChoice::Auto, seed: 0, inputs, algorithm: Algorithm::KMeans }
}

pub fn weights(text: f64, behaviour: f64, traits: f64) -> BlockChoice {
    BlockChoice::Weights(BlockWeights { text, behaviour, traits })
}
