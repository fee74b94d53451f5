//! Items of a call: the latest word on each.

use crate::domain::Item;
use crate::store::{Appended, rules};
use std::borrow::Cow;
use std::collections::HashMap;

#[derive(Debug, Default)]
pub(in super::super) struct Catalogue<'a> {
    /// A borrowed item came by this call.
    items: HashMap<String, Cow<'a, Item>>,
    /// Items that were not there before.
    pub n_new: i64,
}

impl<'a> Catalogue<'a> {
    pub fn stands(&mut self, item: Item) {
        self.items.insert(item.id.as_str().to_owned(), Cow::Owned(item));
    }

    pub fn append(&mut self, item: &'a Item) -> Appended {
        let appended = match self.items.get(item.id.as_str()) {
            None => Appended::Accepted,
            Some(standing) if !rules::is_later_item(standing, item) => return Appended::Duplicate,
            // Its time is another.
            Some(standing) if rules::is_same_item(standing, item) => Appended::Duplicate,
            Some(_) => Appended::Replaced,
        };
        self.n_new += i64::from(appended == Appended::Accepted);
        self.items.insert(item.id.as_str().to_owned(), Cow::Borrowed(item));
        appended
    }

    /// The items to be written.
    pub fn written(&self) -> Vec<&'a Item> {
        let written = self.items.values().filter_map(|item| match item {
            Cow::Borrowed(item) => Some(*item),
            Cow::Owned(_) => None,
        });
        written.collect()
    }
}
