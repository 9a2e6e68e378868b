//! The name that was probably meant.

/// Longer names than this are no slips of any field's name.
const LONGEST: usize = 64;

/// The candidate nearest to `name`, if it is near enough to be meant. Case and underscores do not count: `traceName`
/// is `trace_name`.
pub(crate) fn closest<'a>(name: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    if name.len() > LONGEST {
        return None;
    }
    let name = letters(name);
    candidates
        .map(|candidate| (distance(&name, &letters(candidate)), candidate))
        .filter(|(distance, candidate)| *distance <= candidate.len().min(name.len()) / 3)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

fn letters(name: &str) -> Vec<char> {
    name.chars().filter(|c| !matches!(c, '_' | '-')).map(|c| c.to_ascii_lowercase()).collect()
}

/// The least number of letters to insert, delete, replace or swap with their neighbour to get from `a` to `b`.
fn distance(a: &[char], b: &[char]) -> usize {
    let mut rows: Vec<Vec<usize>> = vec![(0..=b.len()).collect()];
    for (i, x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let mut least = (rows[i][j] + usize::from(x != y)).min(rows[i][j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *x == b[j - 1] && a[i - 1] == *y {
                least = least.min(rows[i - 1][j - 1] + 1);
            }
            row.push(least);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::closest;

    #[test]
    fn slips_are_told_from_other_words() {
        let names = ["trace_name", "tags", "target", "status", "output_tokens", "inputs"];
        for (slip, meant) in [
            ("traceName", Some("trace_name")),
            ("trace-name", Some("trace_name")),
            ("tag", Some("tags")),
            ("taregt", Some("target")),
            ("statuss", Some("status")),
            ("output_token", Some("output_tokens")),
            ("ouptut_tokens", Some("output_tokens")),
            ("colour", None),
            ("", None),
            ("x", None),
        ] {
            assert_eq!(closest(slip, names.into_iter()), meant, "{slip}");
        }
        assert_eq!(closest(&"trace_name".repeat(1000), names.into_iter()), None);
    }
}
