//! Leases: one holder at a time, whatever the order of claims, and a fence that keeps out who is not it any more.

use super::samples::*;
use super::{Place, for_all};
use crate::domain::{Job, JobKind, JobNeeds, JobState, Progress, WorkspaceId};
use crate::store::{Checkpoint, Claim, Lease, Publication, Result, Store, StoreError};
use proptest::prelude::*;
use serde_json::json;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

/// It is over when it begins.
const NONE: Duration = Duration::ZERO;
/// It outlasts every test.
const LONG: Duration = Duration::from_secs(3_600);
const KINDS: [JobKind; 2] = [JobKind::Import, JobKind::Fit];

fn claim(place: Uuid, lasts: Duration) -> Claim<'static> {
    Claim { holder: Uuid::from_u128(7), kinds: &KINDS, place: Some(place), lasts }
}

fn lease(workspace: &WorkspaceId, job: &Job) -> Lease {
    Lease { workspace: workspace.clone(), job: job.id, token: job.lease.token }
}

fn needing(number: u128, place: Uuid, subject: Option<&str>) -> Job {
    Job { needs: JobNeeds { place: Some(place), subject: subject.map(Into::into) }, ..job(number) }
}

/// What a holder does in the name of a lease.
#[derive(Debug, Clone, Copy)]
enum Act {
    Renew(bool),
    Append,
    Update,
    PutVectors,
    Publish,
    Release,
    End,
}

#[derive(Debug, Clone, Copy)]
enum Step {
    /// Claims, for long or for no time at all.
    Claim(bool),
    /// In the name of the lease that was had so many claims ago.
    Act(usize, Act),
    Cancel(usize),
}

fn any_step() -> impl Strategy<Value = Step> {
    let act = prop_oneof![
        any::<bool>().prop_map(Act::Renew),
        Just(Act::Append),
        Just(Act::Update),
        Just(Act::PutVectors),
        Just(Act::Publish),
        Just(Act::Release),
        Just(Act::End),
    ];
    prop_oneof![
        4 => any::<bool>().prop_map(Step::Claim),
        8 => (0..4_usize, act).prop_map(|(ago, act)| Step::Act(ago, act)),
        1 => (0..3_usize).prop_map(Step::Cancel),
    ]
}

/// A job as a simple model has it.
#[derive(Debug, Clone, Default)]
struct Modelled {
    subject: Option<&'static str>,
    /// The claim that may write, by its place among all claims.
    newest: Option<usize>,
    /// Whether the time of that claim is not over.
    is_held: bool,
    has_ended: bool,
    cancel_asked: bool,
    highest_token: u64,
}

/// A store with three jobs, two of them with one subject, beside the model of them.
struct Trial<'a> {
    store: &'a dyn Store,
    workspace: WorkspaceId,
    place: Uuid,
    jobs: Vec<Modelled>,
    claims: Vec<(usize, Lease)>,
    n_versions: u32,
    seq: i64,
}

impl<'a> Trial<'a> {
    async fn new(store: &'a dyn Store, run: u32) -> Self {
        let workspace = workspace(store, &format!("w{run}")).await;
        let place = Uuid::from_u128(u128::from(run) + 1);
        let subjects = [Some("fit a"), Some("fit a"), None];
        for (number, subject) in (1..).zip(subjects) {
            store.create_job(&workspace, &needing(number, place, subject)).await.unwrap();
        }
        store.append(&workspace, &reviews(1), None, at(0)).await.unwrap();
        let seq = store.reviews(&workspace, 0, 1).await.unwrap()[0].seq;
        let jobs = subjects.into_iter().map(|subject| Modelled { subject, ..Modelled::default() }).collect();
        Self { store, workspace, place, jobs, claims: Vec::new(), n_versions: 0, seq }
    }

    async fn step(&mut self, step: Step) {
        match step {
            Step::Claim(is_long) => self.claim(is_long).await,
            Step::Cancel(at) => self.cancel(at).await,
            Step::Act(ago, act) => {
                if let Some(claimed) = self.claims.len().checked_sub(1 + ago) {
                    self.act(claimed, act).await;
                }
            }
        }
        for at in 0..self.jobs.len() {
            let found = self.found(at).await;
            let expected = &self.jobs[at];
            assert_eq!(found.state.is_final(), expected.has_ended, "{at}: {found:?}");
            assert_eq!(found.lease.is_held, expected.is_held && !expected.has_ended, "{at}: {found:?}");
        }
    }

    async fn found(&self, at: usize) -> Job {
        self.store.job(&self.workspace, job(at as u128 + 1).id).await.unwrap().unwrap()
    }

