//! Writing what an append comes to: a statement a table, however many rows are new. Where rows are numbered, they are numbered in the
//! order they came: the server gives the numbers out after it has sorted.

use super::columns::{Json, Moment, Word, Words, get};
use super::plan::{People, Person, Plan, StandingOrder, Traits};
use super::statements::{Parameters, execute, rows};
use super::{accounts, consent, items, vectors};
use crate::domain::{Activity, Currency, Event, Flags, ItemId, Refund, Review, Timestamp};
use crate::store::{Result, StoreError};
use deadpool_postgres::Transaction;
use std::collections::HashMap;

/// Where and when it is written.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub db: &'a Transaction<'a>,
    pub workspace: i64,
    pub now: Timestamp,
}

pub(super) async fn write(place: Place<'_>, plan: &Plan<'_>) -> Result<()> {
    let (db, people) = (place.db, plan.people.all());
    let customers = write_customers(place, people).await?;
    write_ties(place, &plan.people, &customers).await?;
    let traits = people.iter().zip(&customers).map(|(person, row)| (*row, &person.traits));
    write_traits(db, CUSTOMER_TRAITS, traits).await?;
    delete_reviews(db, place.workspace, &plan.reviews.replaced()).await?;
    write_reviews(place, &plan.reviews.written(), &customers).await?;
    write_events(place, &plan.events, &customers).await?;
    write_orders(place, plan, &customers).await?;
    write_refunds(place, &plan.purchases.refunds, &customers).await?;
    items::write(db, place.workspace, &plan.catalogue.written()).await?;
    accounts::write(place, &plan.accounts, &customers).await?;
    write_messages(place, &plan.messages).await?;
    count(place, plan).await?;
    // Last: it may lock the counter of changes until the commit.
    consent::write(place, plan, &customers).await
}

/// Makes the new customers and counts what the others gained; every planned customer's row.
async fn write_customers(place: Place<'_>, people: &[Person]) -> Result<Vec<i64>> {
    let gaining: Vec<_> = people.iter().filter(|one| one.row.is_some() && one.gain != Default::default()).collect();
    if !gaining.is_empty() {
        let rows: Vec<Option<i64>> = gaining.iter().map(|one| one.row).collect();
        let (reviews, events, orders) = gains(&gaining);
        let update = "UPDATE customer SET n_reviews = n_reviews + gain.reviews, n_events = n_events + gain.events,
                 n_orders = n_orders + gain.orders
             FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[]) AS gain (id, reviews, events, orders)
             WHERE customer.id = gain.id";
        execute(place.db, update, &[&rows, &reviews, &events, &orders]).await?;
    }
    let new: Vec<_> = people.iter().filter(|one| one.row.is_none()).collect();
    let mut made = HashMap::new();
    if !new.is_empty() {
        let ids: Vec<&str> = new.iter().map(|one| one.id.as_str()).collect();
        let known: Vec<bool> = new.iter().map(|one| one.is_known).collect();
        let (reviews, events, orders) = gains(&new);
        let insert =
            "INSERT INTO customer (workspace_id, created_at, external_id, known, n_reviews, n_events, n_orders)
             SELECT $1, $2, * FROM unnest($3::text[], $4::boolean[], $5::bigint[], $6::bigint[], $7::bigint[])
             RETURNING external_id, id";
        let now = Moment(place.now);
        for row in rows(place.db, insert, &[&place.workspace, &now, &ids, &known, &reviews, &events, &orders]).await? {
            made.insert(get::<String>(&row, 0)?, get::<i64>(&row, 1)?);
        }
    }
    let row = |one: &Person| one.row.or_else(|| made.get(&one.id).copied());
    people.iter().map(|one| row(one).ok_or(StoreError::Missing("customer"))).collect()
}

