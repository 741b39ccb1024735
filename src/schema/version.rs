//! Which Kubernetes the schemas are of.

use std::fmt;
use std::str::FromStr;

/// A minor version of Kubernetes whose kinds are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KubernetesVersion(u32);

impl KubernetesVersion {
    /// The oldest that is known.
    pub const OLDEST: KubernetesVersion = KubernetesVersion(31);
    /// The newest that is known.
    pub const NEWEST: KubernetesVersion = KubernetesVersion(37);

    /// The minor number: 36 for 1.36.
    pub fn minor(self) -> u32 {
        self.0
    }

    /// The version nearest to `1.minor`, and whether that is the very one.
    pub fn nearest(minor: u32) -> (KubernetesVersion, bool) {
        let version = KubernetesVersion(minor.clamp(Self::OLDEST.0, Self::NEWEST.0));
        (version, version.0 == minor)
    }

    /// Reads the minor number out of `1.36`, `v1.36.2` or `1.36.2+k3s1`.
    pub fn parse_minor(text: &str) -> Option<u32> {
        let text = text.trim();
        let minor = text.strip_prefix('v').unwrap_or(text).strip_prefix("1.")?;
        let end = minor
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(minor.len());
        let after = &minor[end..];
        if !after.is_empty() && !after.starts_with(['.', '-', '+']) {
            return None;
        }
        minor[..end].parse().ok()
    }
}

impl Default for KubernetesVersion {
    fn default() -> KubernetesVersion {
        KubernetesVersion::NEWEST
    }
}

impl fmt::Display for KubernetesVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "1.{}", self.0)
    }
}

impl FromStr for KubernetesVersion {
    type Err = String;

    fn from_str(text: &str) -> Result<KubernetesVersion, String> {
        match KubernetesVersion::parse_minor(text).map(KubernetesVersion::nearest) {
            Some((version, true)) => Ok(version),
            _ => Err(format!(
                "`{text}` is no version that is known: one of {} to {}",
                KubernetesVersion::OLDEST,
                KubernetesVersion::NEWEST
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_leniently_and_checked() {
        for text in ["1.36", "v1.36", "1.36.0", "v1.36.2-eks-1", "1.36.1+k3s1"] {
            assert_eq!(text.parse(), Ok(KubernetesVersion(36)), "{text}");
        }
        for text in ["1.30", "1.38", "2.0", "1", "1.x", "1.36x", "latest"] {
            assert!(text.parse::<KubernetesVersion>().is_err(), "{text}");
        }
        assert_eq!(
            KubernetesVersion::nearest(20),
            (KubernetesVersion::OLDEST, false)
        );
    }
}
