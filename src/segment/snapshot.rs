//! What look-ups answer from: the live versions and their members, in memory, replaced whole when a version is published.
//!
//! A reader takes an `Arc` and sees one version from then on, never a mix of two; the model and the store are not on this path.

use crate::domain::{
    CustomerId, Membership, MoveReason, Segment, SegmentId, Segmentation, SegmentationName, Timestamp, Version,
    WorkspaceId,
};
use crate::segment::map;
use crate::store::{MembersQuery, Result, Store, StoreError};
use arc_swap::ArcSwap;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

/// Members read from the store at a time.
const PAGE: usize = 10_000;
/// Members that room is made for at once: what a version says of itself may be damaged.
const MOST_AT_ONCE: usize = 4_000_000;

/// A customer's place, packed: a million of them fit in memory.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Placed {
    pub segment: SegmentId,
    pub confidence: f32,
    pub runner_up: Option<SegmentId>,
    pub runner_up_confidence: f32,
    pub since: Timestamp,
    pub reason: MoveReason,
}

/// A published version with its members.
#[derive(Debug)]
pub struct LiveVersion {
    pub version: Version,
    /// Where `version.segments[i]` lies on the map.
    pub map: Vec<[f64; 2]>,
    members: HashMap<CustomerId, Placed>,
}

impl LiveVersion {
    pub fn new(version: Version, members: impl IntoIterator<Item = Membership>) -> Self {
        let map = map::positions(&version.centroids, version.segments.len());
        let mut live = Self { members: HashMap::new(), map, version };
        live.extend(members);
        live
    }

    fn extend(&mut self, members: impl IntoIterator<Item = Membership>) {
        self.members.extend(members.into_iter().map(|m| {
            let placed = Placed {
                segment: m.segment,
                confidence: m.confidence as f32,
                runner_up: m.runner_up,
                runner_up_confidence: m.runner_up_confidence as f32,
                since: m.since,
                reason: m.reason,
            };
            (m.customer, placed)
        }));
    }

    /// The same without some customers, and without what they are quoted with.
    fn without(&self, ids: &HashSet<CustomerId>) -> Self {
        let mut version = self.version.clone();
        for segment in &mut version.segments {
            segment.typical_reviews.retain(|review| !ids.contains(&review.customer_id));
        }
        let mut members = self.members.clone();
        members.retain(|customer, _| !ids.contains(customer));
        Self { version, map: self.map.clone(), members }
    }

    /// Everybody it tells of: its members, and who is quoted.
    fn people(&self) -> impl Iterator<Item = &CustomerId> {
        let quoted = self.version.segments.iter().flat_map(|segment| &segment.typical_reviews);
        self.members.keys().chain(quoted.map(|review| &review.customer_id))
    }

    pub fn placed(&self, customer: &CustomerId) -> Option<Placed> {
        self.members.get(customer).copied()
    }

    pub fn segment(&self, id: SegmentId) -> Option<&Segment> {
        self.version.segments.iter().find(|segment| segment.id == id)
    }
}

type Live = HashMap<WorkspaceId, HashMap<SegmentationName, Arc<LiveVersion>>>;

/// All live versions of all workspaces.
#[derive(Debug, Default)]
pub struct Snapshots {
    live: ArcSwap<Live>,
    /// Held while a new map is made from the old one.
    writing: Mutex<()>,
}

impl Snapshots {
    /// Reads every live version from the store.
    ///
    /// # Errors
    /// The store's own.
    pub async fn load(store: &dyn Store) -> Result<Self> {
        let snapshots = Self::default();
        snapshots.refresh(store).await?;
        Ok(snapshots)
    }

    /// Reads the live versions that are newer than those here: others may publish in the same store. How many there were.
    ///
    /// # Errors
    /// The store's own; what was read before it is here then.
    pub async fn refresh(&self, store: &dyn Store) -> Result<usize> {
        let mut n_newer = 0;
        for workspace in store.workspaces().await? {
            for segmentation in store.segmentations(&workspace.id).await? {
                n_newer += usize::from(self.follow(store, &workspace.id, &segmentation).await?);
            }
        }
        Ok(n_newer)
    }

    /// Reads the live versions of a workspace again: something that they quote is gone.
    ///
    /// # Errors
    /// The store's own; what was read before it is here then.
    pub async fn reload(&self, store: &dyn Store, workspace: &WorkspaceId) -> Result<()> {
        for live in self.all(workspace) {
            let (name, number) = (&live.version.segmentation, live.version.number);
            self.install(workspace, read_version(store, workspace, name, number).await?);
        }
        Ok(())
    }

