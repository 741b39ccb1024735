//! What names a remote file or repository.
//!
//! Compat: `IsRemoteFile` and `git.NewRepoSpecFromURL` of kustomize. Nothing is
//! fetched here: a [`Remote`](super::Remote) says what an address stands for.

/// A repository with a folder in it, as an address names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepoSpec {
    /// The repository's address, to be cloned from.
    pub repository: String,
    /// The folder in it.
    pub folder: String,
    /// The branch, tag or commit.
    pub reference: Option<String>,
}

/// Whether a path names a file to be had by http.
pub(super) fn is_remote_file(path: &str) -> bool {
    let Some((scheme, rest)) = path.split_once(':') else {
        return false;
    };
    let is_http = scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https");
    is_http && !rest.bytes().any(|b| b < b' ' || b == 0x7f)
}

impl RepoSpec {
    /// Reads the address of a repository; none for everything else.
    pub fn parse(address: &str) -> Option<RepoSpec> {
        if address.starts_with('/') {
            return None;
        }
        let (place, query) = address.split_once('?').unwrap_or((address, ""));
        let (host, path) = split_host(place)?;
        let (repository, folder) = split_path(path, host.starts_with("file://"))?;
        if repository.is_empty() || leaves(folder) {
            return None;
        }
        Some(RepoSpec {
            repository: format!("{host}{repository}"),
            folder: folder.strip_prefix('/').unwrap_or(folder).to_owned(),
            reference: reference(query),
        })
    }
}

/// Takes the host, with scheme and user, off an address.
fn split_host(place: &str) -> Option<(String, &str)> {
    let place = strip_prefix(place, "git::").unwrap_or(place);
    let schemes = ["ssh://", "https://", "http://", "file://"];
    let found = schemes
        .iter()
        .find_map(|s| strip_prefix(place, s).map(|rest| (*s, rest)));
    let (scheme, rest) = found.unwrap_or(("", place));
    let (user, rest) = split_user(rest);
    let lower = rest.to_ascii_lowercase();
    let is_github = lower.starts_with("github.com/") || lower.starts_with("github.com:");
    let is_scp = scheme.is_empty() && (!user.is_empty() || is_github);
    if scheme.is_empty() && !is_scp {
        return None;
    }
    if scheme == "file://" {
        let start = place.len() - rest.len() - user.len();
        return Some((scheme.to_owned(), &place[start..]));
    }
    let mut end = rest.find('/');
    if is_scp {
        let colon = rest.find(':');
        if end.is_none() || colon.is_some_and(|c| c > 0 && Some(c) < end) {
            end = colon;
        }
    }
    let (host, path) = match end {
        Some(end) => rest.split_at(end + 1),
        None => (rest, ""),
    };
    if is_github {
        let host = if scheme.starts_with("ssh://") || !user.is_empty() {
            format!("{user}github.com:")
        } else {
            "https://github.com/".to_owned()
        };
        return Some((host, path));
    }
    if host.is_empty() {
        return None;
    }
    Some((format!("{scheme}{user}{host}"), path))
}

fn strip_prefix<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let start = text.get(..prefix.len())?;
    start
        .eq_ignore_ascii_case(prefix)
        .then(|| &text[prefix.len()..])
}

/// Takes `user@` off.
fn split_user(text: &str) -> (&str, &str) {
    let Some(at) = text.find('@') else {
        return ("", text);
    };
    let name = &text[..at];
    let is_user = name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    if is_user {
        text.split_at(at + 1)
    } else {
        ("", text)
    }
}

/// Splits the path behind a host into repository and folder.
fn split_path(path: &str, is_file: bool) -> Option<(&str, &str)> {
    if let Some(at) = path.find("_git/") {
        let rest = &path[at + 5..];
        let end = at + 5 + rest.find('/').unwrap_or(rest.len());
        return Some((&path[..end], path[end..].strip_prefix('/').unwrap_or("")));
    }
    if let Some((repository, folder)) = path.split_once("//") {
        return Some((repository, folder));
    }
    if let Some(at) = path.find(".git") {
        return Some(path.split_at(at + 4));
    }
    if is_file {
        return Some((path, ""));
    }
    let mut slashes = path.match_indices('/');
    slashes.next()?;
    match slashes.next() {
        Some((at, _)) => Some((&path[..at], &path[at + 1..])),
        None => Some((path, "")),
    }
}

/// Whether a folder leads out of its repository.
fn leaves(folder: &str) -> bool {
    let mut depth = 0i64;
    for part in folder.split('/') {
        match part {
            "" | "." => {}
            ".." => depth -= 1,
            _ => depth += 1,
        }
        if depth < 0 {
            return true;
        }
    }
    false
}

/// The branch, tag or commit that a query names.
fn reference(query: &str) -> Option<String> {
    let mut version = None;
    let mut reference = None;
    for pair in query.split('&') {
        match pair.split_once('=') {
            Some(("ref", value)) if reference.is_none() => reference = Some(value),
            Some(("version", value)) if version.is_none() => version = Some(value),
            _ => {}
        }
    }
    reference
        .filter(|r| !r.is_empty())
        .or(version)
        .filter(|r| !r.is_empty())
        .map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        for (address, want) in [
            (
                "https://github.com/org/repo//a/b?ref=v1",
                Some(("https://github.com/org/repo", "a/b", Some("v1"))),
            ),
            (
                "github.com/org/repo/a?version=x",
                Some(("https://github.com/org/repo", "a", Some("x"))),
            ),
            (
                "git@github.com:org/repo.git/a",
                Some(("git@github.com:org/repo.git", "a", None)),
            ),
            (
                "ssh://git@example.com/org/repo",
                Some(("ssh://git@example.com/org/repo", "", None)),
            ),
            (
                "https://dev.azure.com/o/p/_git/repo/a/b",
                Some(("https://dev.azure.com/o/p/_git/repo", "a/b", None)),
            ),
            ("file:///srv/repo//a", Some(("file:///srv/repo", "a", None))),
            ("git::https://h/o/r", Some(("https://h/o/r", "", None))),
            ("../base", None),
            ("base", None),
            ("/abs/base", None),
            ("https://example.com/one", None),
            ("https://github.com/o/r//../x", None),
            ("example.com/org/repo", None),
        ] {
            let spec = RepoSpec::parse(address);
            let got = spec.as_ref().map(|s| {
                (
                    s.repository.as_str(),
                    s.folder.as_str(),
                    s.reference.as_deref(),
                )
            });
            assert_eq!(got, want, "{address}");
        }
    }

    #[test]
    fn files() {
        assert!(is_remote_file("https://example.com/a.yaml"));
        assert!(!is_remote_file("a.yaml"));
        assert!(!is_remote_file("ssh://example.com/a"));
    }
}