    async fn claim(&mut self, is_long: bool) {
        let lasts = if is_long { LONG } else { NONE };
        let found = self.store.claim_job(&claim(self.place, lasts)).await.unwrap();
        let is_busy = |subject| self.jobs.iter().any(|job| job.subject == subject && job.is_held && !job.has_ended);
        let is_free =
            |job: &Modelled| !job.has_ended && !job.is_held && (job.subject.is_none() || !is_busy(job.subject));
        let expected = self.jobs.iter().position(is_free);
        let found_at = found.as_ref().map(|(_, job)| job.id.0.as_u128() as usize - 1);
        assert_eq!(found_at, expected, "{:?}", self.jobs);
        let (Some(at), Some((workspace, claimed))) = (expected, found) else { return };
        assert_eq!((&workspace, claimed.state), (&self.workspace, JobState::Running));
        assert!(claimed.lease.token > self.jobs[at].highest_token, "a token was given twice");
        let subject = self.jobs[at].subject;
        self.jobs
            .iter_mut()
            .filter(|job| subject.is_some() && job.subject == subject)
            .for_each(|job| job.newest = None);
        let one = &mut self.jobs[at];
        (one.newest, one.is_held, one.highest_token) = (Some(self.claims.len()), is_long, claimed.lease.token);
        assert_eq!(claimed.lease.cancel_asked, one.cancel_asked);
        self.claims.push((at, lease(&workspace, &claimed)));
    }

    async fn cancel(&mut self, at: usize) {
        self.store.cancel_job(&self.workspace, job(at as u128 + 1).id, at_time()).await.unwrap();
        let one = &mut self.jobs[at];
        if one.is_held && !one.has_ended {
            one.cancel_asked = true;
        } else {
            one.has_ended = true;
        }
    }

    async fn act(&mut self, claimed: usize, act: Act) {
        let (at, lease) = self.claims[claimed].clone();
        let before = everything(self.store, &self.workspace).await;
        let done = self.attempt(&lease, at, act).await;
        let one = &mut self.jobs[at];
        if one.newest != Some(claimed) || one.has_ended {
            assert!(matches!(done, Err(StoreError::Conflict(_))), "{act:?} of an earlier holder gave {done:?}");
            assert_eq!(everything(self.store, &self.workspace).await, before, "{act:?} was refused and did something");
            return;
        }
        let cancel_asked = done.unwrap_or_else(|error| panic!("{act:?} of the holder: {error}"));
        match act {
            Act::Renew(is_long) => {
                assert_eq!(cancel_asked, one.cancel_asked);
                one.is_held = is_long;
            }
            Act::Release => (one.newest, one.is_held) = (None, false),
            Act::End => one.has_ended = true,
            Act::Publish => self.n_versions += 1,
            Act::Append | Act::Update | Act::PutVectors => {}
        }
    }

    async fn attempt(&self, lease: &Lease, at: usize, act: Act) -> Result<bool> {
        let (store, workspace) = (self.store, &self.workspace);
        let progress = Progress { phase: "acting".into(), done: 1, total: None };
        let checkpoint =
            Checkpoint { job: lease.job, token: lease.token, progress: progress.clone(), checkpoint: json!(at) };
        let found = self.found(at).await;
        let written =
            |state| Job { state, lease: crate::domain::JobLease { token: lease.token, ..found.lease }, ..found };
        match act {
            Act::Renew(is_long) => {
                return store.renew_lease(lease, &progress, if is_long { LONG } else { NONE }).await;
            }
            Act::Append => store.append(workspace, &reviews(2), Some(&checkpoint), at_time()).await.map(drop)?,
            Act::Update => store.update_job(workspace, &written(JobState::Running)).await?,
            Act::PutVectors => store.put_vectors_as(lease, MODEL, &[(self.seq, vec![at as f32])]).await?,
            Act::Publish => {
                let publication = Publication {
                    segmentation: &segmentation("needs"),
                    version: &version("needs", self.n_versions + 1),
                    members: &[membership("c0", 1)],
                    checkpoint: &checkpoint,
                };
                store.publish_as(workspace, &publication).await?;
            }
            Act::Release => store.release_lease(lease).await?,
            Act::End => store.update_job(workspace, &written(JobState::Succeeded)).await?,
        }
        Ok(false)
    }
}

fn at_time() -> crate::domain::Timestamp {
    at(5)
}

pub(crate) async fn no_interleaving_gives_a_job_two_holders_or_lets_an_earlier_one_write(place: &dyn Place) {
    let store = place.open().await;
    for_all(48, proptest::collection::vec(any_step(), 1..24), |run, steps| {
        let store = &*store;
        async move {
            let mut trial = Trial::new(store, run).await;
            for step in steps {
                trial.step(step).await;
            }
            let versions = store.versions(&trial.workspace, &name("needs")).await.unwrap();
            assert_eq!(versions.len(), trial.n_versions as usize);
        }
    });
}