    /// The same for one segmentation.
    ///
    /// # Errors
    /// The store's own.
    pub async fn refresh_one(
        &self,
        store: &dyn Store,
        workspace: &WorkspaceId,
        name: &SegmentationName,
    ) -> Result<bool> {
        match store.segmentation(workspace, name).await? {
            Some(segmentation) => self.follow(store, workspace, &segmentation).await,
            None => Ok(false),
        }
    }

    /// Whether there was a newer live version.
    async fn follow(&self, store: &dyn Store, workspace: &WorkspaceId, segmentation: &Segmentation) -> Result<bool> {
        let Some(number) = segmentation.live_version else { return Ok(false) };
        if self.live(workspace, &segmentation.name).is_some_and(|live| live.version.number >= number) {
            return Ok(false);
        }
        self.install(workspace, read_version(store, workspace, &segmentation.name, number).await?);
        Ok(true)
    }

    /// From now on look-ups answer from this version, unless they answer from a newer one already.
    pub fn install(&self, workspace: &WorkspaceId, live: LiveVersion) {
        let _guard = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        if self
            .live(workspace, &live.version.segmentation)
            .is_some_and(|here| here.version.number > live.version.number)
        {
            return;
        }
        let mut next = Live::clone(&self.live.load());
        next.entry(workspace.clone()).or_default().insert(live.version.segmentation.clone(), Arc::new(live));
        self.live.store(Arc::new(next));
    }

    /// From now on no look-up tells of these customers.
    pub fn forget(&self, workspace: &WorkspaceId, ids: &[CustomerId]) {
        let ids: HashSet<&CustomerId> = ids.iter().collect();
        self.forget_where(workspace, |customer| ids.contains(customer));
    }

    /// From now on no look-up tells of customers of whom this holds. It is asked of everybody: a matter of milliseconds for each
    /// thousand customers where it computes a hash.
    pub fn forget_where(&self, workspace: &WorkspaceId, is_gone: impl Fn(&CustomerId) -> bool) {
        let _guard = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut next = Live::clone(&self.live.load());
        for live in next.get_mut(workspace).into_iter().flat_map(HashMap::values_mut) {
            let gone: HashSet<CustomerId> = live.people().filter(|customer| is_gone(customer)).cloned().collect();
            if !gone.is_empty() {
                *live = Arc::new(live.without(&gone));
            }
        }
        self.live.store(Arc::new(next));
    }

    pub fn live(&self, workspace: &WorkspaceId, name: &SegmentationName) -> Option<Arc<LiveVersion>> {
        self.live.load().get(workspace)?.get(name).cloned()
    }

    /// The workspace's live versions by the segmentation's name.
    pub fn all(&self, workspace: &WorkspaceId) -> Vec<Arc<LiveVersion>> {
        let live = self.live.load();
        let mut all: Vec<_> = live.get(workspace).into_iter().flat_map(HashMap::values).cloned().collect();
        all.sort_by(|a, b| a.version.segmentation.cmp(&b.version.segmentation));
        all
    }
}

async fn read_version(
    store: &dyn Store,
    workspace: &WorkspaceId,
    name: &SegmentationName,
    number: u32,
) -> Result<LiveVersion> {
    let version = store.version(workspace, name, number).await?;
    let version =
        version.ok_or_else(|| StoreError::Corrupt(format!("the live version {number} of {name} is not there")))?;
    let mut live = LiveVersion::new(version, []);
    // At once, and page by page: a start with a million members neither grows the map twenty times nor holds them twice.
    let n_members = usize::try_from(live.version.n_customers).unwrap_or(0);
    live.members.reserve(n_members.min(MOST_AT_ONCE));
    let mut next = Some(members_after(store, workspace, (name, number), None).await?);
    while let Some(page) = next {
        let last = page.last().filter(|_| page.len() == PAGE).map(|member| member.customer.clone());
        // The store looks for the next page while this one is taken up.
        let following = async {
            match &last {
                Some(last) => members_after(store, workspace, (name, number), Some(last)).await.map(Some),
                None => Ok(None),
            }
        };
        let (following, ()) = tokio::join!(following, async { live.extend(page) });
        next = following?;
    }
    Ok(live)
}

async fn members_after(
    store: &dyn Store,
    workspace: &WorkspaceId,
    (name, number): (&SegmentationName, u32),
    after: Option<&CustomerId>,
) -> Result<Vec<Membership>> {
    store.members(workspace, name, number, MembersQuery { segment: None, after, limit: PAGE }).await
}
