//! Which Flux is reproduced.

use std::str::FromStr;

/// A minor version of Flux whose rendering is known.
///
/// What differs between them in rendering is asked of this type, one method
/// for each difference, so that all differences stand in one place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FluxVersion {
    /// Flux 2.6
    V2_6,
    /// Flux 2.7
    V2_7,
    /// Flux 2.8
    V2_8,
    /// Flux 2.9
    V2_9,
}

impl FluxVersion {
    /// The newest.
    pub const NEWEST: FluxVersion = FluxVersion::V2_9;

    /// All of them, oldest first.
    pub const ALL: [FluxVersion; 4] = [
        FluxVersion::V2_6,
        FluxVersion::V2_7,
        FluxVersion::V2_8,
        FluxVersion::V2_9,
    ];

    /// The minor number, 6 to 9.
    pub fn minor(self) -> u32 {
        match self {
            FluxVersion::V2_6 => 6,
            FluxVersion::V2_7 => 7,
            FluxVersion::V2_8 => 8,
            FluxVersion::V2_9 => 9,
        }
    }

    /// The version nearest to `2.minor`, and whether that is the very one.
    pub fn nearest(minor: u32) -> (FluxVersion, bool) {
        let version = match minor {
            0..=6 => FluxVersion::V2_6,
            7 => FluxVersion::V2_7,
            8 => FluxVersion::V2_8,
            _ => FluxVersion::V2_9,
        };
        (version, version.minor() == minor)
    }

    /// Reads the minor number out of `v2.9.4`, `2.9` or `2.9.x`.
    pub fn parse_minor(text: &str) -> Option<u32> {
        let text = text.trim();
        let mut parts = text.strip_prefix('v').unwrap_or(text).split('.');
        if parts.next()? != "2" {
            return None;
        }
        let minor = parts.next()?;
        let digits = minor.bytes().take_while(u8::is_ascii_digit).count();
        minor[..digits].parse().ok()
    }

    /// Whether an undefined variable fails the build by default.
    ///
    /// Compat: the gate `StrictPostBuildSubstitutions`, on since
    /// kustomize-controller 1.9.
    pub fn strict_substitution(self) -> bool {
        self >= FluxVersion::V2_9
    }

    /// Whether `spec.images` keeps the fields of an entry that it does not set.
    ///
    /// Compat: kustomize-controller 1.9.4; before, an entry replaced the one of
    /// the kustomization file as a whole.
    pub fn merges_images(self) -> bool {
        self >= FluxVersion::V2_9
    }

    /// Whether hooks go through post-renderers by default.
    ///
    /// Compat: helm-controller 1.6, with Helm 4's `combined` strategy.
    pub fn post_renders_hooks(self) -> bool {
        self >= FluxVersion::V2_9
    }

    /// Whether a field of a HelmRelease's `spec` exists.
    pub fn has_helm_release_field(self, field: &str) -> bool {
        match field {
            "commonMetadata" => self >= FluxVersion::V2_7,
            "postRenderStrategy" | "valuesFrom.literal" => self >= FluxVersion::V2_9,
            _ => true,
        }
    }

    /// Whether a field of a Kustomization's `spec` exists; ones that do not are
    /// dropped by the API server.
    pub fn has_kustomization_field(self, field: &str) -> bool {
        match field {
            "ignoreMissingComponents" => self >= FluxVersion::V2_7,
            "ignore" | "buildMetadata" | "postBuild.substituteStrategy" => {
                self >= FluxVersion::V2_9
            }
            _ => true,
        }
    }
}

impl std::fmt::Display for FluxVersion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "2.{}", self.minor())
    }
}

impl FromStr for FluxVersion {
    type Err = String;

    fn from_str(text: &str) -> Result<FluxVersion, String> {
        let known = FluxVersion::parse_minor(text).map(FluxVersion::nearest);
        match known {
            Some((version, true)) => Ok(version),
            _ => Err(format!(
                "`{text}` is no version that is known: one of 2.6, 2.7, 2.8, 2.9"
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_leniently_and_checked() {
        assert_eq!("2.9".parse(), Ok(FluxVersion::V2_9));
        assert_eq!("v2.6.4".parse(), Ok(FluxVersion::V2_6));
        assert!("2.5".parse::<FluxVersion>().is_err());
        assert!("3.0".parse::<FluxVersion>().is_err());
        assert_eq!(FluxVersion::parse_minor("2.x"), None);
        assert_eq!(FluxVersion::parse_minor("v2.8.x"), Some(8));
        assert_eq!(FluxVersion::nearest(3), (FluxVersion::V2_6, false));
        assert_eq!(FluxVersion::nearest(10), (FluxVersion::V2_9, false));
    }
}
