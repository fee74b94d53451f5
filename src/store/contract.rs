//! The suite that every [`Store`] passes: each sentence of the contract as a law.
//!
//! An implementation joins with a [`Place`] and one line, `contract_suite!(MyPlace::new)`; nothing here knows which one it tests.

pub(crate) mod appends;
pub(crate) mod changes;
pub(crate) mod consent;
pub(crate) mod erasure;
pub(crate) mod facts;
pub(crate) mod identity;
pub(crate) mod jobs;
pub(crate) mod keys;
pub(crate) mod leases;
pub(crate) mod older;
pub(crate) mod purchases;
pub(crate) mod quality;
pub(crate) mod retention;
pub(crate) mod samples;
pub(crate) mod segmentations;
pub(crate) mod traits;
pub(crate) mod vectors;
pub(crate) mod versions;
pub(crate) mod workspaces;

use super::Store;
use async_trait::async_trait;
use proptest::strategy::Strategy;
use proptest::test_runner::{Config, TestRunner};
use std::cell::Cell;
use std::sync::Arc;

/// Where one store of an implementation lives, fresh for every law.
#[async_trait]
pub(crate) trait Place: Send + Sync {
    /// Opens the store: empty the first time, as it was left after that. The one opened before has been dropped.
    async fn open(&self) -> Arc<dyn Store>;

    /// Whether it can be tried here. Where it cannot, the laws are skipped by name.
    fn is_there(&self) -> bool {
        true
    }
}