pub(crate) async fn claims_side_by_side_get_each_job_once_and_each_subject_once(place: &dyn Place) {
    let store = place.open().await;
    let a = workspace(&*store, "a").await;
    let folder = Uuid::from_u128(1);
    for round in 0..4_u128 {
        for number in 1..=12 {
            let subject = (number > 4).then(|| format!("fit {}", number % 3));
            store.create_job(&a, &needing(round * 100 + number, folder, subject.as_deref())).await.unwrap();
        }
        let claiming = (0..8).map(|_| {
            let store = Arc::clone(&store);
            tokio::spawn(async move {
                let mut claimed = Vec::new();
                while let Some((_, job)) = store.claim_job(&claim(folder, LONG)).await.unwrap() {
                    claimed.push(job);
                }
                claimed
            })
        });
        let mut claimed = Vec::new();
        for one in claiming.collect::<Vec<_>>() {
            claimed.extend(one.await.unwrap());
        }
        // Who came second of two at once went away with nothing, though there may have been more.
        while let Some((_, job)) = store.claim_job(&claim(folder, LONG)).await.unwrap() {
            claimed.push(job);
        }
        let ids: HashSet<_> = claimed.iter().map(|job| job.id).collect();
        let subjects: HashSet<_> = claimed.iter().filter_map(|job| job.needs.subject.clone()).collect();
        assert_eq!((claimed.len(), ids.len(), subjects.len()), (4 + 3, 4 + 3, 3), "{claimed:?}");
        for (workspace, job) in store.unfinished_jobs().await.unwrap() {
            store.update_job(&workspace, &Job { state: JobState::Cancelled, ..job }).await.unwrap();
        }
    }
}

pub(crate) async fn a_process_gets_the_oldest_job_that_it_can_do(place: &dyn Place) {
    let store = place.open().await;
    let (a, b) = (workspace(&*store, "a").await, workspace(&*store, "b").await);
    let (here, elsewhere) = (Uuid::from_u128(1), Uuid::from_u128(2));
    store.create_job(&a, &needing(1, elsewhere, None)).await.unwrap();
    store.create_job(&a, &Job { kind: JobKind::Erase, ..job(2) }).await.unwrap();
    store.create_job(&a, &Job { state: JobState::Failed, ..job(3) }).await.unwrap();
    // The same subject in another workspace is another one.
    store.create_job(&a, &needing(5, here, Some("fit a"))).await.unwrap();
    store.create_job(&b, &needing(4, here, Some("fit a"))).await.unwrap();
    store.create_job(&b, &Job { kind: JobKind::Fit, ..job(6) }).await.unwrap();
    for expected in [4, 5, 6] {
        let (_, job) = store.claim_job(&claim(here, LONG)).await.unwrap().unwrap();
        assert_eq!((job.id.0.as_u128(), job.lease.is_held), (expected, true));
    }
    assert_eq!(store.claim_job(&claim(here, LONG)).await.unwrap(), None);
    let homeless = Claim { place: None, kinds: &[JobKind::Import, JobKind::Erase], ..claim(here, LONG) };
    assert_eq!(store.claim_job(&homeless).await.unwrap().unwrap().1.id, job(2).id);
    assert_eq!(store.claim_job(&homeless).await.unwrap(), None);
    let (_, last) = store.claim_job(&claim(elsewhere, LONG)).await.unwrap().unwrap();
    assert_eq!((last.id, last.needs.place), (job(1).id, Some(elsewhere)));
}

pub(crate) async fn a_publication_is_one_step_with_its_definition_and_its_checkpoint(place: &dyn Place) {
    let store = place.open().await;
    let a = workspace(&*store, "a").await;
    store.append(&a, &reviews(2), None, at(0)).await.unwrap();
    store.create_job(&a, &job(1)).await.unwrap();
    let (_, job) = store.claim_job(&claim(Uuid::nil(), LONG)).await.unwrap().unwrap();
    let progress = Progress { phase: "published".into(), done: 1, total: Some(1) };
    let checkpoint = Checkpoint {
        job: job.id,
        token: job.lease.token,
        progress: progress.clone(),
        checkpoint: json!({"done": true}),
    };
    let (segmentation, version) = (segmentation("needs"), version("needs", 1));
    let publication =
        |members| Publication { segmentation: &segmentation, version: &version, members, checkpoint: &checkpoint };
    let nobody = [membership("nobody", 1)];
    let before = everything(&*store, &a).await;
    let outcome = store.publish_as(&a, &publication(&nobody)).await;
    assert!(outcome.is_err());
    assert_eq!(everything(&*store, &a).await, before);
    store.publish_as(&a, &publication(&[membership("c0", 1)])).await.unwrap();
    let found = store.job(&a, job.id).await.unwrap().unwrap();
    assert_eq!((found.checkpoint, found.progress), (Some(json!({"done": true})), progress));
    assert_eq!(store.segmentation(&a, &name("needs")).await.unwrap().unwrap().live_version, Some(1));
}

pub(crate) async fn a_lease_of_an_unknown_job_is_missing(place: &dyn Place) {
    let store = place.open().await;
    let a = workspace(&*store, "a").await;
    let lease = Lease { workspace: a.clone(), job: job(1).id, token: 0 };
    let outcomes = [
        ("renew", store.renew_lease(&lease, &Progress::default(), LONG).await.map(drop)),
        ("release", store.release_lease(&lease).await),
        ("cancel", store.cancel_job(&a, lease.job, at(1)).await.map(drop)),
        ("put_vectors", store.put_vectors_as(&lease, MODEL, &[]).await),
    ];
    for (what, outcome) in outcomes {
        assert!(matches!(outcome, Err(StoreError::Missing("job"))), "{what}: {outcome:?}");
    }
}
