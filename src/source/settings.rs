//! How this machine reaches sources: mirrors, and credentials that are not in
//! the repository.

use std::collections::BTreeMap;

use super::Credentials;
use crate::yaml::Node;

/// The entries of a Secret.
pub type Entries = BTreeMap<String, Vec<u8>>;

/// The entries of a Secret; none where they are encrypted or cannot be read.
pub fn entries_of(secret: &Node) -> Option<Entries> {
    use base64::Engine as _;
    if secret.get("sops").is_some() {
        return None;
    }
    let mut entries = Entries::new();
    let fields = |key: &str| {
        let map = secret.get(key).map(Node::target);
        map.map(|m| m.entries().to_vec()).unwrap_or_default()
    };
    for entry in fields("data") {
        let name = entry.key.text()?.to_owned();
        let text: String = entry.value.text()?.split_whitespace().collect();
        let value = base64::engine::general_purpose::STANDARD
            .decode(text)
            .ok()?;
        entries.insert(name, value);
    }
    for entry in fields("stringData") {
        let name = entry.key.text()?.to_owned();
        entries.insert(name, entry.value.text()?.as_bytes().to_vec());
    }
    Some(entries)
}

/// Mirrors and credentials.
#[derive(Clone, Default)]
pub struct Settings {
    /// Beginnings of addresses and what takes their place.
    pub mirrors: BTreeMap<String, String>,
    /// Secrets by namespace and name: those that can be read in the
    /// repository, and what `.fluxwright.yaml` gives in their place.
    pub secrets: BTreeMap<(String, String), Entries>,
    /// Credentials for addresses that begin so.
    pub addresses: BTreeMap<String, Entries>,
    /// The user's own docker configuration.
    pub docker_config: Option<Vec<u8>>,
}

impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Settings")
            .field("mirrors", &self.mirrors)
            .field("secrets", &self.secrets.keys())
            .field("addresses", &self.addresses.keys())
            .finish_non_exhaustive()
    }
}

impl Settings {
    /// The address to connect to in place of another: the longest beginning
    /// that has a mirror decides.
    pub fn mirrored(&self, url: &str) -> String {
        let found = self
            .mirrors
            .iter()
            .filter_map(|(from, to)| Some((from.len(), to, url.strip_prefix(from.as_str())?)))
            .max_by_key(|(length, _, _)| *length);
        match found {
            Some((_, to, rest)) => format!("{to}{rest}"),
            None => url.to_owned(),
        }
    }

    /// Adds the credentials for an address.
    pub fn add_for_address(&self, url: &str, credentials: &mut Credentials) {
        let mut found: Vec<(&String, &Entries)> = self
            .addresses
            .iter()
            .filter(|(from, _)| begins_with(url, from))
            .collect();
        found.sort_by_key(|(from, _)| std::cmp::Reverse(from.len()));
        for (_, entries) in found {
            credentials.add(entries.clone());
        }
    }
}

/// Whether an address begins so, up to a border: `https://h` is no beginning
/// of `https://host`.
fn begins_with(url: &str, beginning: &str) -> bool {
    url.strip_prefix(beginning).is_some_and(|rest| {
        rest.is_empty() || beginning.ends_with('/') || rest.starts_with(['/', ':', '?'])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_mirror_wins() {
        let settings = Settings {
            mirrors: [
                ("https://a/", "https://m/a/"),
                ("https://a/b/", "https://m/b/"),
            ]
            .map(|(from, to)| (from.to_owned(), to.to_owned()))
            .into(),
            ..Settings::default()
        };
        assert_eq!(settings.mirrored("https://a/b/c"), "https://m/b/c");
        assert_eq!(settings.mirrored("https://a/c"), "https://m/a/c");
        assert_eq!(settings.mirrored("https://o/c"), "https://o/c");
    }

    #[test]
    fn credentials_are_for_whole_hosts_and_folders() {
        assert!(begins_with("https://h/org/app", "https://h/org"));
        assert!(begins_with("https://h/org/app", "https://h/"));
        assert!(!begins_with("https://host.evil/org", "https://host"));
        assert!(!begins_with("https://h/organisation", "https://h/org"));
    }
}
