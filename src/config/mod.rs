//! `.fluxwright.yaml`: what a repository says of itself.
//!
//! In: the text of the file. Out: [`Config`], every key known and of its kind.
//! Its JSON schema is `schemas/fluxwright/config.json`.

mod trust;

use std::collections::{BTreeMap, BTreeSet};
use std::marker::PhantomData;

use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::diag::{Error, FileId, Result, Severity, Span, nearest};

pub use trust::{Bundles, Identity, KeysOf, SourceTrust, Trust};

/// The name of the file, at the root of the repository.
pub const FILE_NAME: &str = ".fluxwright.yaml";

/// The content of `.fluxwright.yaml`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Config {
    /// Folders that are bootstrapped, relative to the root; found by
    /// themselves where none are named.
    pub entries: Vec<Entry>,
    /// The version of Flux in the clusters, `2.9`.
    pub flux_version: Option<String>,
    /// The version of Kubernetes in the clusters, `1.37.0`.
    pub kubernetes_version: Option<String>,
    /// API versions that the clusters serve besides their own.
    pub api_versions: Vec<String>,
    /// Values of variables that only the clusters know, for the objects of
    /// `substituteFrom` that are not in the repository in clear.
    #[serde(deserialize_with = "each_once")]
    pub substitute: BTreeMap<String, String>,
    /// Beginnings of addresses, and what takes their place when something is
    /// fetched.
    #[serde(deserialize_with = "each_once")]
    pub mirrors: BTreeMap<String, String>,
    /// Credentials that are not in the repository, by reference.
    pub credentials: Vec<Credential>,
    /// Public keys that stand in for Secrets which are not in the repository
    /// in clear.
    pub keys: Vec<KeysOf>,
    /// Who must have signed what.
    pub trust: Trust,
    /// Teams that bring their own objects and are kept apart; found by layout
    /// and labels where none are declared.
    pub tenants: Vec<Tenant>,
    /// The folder that `vendor` fills.
    pub vendor: Option<String>,
    /// How bad the findings of a rule, or of a family of rules, are.
    #[serde(deserialize_with = "each_once")]
    pub rules: BTreeMap<String, Level>,
    /// The same, in some files alone.
    pub overrides: Vec<Override>,
    /// Findings that are known and accepted.
    pub ignore: Vec<Ignore>,
}

/// Credentials for a Secret that cannot be read, or for addresses.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Credential {
    /// The Secret that they stand in for, `NAMESPACE/NAME`.
    #[serde(default)]
    pub secret: Option<String>,
    /// The beginning of addresses that they are for.
    #[serde(default)]
    pub address: Option<String>,
    /// Where the entries are, by the names that Flux gives them: `username`,
    /// `password`, `bearerToken`, `identity`, `known_hosts`, `ca.crt`…
    #[serde(default)]
    pub entries: BTreeMap<String, Reference>,
    /// Who is asked for user and password, beside the entries.
    #[serde(default)]
    pub helper: Option<Helper>,
}

/// A program that knows credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Helper {
    /// `git credential fill`, with the helpers of the user's own configuration.
    Git,
}

/// Where a secret value is, never the value itself: one of these.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(
    rename_all = "camelCase",
    deny_unknown_fields,
    default,
    expecting = "`{env: VARIABLE}` or `{file: PATH}`: a value itself is never written here"
)]
pub struct Reference {
    /// An environment variable.
    pub env: Option<String>,
    /// A file; a path that is relative counts from the root.
    pub file: Option<String>,
}

/// How bad the findings of a rule are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// There are none.
    Off,
    /// Worth knowing.
    Info,
    /// Probably not what was meant.
    Warning,
    /// Wrong.
    Error,
}

impl Level {
    /// The severity; none for what is switched off.
    pub fn severity(self) -> Option<Severity> {
        match self {
            Level::Off => None,
            Level::Info => Some(Severity::Info),
            Level::Warning => Some(Severity::Warning),
            Level::Error => Some(Severity::Error),
        }
    }
}

/// Levels of rules in some files.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Override {
    /// A folder, or a pattern of files as in `apps/*/dev/**`.
    pub path: String,
    /// The levels, by rule or family.
    #[serde(deserialize_with = "each_once")]
    pub rules: BTreeMap<String, Level>,
}

/// Findings that are accepted.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Ignore {
    /// The rule, or the family.
    pub rule: String,
    /// The folder, or a pattern of files; all where none is given.
    #[serde(default)]
    pub path: Option<String>,
    /// The objects, as a pattern of `Kind/namespace/name`; all where none is
    /// given.
    #[serde(default)]
    pub object: Option<String>,
    /// Why they are accepted.
    pub reason: String,
    /// The last day on which they are, `2027-01-31`.
    #[serde(default)]
    pub until: Option<String>,
}