fn gains(people: &[&Person]) -> (Vec<i64>, Vec<i64>, Vec<i64>) {
    let of = |what: fn(&Person) -> i64| people.iter().map(|one| what(one)).collect();
    (of(|one| one.gain.n_reviews), of(|one| one.gain.n_events), of(|one| one.gain.n_orders))
}

/// Who counts for whom, why, and since when it is said.
async fn write_ties(place: Place<'_>, people: &People, customers: &[i64]) -> Result<()> {
    let tied = people.all().iter().enumerate().filter(|(at, one)| one.is_to_be_tied(*at));
    let (mut rows, mut known, mut roots) = (Vec::new(), Vec::new(), Vec::new());
    let (mut owners, mut times) = (Vec::new(), Vec::new());
    for (at, one) in tied {
        rows.push(customers[at]);
        known.push(one.is_known);
        roots.push((one.root != at).then(|| customers[one.root]));
        owners.push(one.owner.map(|(_, owner)| customers[owner]));
        times.push(one.owner.map(|(time, _)| time));
    }
    if !rows.is_empty() {
        let update = "UPDATE customer SET known = tied.known, root_id = root, owner_id = owner, owned_at = tied.time
             FROM unnest($1::bigint[], $2::boolean[], $3::bigint[], $4::bigint[], $5::bigint[])
                 AS tied (id, known, root, owner, time)
             WHERE customer.id = tied.id";
        execute(place.db, update, &[&rows, &known, &roots, &owners, &times]).await?;
    }
    write_aliases(place, people, customers).await?;
    log_merges(place, people, customers).await
}

async fn write_aliases(place: Place<'_>, people: &People, customers: &[i64]) -> Result<()> {
    if people.new_aliases.is_empty() {
        return Ok(());
    }
    let from: Vec<i64> = people.new_aliases.iter().map(|(from, _, _)| customers[*from]).collect();
    let to: Vec<i64> = people.new_aliases.iter().map(|(_, to, _)| customers[*to]).collect();
    let times: Vec<i64> = people.new_aliases.iter().map(|(_, _, time)| *time).collect();
    let insert =
        "INSERT INTO alias (from_id, to_id, time) SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[])";
    execute(place.db, insert, &[&from, &to, &times]).await?;
    Ok(())
}

async fn log_merges(place: Place<'_>, people: &People, customers: &[i64]) -> Result<()> {
    if people.merges.is_empty() {
        return Ok(());
    }
    let ids: Vec<i64> = people.merges.iter().map(|(at, _, _)| customers[*at]).collect();
    let roots: Vec<i64> = people.merges.iter().map(|(_, root, _)| customers[*root]).collect();
    let reasons: Vec<Word<_>> = people.merges.iter().map(|(_, _, reason)| Word(*reason)).collect();
    let insert = "INSERT INTO merge_log (workspace_id, customer_id, root_id, reason, time)
         SELECT $1, id, root, new.reason, $2
         FROM unnest($3::bigint[], $4::bigint[], $5::text[]) WITH ORDINALITY AS new (id, root, reason, position)
         ORDER BY position";
    execute(place.db, insert, &[&place.workspace, &Moment(place.now), &ids, &roots, &reasons]).await?;
    Ok(())
}

const CUSTOMER_TRAITS: &str = "INSERT INTO customer_trait (customer_id, name, value, time)
     SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[], $4::bigint[])
     ON CONFLICT (customer_id, name) DO UPDATE SET value = excluded.value, time = excluded.time";

/// Of customers or of accounts, as the statement says: each one's row with the traits planned for it.
pub(super) async fn write_traits<'a>(
    db: &Transaction<'_>,
    upsert: &str,
    all: impl Iterator<Item = (i64, &'a Traits)>,
) -> Result<()> {
    let (mut owners, mut names, mut values, mut times) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for (row, traits) in all {
        for (name, value, time) in traits.written() {
            owners.push(row);
            names.push(Words::of(name));
            values.push(value);
            times.push(time);
        }
    }
    if owners.is_empty() {
        return Ok(());
    }
    execute(db, upsert, &[&owners, &names, &values, &times]).await?;
    Ok(())
}

