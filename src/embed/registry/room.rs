//! Who has to leave when a model needs memory: pure, so that its laws are tested without a model.

/// A loaded model, as far as memory goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resident {
    pub name: String,
    pub bytes: u64,
    /// The higher, the later it was used.
    pub last_found: u64,
    /// Nobody uses it now, and it could be loaded again.
    pub idle: bool,
}

/// The models that leave so that `bytes` more fit; None where that cannot be, and then none leaves in vain. `reserved` bytes are
/// about to be taken by others. Alone in the process, a model fits whatever its size.
pub fn who_leaves(mut residents: Vec<Resident>, reserved: u64, bytes: u64, limit: u64) -> Option<Vec<String>> {
    let mut taken = residents.iter().fold(reserved, |sum, model| sum.saturating_add(model.bytes));
    let mut n_others = residents.len() + usize::from(reserved > 0);
    residents.retain(|model| model.idle);
    residents.sort_by_key(|model| model.last_found);
    let mut leaving = Vec::new();
    let mut idle = residents.into_iter();
    while n_others > 0 && taken.saturating_add(bytes) > limit {
        let model = idle.next()?;
        taken = taken.saturating_sub(model.bytes);
        n_others -= 1;
        leaving.push(model.name);
    }
    Some(leaving)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn residents() -> impl Strategy<Value = Vec<Resident>> {
        prop::collection::vec((0u64..50, any::<bool>()), 0..8).prop_map(|models| {
            let resident = |(i, (bytes, idle)): (usize, (u64, bool))| Resident {
                name: i.to_string(),
                bytes,
                last_found: (i as u64 * 5) % 8,
                idle,
            };
            models.into_iter().enumerate().map(resident).collect()
        })
    }

    proptest! {
        #[test]
        fn the_bound_holds_only_idle_ones_leave_and_the_longest_unused_first(
            models in residents(), reserved in 0u64..50, bytes in 0u64..60, limit in 0u64..200,
        ) {
            let leaving = who_leaves(models.clone(), reserved, bytes, limit);
            let bytes_of = |those: &[&Resident]| those.iter().map(|model| model.bytes).sum::<u64>();
            let busy: Vec<&Resident> = models.iter().filter(|model| !model.idle).collect();
            let Some(leaving) = leaving else {
                prop_assert!(bytes_of(&busy) + reserved + bytes > limit);
                return Ok(());
            };
            let (left, stay): (Vec<&Resident>, Vec<&Resident>) =
                models.iter().partition(|model| leaving.contains(&model.name));
            prop_assert!(left.iter().all(|model| model.idle));
            let alone = stay.is_empty() && reserved == 0;
            prop_assert!(alone || bytes_of(&stay) + reserved + bytes <= limit);
            let latest = left.iter().map(|model| model.last_found).max();
            prop_assert!(stay.iter().filter(|model| model.idle).all(|model| Some(model.last_found) > latest));
            if let Some(last) = leaving.last() {
                let last = models.iter().find(|model| model.name == *last).unwrap();
                prop_assert!(bytes_of(&stay) + last.bytes + reserved + bytes > limit, "one left in vain");
            }
        }
    }

    #[test]
    fn a_model_larger_than_the_bound_is_loaded_alone() {
        let small = Resident { name: "small".into(), bytes: 1, last_found: 1, idle: true };
        assert_eq!(who_leaves(vec![small.clone()], 0, 100, 10), Some(vec!["small".into()]));
        assert_eq!(who_leaves(vec![Resident { idle: false, ..small }], 0, 100, 10), None);
    }
}
