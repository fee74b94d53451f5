//! What every fact passes between the edge and the store: personal data in it is treated as its workspace's policy says, what is
//! wrong with it is found, and only then is it kept. Nothing else appends facts, so nothing comes by unseen.

mod consents;
mod settings;
mod treated;

pub use consents::{Consents, Refusal};

use crate::clean::{Action, Amounts, Circumstances, Judge, repeated_among};
use crate::domain::{
    Consent, ConsentSettings, Fact, Findings, JobId, JudgedKind, Outcome, Rule, Telling, Timestamp, WorkspaceId,
};
use crate::redact::{Counts, Kind};
use crate::store::{Appended, Checkpoint, Judged, QualityCount, Result, Store, StoreError};
use settings::{AMOUNTS_TTL, Known};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// The latest orders that a workspace's usual amounts are taken from.
const LATEST_ORDERS: usize = 2_000;

/// The way into the store.
pub struct Intake {
    store: Arc<dyn Store>,
    consents: Arc<Consents>,
    known: Mutex<HashMap<WorkspaceId, (Arc<Known>, Instant)>>,
    amounts: Mutex<HashMap<WorkspaceId, (Amounts, Instant)>>,
}

/// What became of one fact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    Appended(Appended),
    /// It was left out for breaking a rule that the workspace lets nothing by with.
    Rejected(Rule),
}

/// Facts on their way into the store: redacted, judged and mended.
#[derive(Debug, Default)]
pub struct Ready {
    facts: Vec<Fact>,
    /// How many of the facts each telling made, but for one that was left out.
    counts: Vec<usize>,
    findings: Findings,
    /// The usual amounts when these facts are among them; nothing where none of them has one.
    amounts: Option<Amounts>,
    /// What was left out, by its place among the tellings that came.
    pub rejected: Vec<(usize, JudgedKind, Rule)>,
}

impl Ready {
    /// How many tellings are kept.
    pub fn n_kept(&self) -> u64 {
        (self.counts.len() - self.rejected.len()) as u64
    }

    /// What was found of them, one by one, and what was done.
    pub fn found(&self) -> impl Iterator<Item = (JudgedKind, Rule, Outcome)> {
        let kept = self.facts.iter().zip(&self.findings.marks).flat_map(|(fact, marks)| {
            let (own, told) = JudgedKind::of(fact);
            let marked = [own.zip(Some(marks.own)), told.zip(Some(marks.told))].into_iter().flatten();
            marked.flat_map(|(kind, mark)| mark.outcomes().map(move |(rule, outcome)| (kind, rule, outcome)))
        });
        kept.chain(self.findings.rejected.iter().map(|(kind, rule)| (*kind, *rule, Outcome::Rejected)))
    }
}

impl Ready {
    /// Goes from facts to the tellings they were made of.
    fn count(&mut self, counts: Vec<usize>) {
        let mut left_out = self.rejected.iter_mut().peekable();
        let mut end = 0;
        for (telling, n_facts) in counts.into_iter().enumerate() {
            end += n_facts;
            let mut n_kept = n_facts;
            while let Some((place, _, _)) = left_out.next_if(|(place, _, _)| *place < end) {
                *place = telling;
                n_kept -= 1;
            }
            self.counts.push(n_kept);
        }
    }
}

impl Intake {
    /// Reads what customers allow.
    ///
    /// # Errors
    /// The store's own.
    pub async fn open(store: Arc<dyn Store>) -> Result<Self> {
        let consents = Arc::new(Consents::load(&*store).await?);
        Ok(Self { store, consents, known: Mutex::default(), amounts: Mutex::default() })
    }

    /// What customers allow.
    pub fn consents(&self) -> &Consents {
        &self.consents
    }

    /// [`Store::append`] of the tellings as [`Intake::prepare`] leaves them; what became of each, in their order. What is allowed
    /// from now on is known here when this returns.
    ///
    /// # Errors
    /// The store's own.
    pub async fn append(
        &self,
        workspace: &WorkspaceId,
        tellings: Vec<Telling>,
        checkpoint: Option<&Checkpoint>,
        now: Timestamp,
    ) -> Result<Vec<Taken>> {
        let ready = self.prepare(workspace, tellings, now).await?;
        self.keep(workspace, &ready, checkpoint, now).await
    }