async fn delete_reviews(db: &Transaction<'_>, workspace: i64, seqs: &[i64]) -> Result<()> {
    if seqs.is_empty() {
        return Ok(());
    }
    vectors::delete(db, workspace, seqs).await?;
    execute(db, "DELETE FROM review WHERE seq = ANY ($1)", &[&seqs]).await?;
    Ok(())
}

async fn write_reviews(place: Place<'_>, reviews: &[(usize, &Review, Flags)], customers: &[i64]) -> Result<()> {
    if reviews.is_empty() {
        return Ok(());
    }
    let owners: Vec<i64> = reviews.iter().map(|(customer, _, _)| customers[*customer]).collect();
    let ids: Vec<&str> = reviews.iter().map(|(_, review, _)| review.id.as_str()).collect();
    let texts: Vec<Words<'_>> = reviews.iter().map(|(_, review, _)| Words::of(review.text.as_str())).collect();
    let items: Vec<_> = reviews.iter().map(|(_, review, _)| review.item.as_deref().map(Words::of)).collect();
    let ratings: Vec<Option<f64>> = reviews.iter().map(|(_, review, _)| review.rating).collect();
    let times: Vec<Moment> = reviews.iter().map(|(_, review, _)| Moment(review.time)).collect();
    let tongues: Vec<_> = reviews.iter().map(|(_, review, _)| review.tongue.as_ref()).collect();
    let languages: Vec<_> = tongues.iter().map(|tongue| tongue.map(|tongue| tongue.language.as_str())).collect();
    let confidences: Vec<_> = tongues.iter().map(|tongue| tongue.map(|tongue| tongue.confidence)).collect();
    let fingerprints: Vec<i64> = reviews.iter().map(|(_, review, _)| review.text.fingerprint()).collect();
    let flags: Vec<i64> = reviews.iter().map(|(_, _, flags)| flags.bits()).collect();
    let insert = "INSERT INTO review (workspace_id, review_id, customer_id, text, item, rating, time, language,
             language_confidence, words_hash, flags)
         SELECT $1, id, customer, new.text, new.item, new.rating, new.time, new.language, sure, print, new.flags
         FROM unnest($2::text[], $3::bigint[], $4::text[], $5::text[], $6::double precision[], $7::bigint[], $8::text[],
                 $9::double precision[], $10::bigint[], $11::bigint[])
             WITH ORDINALITY AS new (id, customer, text, item, rating, time, language, sure, print, flags, position)
         ORDER BY position";
    let parameters: Parameters<'_> = &[
        &place.workspace,
        &ids,
        &owners,
        &texts,
        &items,
        &ratings,
        &times,
        &languages,
        &confidences,
        &fingerprints,
        &flags,
    ];
    execute(place.db, insert, parameters).await?;
    Ok(())
}

