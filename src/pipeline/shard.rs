//! A part of a fleet: `--shard I/N`.
//!
//! Clusters are dealt out by the digests of their names, so that one that comes
//! or goes moves no other. What all parts have in common is one [`Shard::of`].

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::diag::{Error, Result};

/// The most parts that a fleet is dealt out to.
const MAX_PARTS: u32 = 10_000;

/// One of several parts, `1/3`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Shard {
    /// Which part, from 1.
    pub part: u32,
    /// How many there are.
    pub of: u32,
}

impl Shard {
    /// Whether a cluster belongs to it.
    pub fn holds(self, cluster: &str) -> bool {
        let digest = Sha256::digest(cluster.as_bytes());
        let number = digest
            .iter()
            .take(8)
            .fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
        number % u64::from(self.of) == u64::from(self.part - 1)
    }
}

impl std::fmt::Display for Shard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.part, self.of)
    }
}

impl std::str::FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Shard, String> {
        let numbers = text
            .split_once('/')
            .and_then(|(part, of)| Some((part.parse().ok()?, of.parse().ok()?)));
        match numbers {
            Some((part, of)) if (1..=MAX_PARTS).contains(&of) && (1..=of).contains(&part) => {
                Ok(Shard { part, of })
            }
            _ => Err(format!(
                "`{text}` is no part: write I/N, as in 1/4, with N up to {MAX_PARTS}"
            )),
        }
    }
}

impl TryFrom<String> for Shard {
    type Error = String;

    fn try_from(text: String) -> std::result::Result<Shard, String> {
        text.parse()
    }
}

impl From<Shard> for String {
    fn from(shard: Shard) -> String {
        shard.to_string()
    }
}

/// What a part says of the whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Which part it is.
    pub shard: Shard,
    /// What else all parts have in common, a digest: the commit, the options,
    /// the version of the program.
    pub run: String,
    /// The names of all clusters of the repository, in its order.
    pub clusters: Vec<String>,
}

/// Proves that parts are all parts of one whole, each once; gives the names of
/// its clusters.
///
/// # Errors
///
/// `merge/parts`.
pub fn complete<'p>(parts: &[&'p Part]) -> Result<&'p [String]> {
    let wrong = |why: String| {
        Error::new("merge/parts", why).help(
            "give all parts of one run: `--shard 1/N` to `--shard N/N` of one commit, with the \
                 same options and the same version of the program",
        )
    };
    let Some(first) = parts.first() else {
        return Err(wrong("there are no parts".to_owned()));
    };
    let whole = |part: &Part| (part.shard.of, part.run.clone(), part.clusters.clone());
    if let Some(other) = parts.iter().find(|part| whole(part) != whole(first)) {
        return Err(wrong(format!(
            "the part {} is of another run than {}",
            other.shard, first.shard
        )));
    }
    let mut numbers: Vec<u32> = parts.iter().map(|p| p.shard.part).collect();
    numbers.sort_unstable();
    for (expected, number) in (1..).zip(&numbers) {
        if *number != expected {
            let missing = expected.min(*number);
            let what = if missing == expected {
                "is missing"
            } else {
                "is there twice"
            };
            return Err(wrong(format!(
                "the part {missing}/{} {what}",
                first.shard.of
            )));
        }
    }
    if numbers.len() as u64 != u64::from(first.shard.of) {
        return Err(wrong(format!(
            "the part {}/{} is missing",
            numbers.len() + 1,
            first.shard.of
        )));
    }
    Ok(&first.clusters)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(text: &str) -> Part {
        Part {
            shard: text.parse().unwrap(),
            run: String::new(),
            clusters: vec!["a".into(), "b".into()],
        }
    }

    #[test]
    fn every_cluster_is_in_one_part() {
        for of in 1..7 {
            for cluster in ["production", "staging", "", "eu-west-1"] {
                let parts = (1..=of).filter(|part| Shard { part: *part, of }.holds(cluster));
                assert_eq!(parts.count(), 1, "{cluster} of {of}");
            }
        }
        // What is pinned here must never change: parts of two versions of the
        // program would not fit.
        let shard: Shard = "1/2".parse().unwrap();
        assert_eq!(
            ["production", "staging"].map(|name| shard.holds(name)),
            ["production", "staging"].map(|name| Sha256::digest(name.as_bytes())[7] % 2 == 0)
        );
    }

    #[test]
    fn parts_that_are_none_are_refused() {
        for wrong in ["", "1", "0/2", "3/2", "1/0", "a/b", "1/2/3", "1/99999"] {
            assert!(wrong.parse::<Shard>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_whole_has_all_its_parts_once() {
        let told = |parts: &[Part]| {
            let parts: Vec<&Part> = parts.iter().collect();
            complete(&parts)
                .map(<[String]>::len)
                .map_err(|e| e.message().to_owned())
        };
        assert_eq!(told(&[part("2/2"), part("1/2")]), Ok(2));
        assert_eq!(told(&[part("2/2")]), Err("the part 1/2 is missing".into()));
        assert_eq!(told(&[part("1/2")]), Err("the part 2/2 is missing".into()));
        assert_eq!(
            told(&[part("1/2"), part("1/2")]),
            Err("the part 1/2 is there twice".into())
        );
        assert_eq!(
            told(&[part("1/2"), part("2/3")]),
            Err("the part 2/3 is of another run than 1/2".into())
        );
        let mut other = part("2/2");
        other.run = "another commit".to_owned();
        assert_eq!(
            told(&[part("1/2"), other]),
            Err("the part 2/2 is of another run than 1/2".into())
        );
    }
}