    /// Takes what is personal out of the facts' texts, finds what is wrong with them, and does about it what the workspace says.
    /// What was said of consent beside a fact comes before it, and stays where the fact is left out.
    ///
    /// # Errors
    /// The store's own.
    pub async fn prepare(&self, workspace: &WorkspaceId, tellings: Vec<Telling>, now: Timestamp) -> Result<Ready> {
        let known = self.known(workspace).await?;
        let (mut facts, counts_of) = self.spread(workspace, tellings, now);
        let mut counts = Counts::default();
        for fact in &mut facts {
            counts.merge(&treated::treat(fact, &known.redactor));
        }
        for kind in Kind::ALL.into_iter().filter(|kind| counts.of(*kind) > 0) {
            metrics::counter!("clientele_redactions_total", "kind" => kind.name()).increment(counts.of(kind) as u64);
        }
        let repeated = self.repeated(workspace, &known.judge, &facts).await?;
        self.learn_amounts(workspace).await?;
        let mut ready = self.judge(workspace, &known.judge, (facts, repeated), now);
        ready.count(counts_of);
        Ok(ready)
    }

    /// Appends what was prepared, with what was found, in one step; what became of each fact that came, in their order.
    ///
    /// # Errors
    /// The store's own.
    pub async fn keep(
        &self,
        workspace: &WorkspaceId,
        ready: &Ready,
        checkpoint: Option<&Checkpoint>,
        now: Timestamp,
    ) -> Result<Vec<Taken>> {
        let touched = self.consents.touched(workspace, &ready.facts);
        let appended = if touched.is_empty() {
            let judged = Judged { facts: &ready.facts, findings: &ready.findings };
            let appended = self.store.append_judged(workspace, judged, checkpoint, now).await?;
            self.consents.follow(&*self.store, workspace, &ready.facts, touched).await;
            appended
        } else {
            // In a task of its own: memory follows the store also when the caller hangs up in between.
            let (store, consents) = (Arc::clone(&self.store), Arc::clone(&self.consents));
            let (workspace, checkpoint) = (workspace.clone(), checkpoint.cloned());
            let (facts, findings) = (ready.facts.clone(), ready.findings.clone());
            let appending = tokio::spawn(async move {
                let judged = Judged { facts: &facts, findings: &findings };
                let appended = store.append_judged(&workspace, judged, checkpoint.as_ref(), now).await?;
                consents.follow(&*store, &workspace, &facts, touched).await;
                Ok::<_, StoreError>(appended)
            });
            appending.await.map_err(|why| StoreError::Unavailable(why.to_string()))??
        };
        if let Some(amounts) = &ready.amounts
            && let Some((known, _)) = self.amounts().get_mut(workspace)
        {
            known.clone_from(amounts);
        }
        let mut taken: Vec<_> = gathered(&appended, &ready.counts).into_iter().map(Taken::Appended).collect();
        for (place, _, rule) in &ready.rejected {
            taken[*place] = Taken::Rejected(*rule);
        }
        Ok(taken)
    }

    /// The facts in order, what was said of consent before the fact it was said beside; and how many facts each telling made.
    fn spread(&self, workspace: &WorkspaceId, tellings: Vec<Telling>, now: Timestamp) -> (Vec<Fact>, Vec<usize>) {
        let settings = tellings.iter().any(|one| one.preferences.is_some()).then(|| self.consents.settings(workspace));
        let mut facts = Vec::with_capacity(tellings.len());
        let mut counts = Vec::with_capacity(tellings.len());
        for Telling { fact, preferences } in tellings {
            let before = facts.len();
            if let Some((said, settings)) = preferences.zip(settings.as_ref()) {
                let by_category =
                    said.by_category.iter().map(|(category, is_granted)| (category.as_str(), *is_granted));
                let mut choices = settings.choices(by_category);
                choices.extend(said.by_purpose);
                if !choices.is_empty() {
                    let (who, source, time) = (said.who, said.source, said.time);
                    facts.push(Fact::Consent(Consent { who, choices, source, time }));
                }
            }
            facts.push(fact);
            counts.push(facts.len() - before);
        }
        for fact in &mut facts {
            // A word from the future would outweigh all that is said until then.
            if let Fact::Consent(consent) = fact {
                consent.time = consent.time.min(now);
            }
        }
        (facts, counts)
    }

    /// How a workspace reads consent; the default where nobody said.
    ///
    /// # Errors
    /// The store's own.
    pub async fn consent_settings(&self, workspace: &WorkspaceId) -> Result<ConsentSettings> {
        consents::settings(&*self.store, workspace).await
    }

    /// Consent is read so from now on, also what was told before.
    ///
    /// # Errors
    /// The store's own.
    pub async fn set_consent_settings(&self, workspace: &WorkspaceId, settings: &ConsentSettings) -> Result<()> {
        let value = serde_json::to_value(settings).map_err(|why| StoreError::Corrupt(why.to_string()))?;
        self.store.put_setting(workspace, ConsentSettings::NAME, &value).await?;
        self.reload_consents(workspace).await
    }