/// A team that brings its own objects.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Tenant {
    /// What it is called in reports.
    pub name: String,
    /// Its namespaces, as patterns: everything in them is its own, and nothing
    /// else is. Where none are given, they are found by labels and rights.
    #[serde(default)]
    pub namespaces: Vec<String>,
    /// Folders, or patterns of files, whose Kustomizations and HelmReleases are
    /// its own.
    #[serde(default)]
    pub paths: Vec<String>,
    /// Kustomizations and HelmReleases that are its own, as patterns of
    /// `NAMESPACE/NAME`.
    #[serde(default)]
    pub objects: Vec<String>,
}

/// A folder that is bootstrapped.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Entry {
    /// The folder, relative to the root.
    pub path: String,
    /// Its name in reports and in the output; its last part where none is
    /// given.
    #[serde(default)]
    pub name: Option<String>,
    /// The folder that the artifact is made of which Flux fetches, relative to
    /// the root: paths of Kustomizations count from there. The root where none
    /// is given.
    #[serde(default)]
    pub artifact: Option<String>,
    /// As in [`Config`], for this cluster.
    #[serde(default)]
    pub flux_version: Option<String>,
    /// As in [`Config`], for this cluster.
    #[serde(default)]
    pub kubernetes_version: Option<String>,
    /// As in [`Config`], for this cluster; wins over the common ones.
    #[serde(default, deserialize_with = "each_once")]
    pub substitute: BTreeMap<String, String>,
}

impl Config {
    /// Reads the file.
    ///
    /// # Errors
    ///
    /// `config/invalid` with the place: no YAML, an unknown key (with the
    /// nearest known one), a value of the wrong kind.
    pub fn parse(text: &str, file: FileId) -> Result<Config> {
        if text.trim().is_empty() {
            return Ok(Config::default());
        }
        let config: Config = serde_yaml::from_str(text).map_err(|e| error(&e, file))?;
        config.contradiction().map_or(Ok(config), |message| {
            Err(Error::new("config/invalid", message)
                .at(Span::new(file, 1, 1))
                .help("leave one of the two out"))
        })
    }

    /// What two settings say of the same in different ways; none where they
    /// agree. Of a narrower and a wider one the narrower counts, which is no
    /// contradiction.
    fn contradiction(&self) -> Option<String> {
        let mut folders = BTreeSet::new();
        for entry in &self.entries {
            if !folders.insert(folder(&entry.path)) {
                return Some(format!("`entries` names the folder `{}` twice", entry.path));
            }
        }
        let mut levels = BTreeMap::new();
        for entry in &self.overrides {
            for (rule, level) in &entry.rules {
                let known = levels.insert((folder(&entry.path), rule), *level);
                if known.is_some_and(|known| known != *level) {
                    return Some(format!(
                        "`overrides` gives `{rule}` two levels in `{}`",
                        entry.path
                    ));
                }
            }
        }
        let mut secrets = BTreeSet::new();
        for entry in &self.keys {
            if !secrets.insert(&entry.secret) {
                return Some(format!("`keys` names the Secret `{}` twice", entry.secret));
            }
        }
        None
    }
}

/// A folder in the one form that settings are compared in.
fn folder(path: &str) -> &str {
    let path = path.trim_start_matches("./").trim_matches('/');
    if path == "." { "" } else { path }
}

/// Reads a mapping in which every key stands once.
fn each_once<'de, D, V>(deserializer: D) -> std::result::Result<BTreeMap<String, V>, D::Error>
where
    D: Deserializer<'de>,
    V: Deserialize<'de>,
{
    struct Once<V>(PhantomData<V>);

    impl<'de, V: Deserialize<'de>> Visitor<'de> for Once<V> {
        type Value = BTreeMap<String, V>;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("a map")
        }

        fn visit_unit<E>(self) -> std::result::Result<Self::Value, E> {
            Ok(BTreeMap::new())
        }

        fn visit_map<A: MapAccess<'de>>(
            self,
            mut access: A,
        ) -> std::result::Result<Self::Value, A::Error> {
            let mut map = BTreeMap::new();
            while let Some((key, value)) = access.next_entry::<String, V>()? {
                if map.contains_key(&key) {
                    return Err(A::Error::custom(format!("`{key}` is set twice")));
                }
                map.insert(key, value);
            }
            Ok(map)
        }
    }

    deserializer.deserialize_any(Once(PhantomData))
}

/// How the error ends for what is no reference.
const NEVER_WRITTEN: &str = "never written here";

