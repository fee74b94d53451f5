//! Numbers as people write them: groups of digits with a space, a dash or brackets between them.

use crate::redact::view::View;
use std::ops::Range;

/// Groups read as one number, extended one by one.
pub struct Reading<'v> {
    view: &'v View<'v>,
    first: usize,
    n_groups: usize,
    pub digits: String,
    pub lengths: Vec<usize>,
}

impl<'v> Reading<'v> {
    /// The number that starts with a group, alone so far.
    pub fn start(view: &'v View<'v>, first: usize) -> Self {
        let mut reading = Self { view, first, n_groups: 0, digits: String::new(), lengths: Vec::new() };
        reading.take();
        reading
    }

    /// Takes the next group if what lies between is one of `gaps` and no more than `max_digits` come together.
    pub fn extend(&mut self, gaps: &[&str], max_digits: usize) -> bool {
        let groups = self.view.groups();
        let next = self.first + self.n_groups;
        let Some(group) = groups.get(next) else { return false };
        let gap = groups[next - 1].end..group.start;
        self.view.step(1 + gap.len().min(3));
        let fits = gap.len() <= 3 && self.digits.len() + group.len() <= max_digits;
        if fits && gaps.contains(&&self.view.text()[gap]) {
            self.take();
            return true;
        }
        false
    }

    fn take(&mut self) {
        let group = self.view.groups()[self.first + self.n_groups].clone();
        // A longer run of digits is no number that anyone looks for; its length says so, its digits need not be copied.
        let shown = group.start..group.end.min(group.start + 40);
        self.view.step(shown.len());
        self.digits.push_str(&self.view.text()[shown]);
        self.lengths.push(group.len());
        self.n_groups += 1;
    }

    pub fn range(&self) -> Range<usize> {
        let groups = self.view.groups();
        groups[self.first].start..groups[self.first + self.n_groups - 1].end
    }

    /// What lies before a group of the reading, the first one left out.
    pub fn gap(&self, group: usize) -> &str {
        let groups = self.view.groups();
        &self.view.text()[groups[self.first + group - 1].end..groups[self.first + group].start]
    }
}