    /// Reads again what the customers of a workspace allow: another process may have heard something else.
    ///
    /// # Errors
    /// The store's own.
    pub async fn reload_consents(&self, workspace: &WorkspaceId) -> Result<()> {
        self.consents.reload(&*self.store, workspace).await
    }

    /// What was found of the facts that came by an import, or of all.
    ///
    /// # Errors
    /// The store's own.
    pub async fn found(&self, workspace: &WorkspaceId, import: Option<JobId>) -> Result<Vec<QualityCount>> {
        self.store.quality(workspace, import).await
    }

    /// Whether facts may be left out for breaking a rule.
    ///
    /// # Errors
    /// The store's own.
    pub async fn rejects_by_rule(&self, workspace: &WorkspaceId) -> Result<bool> {
        let settings = &self.known(workspace).await?.judge.settings;
        Ok(Rule::ALL.into_iter().any(|rule| settings.action(rule) == Action::Reject))
    }

    /// Which facts say again what their customer said before: in the store, or earlier among these.
    async fn repeated(&self, workspace: &WorkspaceId, judge: &Judge, facts: &[Fact]) -> Result<Vec<bool>> {
        let mut repeated = vec![false; facts.len()];
        let twins = judge.twins(facts);
        if twins.is_empty() {
            return Ok(repeated);
        }
        let sought: Vec<_> = twins.iter().map(|(_, twin)| *twin).collect();
        let stored = self.store.twins(workspace, &sought).await?;
        for (((place, _), among), stored) in twins.iter().zip(repeated_among(&twins)).zip(stored) {
            repeated[*place] = among || stored;
        }
        Ok(repeated)
    }

    /// Makes sure that the usual amounts of a workspace are known, and not those of long ago.
    async fn learn_amounts(&self, workspace: &WorkspaceId) -> Result<()> {
        let is_known = |(_, at): &(Amounts, Instant)| at.elapsed() < AMOUNTS_TTL;
        if self.amounts().get(workspace).is_some_and(is_known) {
            return Ok(());
        }
        let mut latest = self.store.latest_totals(workspace, LATEST_ORDERS).await?;
        latest.reverse();
        self.amounts().insert(workspace.clone(), (latest.into_iter().collect(), Instant::now()));
        Ok(())
    }

    fn judge(
        &self,
        workspace: &WorkspaceId,
        judge: &Judge,
        (facts, repeated): (Vec<Fact>, Vec<bool>),
        now: Timestamp,
    ) -> Ready {
        // A copy: what is not kept in the end is not usual afterwards.
        let known = || self.amounts().get(workspace).map(|(known, _)| known.clone()).unwrap_or_default();
        let mut amounts = facts.iter().any(has_amount).then(known);
        let mut none = Amounts::default();
        let mut ready = Ready { facts: Vec::with_capacity(facts.len()), ..Ready::default() };
        for (place, (mut fact, is_repeated)) in facts.into_iter().zip(repeated).enumerate() {
            let verdict = judge.judge(
                &mut fact,
                &mut Circumstances { now, is_repeated, amounts: amounts.as_mut().unwrap_or(&mut none) },
            );
            match verdict.rejected {
                Some((kind, rule)) => {
                    ready.findings.rejected.push((kind, rule));
                    ready.rejected.push((place, kind, rule));
                }
                None => {
                    ready.facts.push(fact);
                    ready.findings.marks.push(verdict.marks);
                }
            }
        }
        Ready { amounts, ..ready }
    }

    fn amounts(&self) -> std::sync::MutexGuard<'_, HashMap<WorkspaceId, (Amounts, Instant)>> {
        self.amounts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn has_amount(fact: &Fact) -> bool {
    let (own, told) = JudgedKind::of(fact);
    [own, told].into_iter().flatten().any(|kind| matches!(kind, JudgedKind::Order | JudgedKind::Refund))
}

/// What became of tellings: of each the fact's answer; where only what was said of consent beside it was new, that it was accepted.
fn gathered(appended: &[Appended], counts: &[usize]) -> Vec<Appended> {
    let mut rest = appended;
    let one = |n: &usize| {
        let (mine, others) = rest.split_at((*n).min(rest.len()));
        rest = others;
        let is_accepted = mine.contains(&Appended::Accepted);
        match mine.last() {
            Some(Appended::Duplicate) if is_accepted => Appended::Accepted,
            last => last.copied().unwrap_or(Appended::Duplicate),
        }
    };
    counts.iter().map(one).collect()
}