fn error(error: &serde_yaml::Error, file: FileId) -> Error {
    let message = error.to_string();
    let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let (message, span) = match error.location() {
        Some(at) => {
            let suffix = format!(" at line {} column {}", at.line(), at.column());
            (
                message.replace(&suffix, ""),
                Span::new(file, number(at.line()), number(at.column())),
            )
        }
        None => (message, Span::new(file, 1, 1)),
    };
    // What stands where a reference should may be the secret itself: neither it
    // nor its line is shown.
    if let Some((path, _)) = message.split_once(": invalid type: ")
        && message.ends_with(NEVER_WRITTEN)
    {
        let message = format!("`{path}` refers to a value, which is {NEVER_WRITTEN}");
        return Error::new("config/invalid", message)
            .at(Span::new(file, 0, 0))
            .help("write `{env: VARIABLE}` or `{file: PATH}`");
    }
    let unknown = message
        .split_once("unknown field `")
        .and_then(|(_, rest)| rest.split_once('`'));
    let Some((name, rest)) = unknown else {
        return Error::new("config/invalid", message).at(span);
    };
    let known: Vec<&str> = rest.split('`').skip(1).step_by(2).collect();
    let help = match nearest(name, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("known keys are `{}`", known.join("`, `")),
    };
    Error::new("config/invalid", format!("unknown key `{name}`"))
        .at(span)
        .help(help)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn refused(text: &str, message: &str, line: u32, help: Option<&str>) {
        let error = Config::parse(text, FileId::default()).unwrap_err();
        assert_eq!(error.rule(), "config/invalid");
        assert_eq!(error.message(), message);
        assert_eq!(error.span().line, line);
        assert_eq!(error.help_text(), help);
    }

    #[test]
    fn values_that_should_be_elsewhere_are_not_shown() {
        refused(
            "credentials:\n- secret: a/b\n  entries:\n    password: hunter2\n",
            "`credentials[0].entries.password` refers to a value, which is never written here",
            0,
            Some("write `{env: VARIABLE}` or `{file: PATH}`"),
        );
    }

    #[test]
    fn every_key_is_read() {
        let config = Config::parse(
            "fluxVersion: '2.8'\nkubernetesVersion: 1.36.0\napiVersions: [a/v1]\nsubstitute:\n  \
             A: b\nentries:\n- path: clusters/a\n- path: clusters/b\n  name: blue\n  fluxVersion: \
             '2.9'\n",
            FileId::default(),
        )
        .unwrap();
        assert_eq!(config.flux_version.as_deref(), Some("2.8"));
        assert_eq!(config.kubernetes_version.as_deref(), Some("1.36.0"));
        assert_eq!(config.api_versions, ["a/v1"]);
        assert_eq!(config.substitute["A"], "b");
        assert_eq!(config.entries[1].name.as_deref(), Some("blue"));
        assert_eq!(config.entries[1].flux_version.as_deref(), Some("2.9"));
        let fetching = "mirrors: {'https://a/': 'https://b/'}\nvendor: third-party\ncredentials:\n- \
                        secret: flux-system/git\n  entries:\n    password: {env: TOKEN}\n";
        let config = Config::parse(fetching, FileId::default()).unwrap();
        assert_eq!(config.mirrors["https://a/"], "https://b/");
        assert_eq!(config.vendor.as_deref(), Some("third-party"));
        let password = &config.credentials[0].entries["password"];
        assert_eq!(password.env.as_deref(), Some("TOKEN"));
        let tenants = "tenants:\n- name: blue\n  namespaces: [blue, blue-*]\n  paths: \
                       [teams/blue]\n  objects: [flux-system/blue-*]\n";
        let config = Config::parse(tenants, FileId::default()).unwrap();
        assert_eq!(config.tenants[0].namespaces, ["blue", "blue-*"]);
        let nothing = Config::parse("# nothing yet\n", FileId::default()).unwrap();
        assert_eq!(nothing, Config::default());
    }

    #[test]
    fn settings_do_not_contradict_each_other() {
        let one = Some("leave one of the two out");
        let twice = Config::parse("rules:\n  pin: error\n  pin: off\n", FileId::default());
        assert!(twice.unwrap_err().message().contains("`pin` is set twice"));
        let twice = Config::parse("substitute: {A: b, A: c}\n", FileId::default());
        assert!(twice.unwrap_err().message().contains("`A` is set twice"));
        refused(
            "entries:\n- path: clusters/a\n- path: ./clusters/a/\n  fluxVersion: '2.8'\n",
            "`entries` names the folder `./clusters/a/` twice",
            1,
            one,
        );
        refused(
            "overrides:\n- path: apps\n  rules: {pin: off}\n- path: ./apps\n  rules: {pin: error}\n",
            "`overrides` gives `pin` two levels in `./apps`",
            1,
            one,
        );
        refused(
            "keys:\n- {secret: a/b, files: [x.asc]}\n- {secret: a/b, files: [y.asc]}\n",
            "`keys` names the Secret `a/b` twice",
            1,
            one,
        );
        // The narrower one counts.
        let narrower = "rules: {pin: error, pin/floating: off}\noverrides:\n- path: apps\n  rules: \
                        {pin: off}\n- path: apps/a\n  rules: {pin: info}\n- path: apps\n  rules: {pin: \
                        off}\n";
        assert!(Config::parse(narrower, FileId::default()).is_ok());
    }

    #[test]
    fn what_is_wrong_has_a_place_and_help() {
        refused(
            "fluxversion: '2.9'\n",
            "unknown key `fluxversion`",
            1,
            Some("did you mean `fluxVersion`?"),
        );
        refused(
            "apiVersions: []\nentries:\n- path: a\n  nmae: b\n",
            "unknown key `nmae`",
            4,
            Some("did you mean `name`?"),
        );
        refused(
            "entries:\n- name: b\n",
            "entries[0]: missing field `path`",
            2,
            None,
        );
    }
}
