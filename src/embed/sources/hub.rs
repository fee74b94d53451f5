//! The hub, or a mirror of it: what its cache on this machine already has, then a download.

use super::files::{ContentHash, Slot};
use super::progress::PullProgress;
use super::settings::SourceSettings;
use super::transfer::Transfer;
use crate::embed::catalogue::{RepoName, Revision};
use hf_hub::api::sync::{ApiBuilder, ApiRepo};
use hf_hub::{Cache, Repo, RepoType};
use std::fs;
use std::path::{Path, PathBuf};

/// One repository at one commit.
pub(super) struct HubSource<'a> {
    repo: Repo,
    cache: Cache,
    addresses: ApiRepo,
    /// None where the network must not be used.
    transfer: Option<Transfer<'a>>,
    progress: &'a dyn PullProgress,
}

impl<'a> HubSource<'a> {
    /// # Errors
    /// One sentence.
    pub fn new(
        (repo, revision): (&RepoName, &Revision),
        settings: &'a SourceSettings,
        offline: bool,
        progress: &'a dyn PullProgress,
    ) -> Result<Self, String> {
        let repo = Repo::with_revision(repo.to_string(), RepoType::Model, revision.to_string());
        let cache = Cache::new(settings.hub_cache.clone());
        let mut builder = ApiBuilder::from_cache(cache.clone()).with_token(None).with_progress(false);
        if let Some(endpoint) = &settings.endpoint {
            builder = builder.with_endpoint(endpoint.trim_end_matches('/').to_owned());
        }
        let addresses = builder.build().map_err(|error| error.to_string())?.repo(repo.clone());
        let transfer = match offline || settings.hub_offline {
            true => None,
            false => Some(Transfer::new(settings, progress)?),
        };
        Ok(Self { repo, cache, addresses, transfer, progress })
    }

    /// Puts one file in its place.
    ///
    /// # Errors
    /// One sentence; then nothing has taken its place.
    pub fn fetch(&self, slot: &Slot) -> Result<(), String> {
        if let Some(cached) = self.cached(slot) {
            match take_from_cache(&cached, slot) {
                Ok(()) => return Ok(()),
                Err(why) => self.progress.note(&format!("the hub's cache was passed over: {why}")),
            }
        }
        let Some(transfer) = &self.transfer else {
            return Err(format!("{} is not in the hub's cache, and the hub is not to be called", slot.file.path));
        };
        let url = self.addresses.url(slot.file.path.as_str());
        let resumed = slot.partial_len() > 0;
        match self.download(transfer, &url, slot) {
            // What an earlier attempt left may be of another file: once more from the start tells.
            Err(Rejected::Content(why)) if resumed => {
                self.progress.note(&format!("{why}; fetching it anew"));
                self.download(transfer, &url, slot).map_err(Rejected::into_sentence)
            }
            outcome => outcome.map_err(Rejected::into_sentence),
        }
    }

    fn download(&self, transfer: &Transfer, url: &str, slot: &Slot) -> Result<(), Rejected> {
        let announced = transfer.fetch(url, slot).map_err(Rejected::Transfer)?;
        let Some(hash) = slot.expected_hash(announced) else {
            return Err(Rejected::Transfer(format!(
                "{} came without the hub's content hash, and the catalogue has none to check it by; \
                 use a mirror that passes X-Linked-ETag and ETag on",
                slot.file.path
            )));
        };
        slot.place(&hash).map_err(|why| match slot.discard() {
            Ok(()) => Rejected::Content(why),
            Err(error) => Rejected::Transfer(format!("{why}, and its partial file cannot be removed: {error}")),
        })
    }

    fn cached(&self, slot: &Slot) -> Option<PathBuf> {
        let snapshot = self.cache.repo(self.repo.clone()).pointer_path(self.repo.revision());
        Some(snapshot.join(slot.file.path.as_str())).filter(|file| file.is_file())
    }
}

/// Why a download came to nothing.
enum Rejected {
    Transfer(String),
    /// It arrived whole and is not what it should be.
    Content(String),
}

impl Rejected {
    fn into_sentence(self) -> String {
        match self {
            Self::Transfer(why) | Self::Content(why) => why,
        }
    }
}

/// A file of the cache is a link to a blob that is named after its content hash.
fn take_from_cache(cached: &Path, slot: &Slot) -> Result<(), String> {
    let blob = cached.canonicalize().map_err(|error| error.to_string())?;
    let announced = blob.file_name().and_then(|name| name.to_str()).and_then(ContentHash::from_etag);
    let hash = slot.expected_hash(announced).ok_or("it gives no content hash")?;
    // A partial file would be lost to the copy, and is of no use where the whole is at hand.
    let copied = fs::copy(&blob, &slot.partial).map_err(|error| error.to_string());
    copied.and_then(|_| slot.place(&hash)).inspect_err(|_| {
        let _ = slot.discard();
    })
}
