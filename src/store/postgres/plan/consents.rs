//! What was told of consent under an id: what stands for each purpose, and the words that are to be logged.

use crate::domain::{Choice, Consent, Purpose};
use std::collections::BTreeMap;

#[derive(Debug, Default)]
pub(in super::super) struct Consents {
    standing: BTreeMap<Purpose, Planned>,
    /// Words that changed a choice.
    pub new_in_log: Vec<(Purpose, Choice)>,
}

#[derive(Debug)]
struct Planned {
    choice: Choice,
    is_new: bool,
}

impl Consents {
    pub fn stands(&mut self, purpose: Purpose, choice: Choice) {
        self.standing.insert(purpose, Planned { choice, is_new: false });
    }

    pub fn is_empty(&self) -> bool {
        self.standing.is_empty()
    }

    pub fn of(&self, purpose: Purpose) -> Option<&Choice> {
        self.standing.get(&purpose).map(|planned| &planned.choice)
    }

    /// Whether anything is new.
    pub fn tell(&mut self, told: &Consent) -> bool {
        let mut is_new = false;
        for (purpose, is_granted) in &told.choices {
            let choice = Choice { is_granted: *is_granted, time: told.time, source: told.source.clone() };
            let standing = self.of(*purpose);
            if standing.is_some_and(|standing| !choice.outweighs(standing)) {
                continue;
            }
            if standing.is_none_or(|standing| standing.is_granted != choice.is_granted) {
                self.new_in_log.push((*purpose, choice.clone()));
            }
            self.standing.insert(*purpose, Planned { choice, is_new: true });
            is_new = true;
        }
        is_new
    }

    pub fn written(&self) -> impl Iterator<Item = (Purpose, &Choice)> {
        let new = self.standing.iter().filter(|(_, planned)| planned.is_new);
        new.map(|(purpose, planned)| (*purpose, &planned.choice))
    }
}
