//! The known name that somebody probably meant.

/// The candidate nearest to a name that is unknown; none where all are too
/// different to be what was meant.
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wanted: Vec<char> = name.to_lowercase().chars().collect();
    // One slip in three characters, and at least one.
    let limit = (wanted.len() / 3).max(1);
    candidates
        .into_iter()
        .filter_map(|candidate| {
            let other: Vec<char> = candidate.to_lowercase().chars().collect();
            // The usual case in a long list, found out without a comparison.
            let is_near = wanted.len().abs_diff(other.len()) <= limit;
            is_near.then(|| (distance(&wanted, &other), candidate))
        })
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// How many characters must be put in, taken out, replaced or swapped with
/// their neighbour to make one text the other.
fn distance(a: &[char], b: &[char]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut row = Vec::with_capacity(b.len() + 1);
        row.push(i + 1);
        for (j, y) in b.iter().enumerate() {
            let mut best = (last[j] + usize::from(x != y))
                .min(last[j + 1] + 1)
                .min(row[j] + 1);
            if i > 0 && j > 0 && *x == b[j - 1] && a[i - 1] == *y {
                best = best.min(before[j - 1] + 1);
            }
            row.push(best);
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_found_and_other_words_are_not() {
        let known = ["dependsOn", "interval", "path", "prune", "sourceRef"];
        let near = |name| nearest(name, known);
        assert_eq!(near("dependOn"), Some("dependsOn"));
        assert_eq!(near("dependson"), Some("dependsOn"));
        assert_eq!(near("purne"), Some("prune"));
        assert_eq!(near("paht"), Some("path"));
        assert_eq!(near("source"), None);
        assert_eq!(near("x"), None);
        assert_eq!(near(""), None);
    }
}