async fn write_events(place: Place<'_>, events: &[(usize, &Event, Flags)], customers: &[i64]) -> Result<()> {
    if events.is_empty() {
        return Ok(());
    }
    let ids: Vec<&str> = events.iter().map(|(_, event, _)| event.id.as_str()).collect();
    let owners: Vec<i64> = events.iter().map(|(customer, _, _)| customers[*customer]).collect();
    let kinds: Vec<Word<_>> = events.iter().map(|(_, event, _)| Word(event.kind)).collect();
    let names: Vec<Words<'_>> = events.iter().map(|(_, event, _)| Words::of(&event.name)).collect();
    let times: Vec<Moment> = events.iter().map(|(_, event, _)| Moment(event.time)).collect();
    let properties: Vec<Json<_>> = events.iter().map(|(_, event, _)| Json(&event.properties)).collect();
    let did: Vec<Option<&Activity>> = events.iter().map(|(_, event, _)| event.activity.as_ref()).collect();
    let did_what: Vec<_> = did.iter().map(|did| did.map(|did| Word(did.kind))).collect();
    let items: Vec<_> = did.iter().map(|did| did.and_then(|did| did.item.as_ref()).map(ItemId::as_str)).collect();
    let amounts: Vec<_> = did.iter().map(|did| did.and_then(|did| did.amount)).collect();
    let minors: Vec<_> = amounts.iter().map(|amount| amount.map(|amount| amount.minor)).collect();
    let currencies: Vec<_> =
        amounts.iter().map(|amount| amount.as_ref().and_then(|a| code(a.currency.as_ref()))).collect();
    let values: Vec<_> = did.iter().map(|did| did.and_then(|did| did.value)).collect();
    let flags: Vec<i64> = events.iter().map(|(_, _, flags)| flags.bits()).collect();
    let insert = "INSERT INTO event (workspace_id, event_id, customer_id, kind, name, time, properties, activity, item_id,
             amount_minor, currency, value, flags)
         SELECT $1, id, customer, new.kind, new.name, new.time, new.properties, did, item, minor, new.currency, new.value,
             new.flags
         FROM unnest($2::text[], $3::bigint[], $4::text[], $5::text[], $6::bigint[], $7::text[], $8::text[], $9::text[],
                 $10::bigint[], $11::text[], $12::double precision[], $13::bigint[])
             WITH ORDINALITY AS new (id, customer, kind, name, time, properties, did, item, minor, currency, value, flags,
                 position)
         ORDER BY position";
    execute(
        place.db,
        insert,
        &[
            &place.workspace,
            &ids,
            &owners,
            &kinds,
            &names,
            &times,
            &properties,
            &did_what,
            &items,
            &minors,
            &currencies,
            &values,
            &flags,
        ],
    )
    .await?;
    Ok(())
}

fn code(currency: Option<&Currency>) -> Option<&str> {
    currency.map(Currency::as_str)
}

async fn write_orders(place: Place<'_>, plan: &Plan<'_>, customers: &[i64]) -> Result<()> {
    let moved: Vec<&StandingOrder> = plan.purchases.moved().collect();
    if !moved.is_empty() {
        let seqs: Vec<Option<i64>> = moved.iter().map(|order| order.seq).collect();
        let times: Vec<i64> = moved.iter().map(|order| order.time).collect();
        let said: Vec<i64> = moved.iter().map(|order| order.said_at).collect();
        let update = "UPDATE purchase SET time = moved.time, said_at = moved.said_at
             FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]) AS moved (seq, time, said_at)
             WHERE purchase.seq = moved.seq";
        execute(place.db, update, &[&seqs, &times, &said]).await?;
    }
    let replaced = plan.purchases.replaced();
    if !replaced.is_empty() {
        execute(place.db, "DELETE FROM purchase WHERE seq = ANY ($1)", &[&replaced]).await?;
    }
    insert_orders(place, &plan.purchases.written(), customers).await
}

async fn insert_orders(place: Place<'_>, orders: &[(&str, &StandingOrder)], customers: &[i64]) -> Result<()> {
    if orders.is_empty() {
        return Ok(());
    }
    let ids: Vec<&str> = orders.iter().map(|(id, _)| *id).collect();
    let owners: Vec<i64> = orders.iter().map(|(_, order)| customers[order.customer]).collect();
    let times: Vec<i64> = orders.iter().map(|(_, order)| order.time).collect();
    let said: Vec<i64> = orders.iter().map(|(_, order)| order.said_at).collect();
    let totals: Vec<i64> = orders.iter().map(|(_, order)| order.total_minor).collect();
    let currencies: Vec<_> = orders.iter().map(|(_, order)| code(order.currency.as_ref())).collect();
    let discounts: Vec<i64> = orders.iter().map(|(_, order)| order.discount_minor).collect();
    let lines: Vec<&str> = orders.iter().map(|(_, order)| order.lines.as_str()).collect();
    let flags: Vec<i64> = orders.iter().map(|(_, order)| order.flags.bits()).collect();
    let insert = "INSERT INTO purchase (workspace_id, order_id, customer_id, time, said_at, total_minor, currency,
             discount_minor, lines, flags)
         SELECT $1, id, customer, new.time, new.said_at, total, new.currency, discount, new.lines, new.flags
         FROM unnest($2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::text[], $8::bigint[], $9::text[],
                 $10::bigint[])
             WITH ORDINALITY AS new (id, customer, time, said_at, total, currency, discount, lines, flags, position)
         ORDER BY position";
    execute(
        place.db,
        insert,
        &[&place.workspace, &ids, &owners, &times, &said, &totals, &currencies, &discounts, &lines, &flags],
    )
    .await?;
    Ok(())
}

