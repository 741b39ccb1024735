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
    /// The pull secrets of service accounts, by namespace and name.
    pub service_accounts: BTreeMap<(String, String), Vec<String>>,
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
        // A login in the address is for its own host.
        let bare = without_login(url);
        let found = self
            .mirrors
            .iter()
            .filter_map(|(from, to)| Some((from.len(), to, behind(&bare, from)?)))
            .max_by_key(|(length, _, _)| *length);
        match found {
            Some((_, to, rest)) => format!("{to}{rest}"),
            None => url.to_owned(),
        }
    }

    /// Adds the credentials for an address.
    pub fn add_for_address(&self, url: &str, credentials: &mut Credentials) {
        let bare = without_login(url);
        let mut found: Vec<(&String, &Entries)> = self
            .addresses
            .iter()
            .filter(|(from, _)| behind(&bare, from).is_some())
            .collect();
        found.sort_by_key(|(from, _)| std::cmp::Reverse(from.len()));
        for (_, entries) in found {
            credentials.add(entries.clone());
        }
    }
}

/// What stands behind the beginning of an address, if it begins so, up to a
/// border: `https://h` is no beginning of `https://host`, and `https://h/org`
/// is one of `https://h/org.git`.
fn behind<'u>(url: &'u str, beginning: &str) -> Option<&'u str> {
    let rest = url.strip_prefix(beginning)?;
    let is_border = rest.is_empty()
        || beginning.ends_with(['/', ':'])
        || rest.starts_with(['/', ':', '?'])
        || rest.trim_end_matches('/') == ".git";
    is_border.then_some(rest)
}

/// An address over HTTP without the login that some write into it.
fn without_login(url: &str) -> String {
    let Some((scheme @ ("http" | "https"), rest)) = url.split_once("://") else {
        return url.to_owned();
    };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let host = authority.rsplit_once('@').map_or(authority, |(_, h)| h);
    format!("{scheme}://{host}{path}")
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
        assert_eq!(settings.mirrored("https://u:p@a/c"), "https://m/a/c");
        assert_eq!(settings.mirrored("https://u:p@o/c"), "https://u:p@o/c");
    }

    #[test]
    fn mirrors_are_of_whole_hosts_and_folders() {
        let settings = Settings {
            mirrors: [
                ("https://h/org", "https://m/org"),
                ("git@h:", "https://m/h/"),
                ("oci://h", "oci://m/h"),
            ]
            .map(|(from, to)| (from.to_owned(), to.to_owned()))
            .into(),
            ..Settings::default()
        };
        let is = |url, want: &str| assert_eq!(settings.mirrored(url), want);
        is("https://h/org/app", "https://m/org/app");
        is("https://h/org.git", "https://m/org.git");
        is("https://h/organisation/app", "https://h/organisation/app");
        is("git@h:org/app", "https://m/h/org/app");
        is("oci://h/app", "oci://m/h/app");
        is("oci://h.example/app", "oci://h.example/app");
    }

    #[test]
    fn credentials_are_for_whole_hosts_and_folders() {
        assert!(behind("https://h/org/app", "https://h/org").is_some());
        assert!(behind("https://h/org/app", "https://h/").is_some());
        assert!(behind("https://host.evil/org", "https://host").is_none());
        assert!(behind("https://h/organisation", "https://h/org").is_none());
    }
}
