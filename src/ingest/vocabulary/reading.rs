//! Reads an event's properties by what the event means: the item, the money, the order, the words.

use super::{Meaning, Paths};
use crate::domain::{
    Activity, ActivityKind, Currency, Event, ItemId, Language, Money, Order, OrderId, OrderLine, Refund, Review,
    ReviewId, ReviewText, Told, Tongue,
};
use serde_json::{Map, Value};

/// The usual names of parts, tried in order.
const ITEM: [&str; 9] =
    ["product_id", "productId", "course_id", "courseId", "sku", "item_id", "itemId", "lesson_id", "lessonId"];
const ORDER: [&str; 6] = ["order_id", "orderId", "enrollment_id", "enrolment_id", "transaction_id", "checkout_id"];
const AMOUNT: [&str; 5] = ["total", "revenue", "value", "amount", "price"];
const CURRENCY: [&str; 1] = ["currency"];
const DISCOUNT: [&str; 1] = ["discount"];
const LINES: [&str; 3] = ["products", "items", "courses"];
const QUANTITY: [&str; 2] = ["quantity", "qty"];
const PRICE: [&str; 2] = ["price", "unit_price"];
const CATEGORY: [&str; 1] = ["category"];
const TEXT: [&str; 6] = ["review_body", "reviewBody", "body", "text", "comment", "content"];
const REVIEW: [&str; 2] = ["review_id", "reviewId"];
const RATING: [&str; 4] = ["rating", "stars", "score", "review_rating"];
const LANGUAGE: [&str; 3] = ["language", "lang", "locale"];
const VALUE: [&str; 3] = ["quantity", "score", "progress"];
const REFUND: [&str; 2] = ["refund_id", "refundId"];
/// An order of more lines keeps these; no shop's basket comes near.
const MAX_LINES: usize = 1_000;

pub(super) fn understand(mut event: Event, meaning: &Meaning) -> Event {
    let parts = Parts { properties: &event.properties, meaning };
    let activity = Activity { kind: meaning.kind, item: parts.item(), amount: parts.amount(), value: parts.value() };
    let told = match meaning.kind {
        ActivityKind::Order | ActivityKind::Enrol => parts.order(&event).map(Told::Order),
        ActivityKind::Refund => parts.refund(&event).map(Told::Refund),
        ActivityKind::Cancel => parts.refund(&event).map(|refund| Told::Refund(Refund { amount: None, ..refund })),
        ActivityKind::Review => parts.review(&event).map(Told::Review),
        _ => None,
    };
    if matches!(told, Some(Told::Review(_))) {
        // The words are kept once, with the review, where redaction and erasure find them.
        let path = parts.path(meaning.fields.text.as_ref(), &TEXT).map(str::to_owned);
        if let Some(path) = path {
            remove(&mut event.properties, &path);
        }
    }
    event.activity = Some(activity);
    event.told = told;
    event
}

struct Parts<'a> {
    properties: &'a Map<String, Value>,
    meaning: &'a Meaning,
}