async fn write_refunds(place: Place<'_>, refunds: &[(usize, &Refund, Flags)], customers: &[i64]) -> Result<()> {
    if refunds.is_empty() {
        return Ok(());
    }
    let ids: Vec<Words<'_>> = refunds.iter().map(|(_, refund, _)| Words::of(&refund.id)).collect();
    let orders: Vec<&str> = refunds.iter().map(|(_, refund, _)| refund.order.as_str()).collect();
    let owners: Vec<i64> = refunds.iter().map(|(customer, _, _)| customers[*customer]).collect();
    let times: Vec<Moment> = refunds.iter().map(|(_, refund, _)| Moment(refund.time)).collect();
    let amounts: Vec<_> = refunds.iter().map(|(_, refund, _)| refund.amount.as_ref()).collect();
    let minors: Vec<_> = amounts.iter().map(|amount| amount.map(|amount| amount.minor)).collect();
    let currencies: Vec<_> = amounts.iter().map(|amount| amount.and_then(|a| code(a.currency.as_ref()))).collect();
    let flags: Vec<i64> = refunds.iter().map(|(_, _, flags)| flags.bits()).collect();
    let insert =
        "INSERT INTO refund (workspace_id, refund_id, order_id, customer_id, time, amount_minor, currency, flags)
         SELECT $1, id, new.order_id, customer, new.time, minor, new.currency, new.flags
         FROM unnest($2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[], $7::text[], $8::bigint[])
             WITH ORDINALITY AS new (id, order_id, customer, time, minor, currency, flags, position)
         ORDER BY position";
    execute(place.db, insert, &[&place.workspace, &ids, &orders, &owners, &times, &minors, &currencies, &flags])
        .await?;
    Ok(())
}

async fn write_messages(place: Place<'_>, messages: &[&str]) -> Result<()> {
    if !messages.is_empty() {
        let insert = "INSERT INTO message (workspace_id, message_id) SELECT $1, * FROM unnest($2::text[])";
        execute(place.db, insert, &[&place.workspace, &messages]).await?;
    }
    Ok(())
}

async fn count(place: Place<'_>, plan: &Plan<'_>) -> Result<()> {
    let (n_new, merged) = plan.people.n_customers_more();
    let n_customers = n_new + merged;
    let sum = |what: fn(&Person) -> i64| plan.people.all().iter().map(what).sum::<i64>();
    let n_reviews = sum(|one| one.gain.n_reviews);
    let n_events = sum(|one| one.gain.n_events);
    let n_orders = sum(|one| one.gain.n_orders);
    let n_items = plan.catalogue.n_new;
    if [n_customers, n_reviews, n_events, n_orders, n_items] == [0; 5] {
        return Ok(());
    }
    let update = "UPDATE workspace SET n_customers = n_customers + $2, n_reviews = n_reviews + $3,
             n_events = n_events + $4, n_orders = n_orders + $5, n_items = n_items + $6
         WHERE id = $1";
    execute(place.db, update, &[&place.workspace, &n_customers, &n_reviews, &n_events, &n_orders, &n_items]).await?;
    Ok(())
}
