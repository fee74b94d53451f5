//! Which of yesterday's segments is today's.

use std::collections::HashMap;

/// Two groups are the same group when they share more than half of all who are in either: of any two groupings, a group can
/// then be the same as at most one other.
const SAME_GROUP: f64 = 0.5;

/// For each new cluster the id it continues, if it does.
///
/// `old[i]` is the id point i had before, None for who was not there; `new[i]` is its cluster now, below `k`. A cluster
/// continues an id when their Jaccard index, over the points that were there before, is above one half (below that, Hennig
/// 2007 calls a cluster dissolved). No id is given twice.
pub fn align_segments(old: &[Option<u32>], new: &[u32], k: usize) -> Vec<Option<u32>> {
    let mut old_sizes: HashMap<u32, usize> = HashMap::new();
    let mut new_sizes = vec![0usize; k];
    let mut shared: HashMap<(u32, u32), usize> = HashMap::new();
    for (old, &new) in old.iter().zip(new) {
        let Some(old) = *old else { continue };
        *old_sizes.entry(old).or_default() += 1;
        new_sizes[new as usize] += 1;
        *shared.entry((old, new)).or_default() += 1;
    }
    let mut continued = vec![None; k];
    for (&(old, new), &both) in &shared {
        let either = old_sizes[&old] + new_sizes[new as usize] - both;
        if both as f64 > SAME_GROUP * either as f64 {
            continued[new as usize] = Some(old);
        }
    }
    continued
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn renamed_groups_are_recognised_and_new_people_do_not_blur_them() {
        let old = [Some(7), Some(7), Some(7), Some(3), Some(3), None, None, None, None];
        let new = [1, 1, 1, 0, 0, 0, 0, 0, 0];
        assert_eq!(align_segments(&old, &new, 2), vec![Some(3), Some(7)]);
    }

    #[test]
    fn a_split_keeps_the_id_with_the_larger_part_and_a_torn_group_ends() {
        let old = [Some(1); 10];
        assert_eq!(align_segments(&old, &[0, 0, 0, 0, 0, 0, 1, 1, 1, 1], 2), vec![Some(1), None]);
        assert_eq!(align_segments(&old, &[0, 0, 0, 0, 0, 1, 1, 1, 1, 1], 2), vec![None, None]);
    }

    proptest! {
        #[test]
        fn no_id_is_given_twice_and_the_same_grouping_keeps_all(
            pairs in prop::collection::vec((prop::option::of(0u32..5), 0u32..6), 0..80),
        ) {
            let (old, new): (Vec<_>, Vec<_>) = pairs.into_iter().unzip();
            let mut given: Vec<u32> = align_segments(&old, &new, 6).into_iter().flatten().collect();
            let n = given.len();
            given.sort_unstable();
            given.dedup();
            prop_assert_eq!(given.len(), n);

            let same: Vec<Option<u32>> = new.iter().map(|&cluster| Some(100 + cluster)).collect();
            for (cluster, id) in align_segments(&same, &new, 6).into_iter().enumerate() {
                let is_there = new.contains(&(cluster as u32));
                prop_assert_eq!(id, is_there.then_some(100 + cluster as u32));
            }
        }
    }
}
