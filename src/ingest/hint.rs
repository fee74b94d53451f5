//! Guesses which name was meant when a column or field is not there.

/// The name among `there` that is most like `wanted`, if one is like it at all: the same but for case and separators, the
/// one within the other, or at most a third of the characters to change.
pub(super) fn nearest<'a>(wanted: &str, there: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wanted = plain(wanted);
    let allowed = (wanted.len() / 3).max(1);
    let scored = there.into_iter().filter_map(|name| {
        let candidate = plain(name);
        let distance = edit_distance(&wanted, &candidate);
        let within =
            wanted.len().min(candidate.len()) >= 2 && (holds(&candidate, &wanted) || holds(&wanted, &candidate));
        (distance <= allowed || within).then_some((distance, name))
    });
    scored.min_by_key(|(distance, _)| *distance).map(|(_, name)| name)
}

/// Lower case without separators, cut to 64 characters: enough for a name, and the distance stays cheap.
fn plain(name: &str) -> Vec<char> {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).take(64).collect()
}

fn holds(long: &[char], short: &[char]) -> bool {
    long.windows(short.len()).any(|window| window == short)
}

/// Levenshtein's distance, one row of the table at a time.
fn edit_distance(a: &[char], b: &[char]) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_was_nearly_right_is_found() {
        let there = ["Customer ID", "review_text", "stars", "评论"];
        let cases = [
            ("customer_id", Some("Customer ID")),
            ("customer", Some("Customer ID")),
            ("text", Some("review_text")),
            ("star", Some("stars")),
            ("staars", Some("stars")),
            ("评论内容", Some("评论")),
            ("colour", None),
            ("", None),
        ];
        for (wanted, expected) in cases {
            assert_eq!(nearest(wanted, there), expected, "{wanted:?}");
        }
    }
}
