//! `keys` and `trust` in `.fluxwright.yaml`: who must have signed what.
//!
//! What a repository's own objects ask for (`spec.verify`) holds besides.

use serde::Deserialize;

/// Public keys in the place of a Secret of `spec.verify.secretRef`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KeysOf {
    /// The Secret that they stand in for, `NAMESPACE/NAME`.
    pub secret: String,
    /// Key files; paths count from the root of the repository.
    pub files: Vec<String>,
}

/// Who must have signed what, whether or not the objects ask for it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Trust {
    /// Sources that must be signed, and by whom; every entry that matches a
    /// source must be met.
    pub sources: Vec<SourceTrust>,
    /// The trust root for signatures without a key, where neither the object
    /// nor the entry names one.
    pub trusted_root: Option<String>,
    /// Who may sign bundles.
    pub bundles: Bundles,
}

/// Sources that must be signed.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SourceTrust {
    /// Which sources: a pattern of `KIND/NAMESPACE/NAME`, in which `*` stands
    /// for anything but `/`. Charts are matched by the source that they are
    /// taken from.
    pub source: String,
    /// Key files, one of which must have signed: OpenPGP and `*.sshpub` for
    /// GitRepositories, PEM for what is in a registry, an OpenPGP keyring for
    /// charts of other HelmRepositories.
    #[serde(default)]
    pub keys: Vec<String>,
    /// What must be signed in a GitRepository: `HEAD`, `Tag` or `TagAndHEAD`.
    #[serde(default)]
    pub mode: Option<String>,
    /// Who may sign without a key.
    #[serde(default)]
    pub identities: Vec<Identity>,
    /// The trust root for that.
    #[serde(default)]
    pub trusted_root: Option<String>,
}

/// Who may sign without a key.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Identity {
    /// A pattern for the issuer in the certificate.
    pub issuer: String,
    /// A pattern for the identity in it.
    pub subject: String,
}

/// Who may sign bundles: of each kind of keys that is named, one must have.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Bundles {
    /// Files with public keys in PEM form, as cosign's.
    pub keys: Vec<String>,
    /// Files with OpenPGP public keys.
    pub keyrings: Vec<String>,
}

impl SourceTrust {
    /// Whether a source is meant, by `KIND/NAMESPACE/NAME`.
    pub fn matches(&self, source: &str) -> bool {
        let (patterns, parts) = (self.source.split('/'), source.split('/'));
        self.source.split('/').count() == source.split('/').count()
            && patterns
                .zip(parts)
                .all(|(pattern, part)| fits(pattern, part))
    }
}

/// Whether a text fits a pattern with `*` in it.
fn fits(pattern: &str, text: &str) -> bool {
    let Some((before, rest)) = pattern.split_once('*') else {
        return pattern == text;
    };
    let Some(text) = text.strip_prefix(before) else {
        return false;
    };
    (0..=text.len())
        .filter_map(|at| text.get(at..))
        .any(|end| fits(rest, end))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::diag::FileId;

    #[test]
    fn sources_are_named_by_patterns() {
        let of = |pattern: &str| SourceTrust {
            source: pattern.to_owned(),
            keys: Vec::new(),
            mode: None,
            identities: Vec::new(),
            trusted_root: None,
        };
        let source = "GitRepository/flux-system/app-web";
        for pattern in [
            source,
            "GitRepository/*/*",
            "*/flux-system/app-*",
            "*/*/a*b",
            "*Repository/flux-system/*p*",
        ] {
            assert!(of(pattern).matches(source), "{pattern}");
        }
        for pattern in ["*", "GitRepository/*", "GitRepository/*/app", "*/*/*/*", ""] {
            assert!(!of(pattern).matches(source), "{pattern}");
        }
    }

    #[test]
    fn keys_and_trust_are_read() {
        let config = Config::parse(
            "keys:\n- secret: flux-system/pgp\n  files: [keys/a.asc]\ntrust:\n  trustedRoot: \
             root.json\n  bundles: {keys: [release.pub], keyrings: [a.asc]}\n  sources:\n  - source: \
             OCIRepository/*/*\n    identities: [{issuer: ^a$, subject: ^b$}]\n  - source: \
             GitRepository/*/*\n    keys: [keys/a.asc]\n    mode: Tag\n",
            FileId::default(),
        )
        .unwrap();
        assert_eq!(config.keys[0].secret, "flux-system/pgp");
        assert_eq!(config.trust.trusted_root.as_deref(), Some("root.json"));
        assert_eq!(config.trust.bundles.keys, ["release.pub"]);
        assert_eq!(config.trust.bundles.keyrings, ["a.asc"]);
        assert_eq!(config.trust.sources[0].identities[0].issuer, "^a$");
        assert_eq!(config.trust.sources[1].mode.as_deref(), Some("Tag"));
        let error = Config::parse("trust: {source: []}\n", FileId::default()).unwrap_err();
        assert_eq!(error.message(), "unknown key `source`");
        assert_eq!(error.help_text(), Some("did you mean `sources`?"));
    }
}