impl<'a> Parts<'a> {
    /// The first of the operator's paths, else of the usual ones, that leads to something.
    fn path(&self, own: Option<&'a Paths>, usual: &'a [&'a str]) -> Option<&'a str> {
        let is_there = |path: &&str| lookup(self.properties, path).is_some();
        match own {
            Some(Paths::One(path)) => Some(path.as_str()).filter(is_there),
            Some(Paths::Several(paths)) => paths.iter().map(String::as_str).find(is_there),
            None => usual.iter().copied().find(is_there),
        }
    }

    fn get(&self, own: Option<&'a Paths>, usual: &'a [&'a str]) -> Option<&'a Value> {
        self.path(own, usual).and_then(|path| lookup(self.properties, path))
    }

    fn item(&self) -> Option<ItemId> {
        self.get(self.meaning.fields.item.as_ref(), &ITEM).and_then(text).and_then(|id| ItemId::parse(&id).ok())
    }

    fn currency(&self) -> Option<Currency> {
        let given = self.get(self.meaning.fields.currency.as_ref(), &CURRENCY)?.as_str()?;
        Currency::parse(given).ok()
    }

    /// What a review is said to be written in.
    fn language(&self) -> Option<Language> {
        let given = LANGUAGE.iter().find_map(|name| lookup(self.properties, name))?.as_str()?;
        Language::parse(given).ok()
    }

    fn amount(&self) -> Option<Money> {
        self.signed_amount().filter(|money| money.minor >= 0)
    }

    fn signed_amount(&self) -> Option<Money> {
        let given = self.get(self.meaning.fields.amount.as_ref(), &AMOUNT)?;
        Money::parse(&text(given)?, self.currency()).ok()
    }

    fn value(&self) -> Option<f64> {
        let fields = &self.meaning.fields;
        let given = match self.meaning.kind {
            ActivityKind::Review => self.get(fields.rating.as_ref(), &RATING),
            _ => self.get(fields.value.as_ref(), &VALUE),
        };
        given.and_then(number)
    }

    fn order(&self, event: &Event) -> Option<Order> {
        let id = self.order_id().or_else(|| OrderId::parse(event.id.as_str()).ok())?;
        let currency = self.currency();
        let lines = self.lines(currency);
        let is_free = self.meaning.kind == ActivityKind::Enrol;
        let total = match self.path(self.meaning.fields.amount.as_ref(), &AMOUNT) {
            Some(_) => self.amount()?,
            None if is_free => Money { minor: 0, currency },
            None => Money { minor: sum(&lines)?, currency },
        };
        let discount = self.get(self.meaning.fields.discount.as_ref(), &DISCOUNT).and_then(text);
        let discount =
            discount.and_then(|text| Money::parse(&text, currency).ok()).map_or(0, |money| money.minor.abs());
        Some(Order { id, customer: event.who.id.clone(), time: event.time, total, discount_minor: discount, lines })
    }

    fn order_id(&self) -> Option<OrderId> {
        let given = self.get(self.meaning.fields.order.as_ref(), &ORDER).and_then(text)?;
        OrderId::parse(&given).ok()
    }

    /// The products of an order; of one that lists none, the item it names itself.
    fn lines(&self, currency: Option<Currency>) -> Vec<OrderLine> {
        let listed = self.get(self.meaning.fields.lines.as_ref(), &LINES).and_then(Value::as_array);
        match listed {
            Some(products) => {
                let products = products.iter().take(MAX_LINES).filter_map(Value::as_object);
                products.filter_map(|properties| self.line(properties, currency)).collect()
            }
            None => self.line(self.properties, currency).into_iter().collect(),
        }
    }

    fn line(&self, properties: &Map<String, Value>, currency: Option<Currency>) -> Option<OrderLine> {
        let parts = Parts { properties, meaning: self.meaning };
        let fields = &self.meaning.fields;
        let quantity = parts.get(fields.quantity.as_ref(), &QUANTITY).and_then(number).filter(|n| *n >= 1.0);
        let price = parts.get(fields.price.as_ref(), &PRICE).and_then(text);
        let price = price.and_then(|text| Money::parse(&text, currency).ok()).filter(|money| money.minor >= 0);
        Some(OrderLine {
            item: parts.item()?,
            quantity: quantity.map_or(1, |n| n.min(f64::from(u32::MAX)) as u32),
            price_minor: price.map(|money| money.minor),
            category: parts.get(fields.category.as_ref(), &CATEGORY).and_then(text),
        })
    }

    fn refund(&self, event: &Event) -> Option<Refund> {
        let id = self.get(self.meaning.fields.refund.as_ref(), &REFUND).and_then(text);
        // An amount that is given and makes no sense must not become "all of it". One below zero is told as it is: cleaning
        // knows what to do with it.
        let amount = match self.path(self.meaning.fields.amount.as_ref(), &AMOUNT) {
            Some(_) => Some(self.signed_amount()?),
            None => None,
        };
        Some(Refund {
            id: id.unwrap_or_else(|| event.id.as_str().to_owned()),
            order: self.order_id()?,
            customer: event.who.id.clone(),
            time: event.time,
            amount,
        })
    }

    fn review(&self, event: &Event) -> Option<Review> {
        let words = self.get(self.meaning.fields.text.as_ref(), &TEXT)?.as_str()?;
        let id = self.get(self.meaning.fields.review.as_ref(), &REVIEW).and_then(text);
        let id = id.as_deref().unwrap_or(event.id.as_str());
        Some(Review {
            id: ReviewId::parse(id).ok()?,
            customer: event.who.id.clone(),
            text: ReviewText::parse(words).ok()?,
            item: self.item().map(String::from),
            rating: self.value(),
            time: event.time,
            tongue: self.language().map(Tongue::given),
        })
    }
}

fn sum(lines: &[OrderLine]) -> Option<i64> {
    let priced = lines.iter().map(|line| line.price_minor?.checked_mul(line.quantity.into()));
    priced
        .collect::<Option<Vec<_>>>()
        .filter(|prices| !prices.is_empty())?
        .into_iter()
        .try_fold(0_i64, i64::checked_add)
}

/// A property by its name, else by the path that the dots make of it. A null is nothing.
fn lookup<'a>(properties: &'a Map<String, Value>, path: &str) -> Option<&'a Value> {
    let nested = || {
        let mut parts = path.split('.');
        let first = properties.get(parts.next()?)?;
        parts.try_fold(first, |value, name| value.get(name))
    };
    properties.get(path).or_else(nested).filter(|value| !value.is_null())
}

fn remove(properties: &mut Map<String, Value>, path: &str) {
    if properties.remove(path).is_some() {
        return;
    }
    if let Some((parent, name)) = path.rsplit_once('.')
        && let Some(Value::Object(parent)) =
            properties.get_mut(parent.split('.').next().unwrap_or_default()).and_then(|value| descend(value, parent))
    {
        parent.remove(name);
    }
}

fn descend<'a>(value: &'a mut Value, path: &str) -> Option<&'a mut Value> {
    path.split('.').skip(1).try_fold(value, |value, name| value.get_mut(name))
}

/// A string, or a number as it is written.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.trim().to_owned()).filter(|text| !text.is_empty()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn number(value: &Value) -> Option<f64> {
    let number = match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    number.filter(|number| number.is_finite())
}
