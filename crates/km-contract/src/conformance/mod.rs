//! The suite that every store must pass. A store crate calls [`conformance_suite!`](crate::conformance_suite)
//! with a function that opens a fresh store; each case becomes a test of its own.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::disallowed_methods,
    missing_docs,
    reason = "tests: a failed expectation is the verdict, and the name of a case is its promise"
)]

pub mod alerting;
pub mod commuting;
pub mod deciding;
pub mod faults;
pub mod finding;
pub mod flushing;
pub mod linking;
pub mod proving;
pub mod reading;
pub mod redacting;
mod rig;
pub mod sourcing;
pub mod writing;

pub use rig::{Hands, Rig, approval, playbook, resolve, tenant, test_readers, write_id};

/// Makes a test of every case, each on a store of its own that `$open` gives: an `async fn` without
/// arguments that returns a [`port::Store`](crate::port::Store), the clock it tells the time by, and a guard
/// that keeps it alive.
#[macro_export]
macro_rules! conformance_suite {
    ($open:path) => {
        $crate::conformance_suite!(@cases $open, writing:
            a_committed_write_is_found,
            the_same_write_again_is_replayed_with_its_first_receipt,
            other_content_under_the_same_id_is_a_conflict,
            two_writes_of_one_id_in_one_batch_come_one_after_the_other,
            an_older_write_that_arrives_late_is_history,
            of_two_writes_at_one_time_the_greater_id_is_the_head,
            tenants_do_not_see_each_other,
            a_dropped_caller_does_not_cancel_its_write,
            a_full_queue_refuses,
            writes_after_stop_are_refused_and_those_before_are_answered,
            the_policy_changes_at_runtime,
        );
        $crate::conformance_suite!(@cases $open, alerting:
            alerts_of_one_fingerprint_that_overlap_are_one_occurrence,
            a_late_firing_notice_does_not_open_an_alert_again,
            an_alert_that_fires_long_after_its_end_was_heard_of_goes_on,
            an_alert_that_fires_again_as_it_ends_is_a_new_occurrence,
            every_order_of_notices_gives_the_same_occurrences,
            any_order_gives_what_the_rule_says,
            every_order_of_firing_notices_gives_the_same_incident,
            one_notice_joins_all_occurrences_it_overlaps,
            what_is_remembered_of_joined_occurrences_is_revised_not_doubled,
            knowledge_of_an_incident_keeps_its_name,
            a_resolution_without_a_start_is_one_incident_however_often_it_is_sent,
            notices_without_any_time_belong_to_what_is_known,
            two_occurrences_within_a_second_are_two_incidents,
            many_starts_of_one_alert_stay_one_occurrence,
            a_notice_that_spans_very_many_occurrences_leaves_none_unreachable,
            alerts_of_tenants_and_fingerprints_are_kept_apart,
        );
        $crate::conformance_suite!(@cases $open, sourcing:
            what_fires_and_was_not_delivered_is_taken_in,
            one_alert_by_webhook_and_by_asking_is_one_occurrence_in_any_order,
            a_period_that_nobody_told_of_is_an_incident_with_its_end,
            history_ends_an_open_incident_and_never_opens_a_known_end_again,
            history_is_read_from_where_it_was_left_and_in_parts,
            what_ended_just_before_it_was_asked_for_is_not_lost,
            an_open_alert_that_its_source_lost_is_over_as_observed,
            nothing_is_over_while_an_alertmanager_does_not_answer,
            alerts_of_nobodys_source_are_left_alone,
            two_sources_of_one_alert_have_to_agree_that_it_is_over,
        );
        $crate::conformance_suite!(@cases $open, commuting:
            every_order_of_a_chain_gives_the_same_chain,
            every_order_of_statements_gives_the_same_standing,
            any_order_with_duplicates_gives_the_same_state,
            a_verified_store_is_sound,
            a_lost_receipt_is_found_out,
        );
        $crate::conformance_suite!(@cases $open, linking:
            a_revocation_reaches_every_link_of_its_approval,
            an_approval_that_is_tied_to_its_incident_later_shows_its_status,
        );
        $crate::conformance_suite!(@cases $open, proving:
            verifying_beside_writes_raises_no_false_alarm,
            a_delivery_that_claims_a_time_far_ahead_raises_no_alarm,
            a_snapshot_does_not_see_what_is_written_later,
            one_call_seals_everything_there_is,
            two_sealers_at_once_make_one_chain,
            a_seal_kept_elsewhere_is_looked_for_in_the_chain,
            verify_reads_each_row_once_however_many_seals_there_are,
        );
        $crate::conformance_suite!(@cases $open, faults:
            a_transient_failure_is_tried_again_and_nothing_is_doubled,
            a_lost_reply_after_the_commit_is_resolved_by_doing_it_again,
            one_poisoned_write_does_not_take_its_neighbours_with_it,
            a_full_store_refuses_at_once_and_resumes_by_itself,
            a_fatal_failure_ends_the_service,
            a_doubt_stays_a_doubt_when_later_tries_fail,
            the_deadline_answers_unknown_and_a_repeat_resolves_it,
            nothing_is_acknowledged_before_the_commit_returns,
            a_neighbours_deadline_does_not_end_the_tries_of_others,
            a_fatal_failure_anywhere_ends_the_service,
            a_committer_that_is_gone_is_noticed,
        );
        $crate::conformance_suite!(@cases $open, flushing:
            the_next_batch_is_handed_over_while_one_is_flushed,
            a_flush_that_fails_beside_the_next_batch_costs_neither,
        );
        $crate::conformance_suite!(@cases $open, deciding:
            a_parked_letter_is_kept_whole,
            parking_twice_keeps_one_letter,
            an_edited_letter_is_applied_and_its_original_stays,
            a_redriven_letter_does_not_overwrite_newer_knowledge,
            a_letter_without_a_time_is_as_old_as_the_letter,
            an_edit_made_during_a_try_is_not_lost,
            other_content_under_a_letters_id_is_a_conflict,
            a_discarded_letter_is_never_applied,
            a_letter_that_fails_again_waits_for_a_person,
            a_store_that_is_down_consumes_no_tries,
            a_bulk_redrive_goes_on_after_a_restart,
            a_cancelled_redrive_stops,
        );
        $crate::conformance_suite!(@cases $open, redacting:
            a_body_in_another_encoding_comes_back_byte_for_byte,
            a_refused_write_is_parked_without_its_secrets,
            an_edit_that_quotes_a_command_is_applied,
        );
        $crate::conformance_suite!(@cases $open, reading:
            one_reads_ones_own_writes,
            chinese_words_of_two_characters_are_found,
            filters_hold_in_lists_and_searches,
            pages_cover_everything_once,
            history_is_read_newest_first,
            keys_are_kept_and_revoked,
            seals_chain_every_applied_write,
        );
        $crate::conformance_suite!(@cases $open, finding:
            pages_stay_whole_while_entries_arrive,
            pages_lose_what_is_revised_and_nothing_else,
            a_cursor_is_plain_text_and_refused_when_it_is_not_its_searchs,
            a_list_is_complete_right_after_the_last_receipt,
            text_that_no_head_holds_any_more_finds_nothing,
            an_exact_alert_name_comes_first,
            what_another_tenant_writes_changes_no_score,
        );
    };
    (@cases $open:path, $module:ident: $($case:ident),+ $(,)?) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                let (store, clock, guard) = $open().await;
                $crate::conformance::$module::$case(store, clock).await;
                drop(guard);
            }
        )+
    };
}