/// Registers every law as a test of its own: `contract_suite!(make_a_place)`.
macro_rules! contract_suite {
    ($place:expr) => {
        $crate::store::contract::contract_suite! { $place =>
            appends::{
                a_call_that_fails_changes_nothing,
                a_checkpoint_moves_with_the_facts_it_covers,
                a_reader_sees_a_call_whole_or_not_at_all,
                appending_again_changes_nothing,
                calls_side_by_side_lose_nothing,
            },
            changes::{
                a_change_is_told_with_its_workspace_and_nothing_personal,
                who_follows_the_numbers_misses_no_change,
            },
            consent::{
                a_claim_brings_the_visitors_word_before_its_own_event_is_judged,
                a_visitors_word_goes_with_them_and_the_stricter_stands_at_the_same_time,
                no_event_is_kept_of_whom_who_withdrew_analytics,
                processes_learn_that_somebody_allows_something_else,
                the_latest_word_stands_whatever_the_order_of_arrival,
                what_holds_is_told_of_whole_customers,
                where_nothing_was_told_the_settings_say,
            },
            erasure::{
                a_quote_goes_with_its_review_whoever_it_was_quoted_of,
                an_erasure_and_its_proof_are_one_step,
                nothing_of_an_erased_customer_is_left_and_all_of_the_others,
                pages_of_members_go_on_past_an_erased_one,
                the_erased_do_not_come_back_until_they_are_let,
            },
            facts::{
                a_customer_exists_from_the_first_fact_that_names_them,
                a_customers_reviews_come_newest_first,
                a_replaced_review_gets_a_number_never_used_before,
                a_review_sent_again_at_another_time_is_the_same_and_keeps_its_first_time,
                a_review_may_move_to_another_customer,
                an_event_is_taken_once_for_ever,
                facts_add_up_as_a_simple_model_says,
                pages_of_customers_are_in_byte_order_without_gaps,
                pages_of_reviews_have_no_gaps_and_repeat_nothing,
                texts_and_ids_come_back_as_they_were_written,
                unchanged_reviews_are_not_repeated_while_others_are_replaced,
            },
            identity::{
                a_call_with_a_message_id_seen_before_changes_nothing,
                accounts_have_members_and_traits,
                an_earlier_claim_takes_an_id_back,
                facts_under_all_ids_are_one_customers,
                ids_count_for_the_customer_that_the_contract_says,
                the_order_of_calls_does_not_matter,
            },
            jobs::{
                a_finished_job_never_changes_again,
                a_job_comes_back_as_it_was_written,
                an_idempotency_key_stands_for_one_job,
                an_unknown_job_is_missing,
                jobs_come_newest_first_in_pages,
                unfinished_jobs_of_all_workspaces_come_oldest_first,
            },
            keys::{
                a_key_is_found_by_its_secret_revoked_or_not,
                a_second_key_with_the_same_id_or_secret_is_a_conflict,
                a_revoked_key_keeps_its_first_moment,
                keys_come_oldest_first,
            },
            leases::{
                a_lease_of_an_unknown_job_is_missing,
                a_process_gets_the_oldest_job_that_it_can_do,
                a_publication_is_one_step_with_its_definition_and_its_checkpoint,
                claims_side_by_side_get_each_job_once_and_each_subject_once,
                no_interleaving_gives_a_job_two_holders_or_lets_an_earlier_one_write,
            },
            purchases::{
                a_refund_is_taken_once,
                an_item_is_what_was_said_of_it_last,
                an_order_comes_back_as_it_was_told,
                pages_of_a_customers_events_have_no_gaps,
                the_later_word_on_an_order_stands_whatever_the_order_of_arrival,
                the_same_order_again_is_a_duplicate_and_an_updated_one_replaces,
                what_an_event_tells_is_kept_with_it_or_not_at_all,
            },
            quality::{
                a_reviews_language_comes_back_and_finds_it,
                a_twin_is_another_fact_of_the_same_customer,
                counts_are_those_of_the_facts_that_were_kept,
                counts_move_with_the_checkpoint_they_belong_to,
                flags_are_kept_with_each_kind_of_fact,
                the_latest_totals_come_newest_first,
                what_was_there_already_counts_nothing_and_a_replaced_fact_has_the_new_flags,
            },
            retention::{
                facts_older_than_they_are_kept_are_refused,
                nobody_but_the_jobs_holder_removes_for_age,
                what_is_removed_for_its_age_goes_whole_and_never_comes_back,
            },
            segmentations::{
                editing_a_segmentation_keeps_its_birth_and_its_live_version,
                segmentations_come_by_name,
            },
            traits::{
                a_removed_trait_does_not_come_back_with_older_news,
                each_key_keeps_its_latest_value,
                the_order_of_identifies_does_not_matter,
                the_same_identify_again_is_a_duplicate,
            },
            vectors::{
                a_replaced_review_loses_its_vectors,
                a_vector_put_again_replaces_the_older,
                pages_of_vectors_are_by_seq_without_gaps,
                reviews_without_a_vector_are_those_that_got_none,
                vectors_come_back_bit_by_bit,
            },
            versions::{
                a_version_comes_back_as_it_was_published,
                a_version_out_of_turn_is_a_conflict_and_changes_nothing,
                members_come_in_byte_order_in_pages,
                publications_grow_with_every_publish,
                publishing_moves_the_live_version_in_one_step,
                publishing_what_refers_to_nothing_is_missing_and_changes_nothing,
            },
            workspaces::{
                a_setting_stands_as_it_was_put_last,
                a_workspace_is_made_once,
                everything_survives_being_closed_and_opened_again,
                no_call_sees_or_touches_another_workspace,
                reading_an_unknown_workspace_finds_nothing,
                the_store_answers_a_ping,
                writing_into_an_unknown_workspace_is_missing,
            },
        }
    };
    ($place:expr => $($part:ident::{$($law:ident),* $(,)?}),* $(,)?) => {
        $(mod $part {
            #[allow(unused_imports, reason = "the way to make a place may be a path or a name of the caller's")]
            use super::*;
            $(
                // More than one thread: laws for all inputs block one of them.
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $law() {
                    let place = $place();
                    if $crate::store::contract::Place::is_there(&place) {
                        $crate::store::contract::$part::$law(&place).await;
                    } else {
                        println!("skipped: {}::{}", module_path!(), stringify!($law));
                    }
                }
            )*
        })*
    };
}
pub(crate) use contract_suite;

/// Closes a store and opens it again.
async fn reopened(place: &dyn Place, store: Arc<dyn Store>) -> Arc<dyn Store> {
    assert_eq!(Arc::strong_count(&store), 1, "someone still holds the store");
    drop(store);
    place.open().await
}

/// Checks an async law for many inputs, and shrinks the one that breaks it. A law is given the number of its run with the
/// input, to make a workspace of its own.
fn for_all<S, F>(cases: u32, inputs: S, law: impl Fn(u32, S::Value) -> F)
where
    S: Strategy,
    F: Future<Output = ()>,
{
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 200, ..Config::default() };
    let run = Cell::new(0);
    let outcome = TestRunner::new(config).run(&inputs, |input| {
        run.set(run.get() + 1);
        tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(law(run.get(), input)));
        Ok(())
    });
    if let Err(broken) = outcome {
        panic!("{broken}");
    }
}
