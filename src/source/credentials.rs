//! Credentials: what Secrets, `.fluxwright.yaml` and the machine hold for a
//! source.
//!
//! They are the entries of Secrets under the names that Flux gives them,
//! wherever they come from. They are never printed: not by `Debug`, not in an
//! error.

use std::collections::BTreeMap;

use crate::diag::{Error, Result};

/// Entries of Secrets by name.
#[derive(Clone, Default)]
pub struct Credentials {
    entries: BTreeMap<String, Vec<u8>>,
    proxy: BTreeMap<String, Vec<u8>>,
}

/// A proxy and who may use it.
pub(super) struct Proxy {
    pub(super) address: String,
    pub(super) login: Option<(String, String)>,
}

/// What the address of a proxy looks like.
#[cfg(feature = "network")]
pub(super) const PROXY_FORMS: &str =
    "an address is `http://HOST:PORT`, `https://HOST:PORT` or `socks5://HOST:PORT`";

#[cfg(feature = "network")]
impl Proxy {
    /// The address with the login in it, as some libraries want it.
    pub(super) fn whole_address(&self) -> Result<String> {
        let Some((user, password)) = &self.login else {
            return Ok(self.address.clone());
        };
        let invalid = || {
            Error::new("source/credentials", "`address` of the proxy is no address")
                .help(PROXY_FORMS)
        };
        let mut url = reqwest::Url::parse(&self.address).map_err(|_| invalid())?;
        url.set_username(user)
            .and_then(|()| url.set_password(Some(password)))
            .map_err(|()| invalid())?;
        Ok(url.into())
    }
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.entries.keys()).finish()
    }
}

impl Credentials {
    /// Adds the entries of a Secret; those that are there stay.
    pub fn add(&mut self, entries: BTreeMap<String, Vec<u8>>) {
        for (name, value) in entries {
            self.entries.entry(name).or_insert(value);
        }
    }

    /// What is for the proxy, without the rest.
    pub(super) fn proxy_alone(self) -> Credentials {
        Credentials {
            entries: BTreeMap::new(),
            proxy: self.proxy,
        }
    }

    /// Adds the entries of a Secret for a proxy.
    pub fn add_proxy(&mut self, entries: BTreeMap<String, Vec<u8>>) {
        self.proxy.extend(entries);
    }

    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Whether there is more than certificates.
    pub(super) fn can_be_keys(&self) -> bool {
        const CERTIFICATES: [&str; 6] = [
            "ca.crt", "caFile", "tls.crt", "certFile", "tls.key", "keyFile",
        ];
        let mut names = self.entries.keys();
        names.any(|name| !CERTIFICATES.contains(&name.as_str()))
    }

    /// The first of these entries that is there.
    pub(super) fn entry(&self, names: &[&str]) -> Option<&[u8]> {
        names
            .iter()
            .find_map(|name| self.entries.get(*name))
            .map(Vec::as_slice)
    }

    fn text(&self, name: &str) -> Result<Option<&str>> {
        text(&self.entries, name)
    }

    /// Whether there is something to log in with.
    pub(super) fn can_log_in(&self) -> bool {
        ["username", "bearerToken", "identity", ".dockerconfigjson"]
            .iter()
            .any(|name| self.entries.contains_key(*name))
    }

    /// User and password.
    pub(super) fn login(&self) -> Result<Option<(&str, &str)>> {
        // Compat: a password may be there and empty, beside a token for a name.
        let password = match self.text("password")? {
            None if self.entries.contains_key("password") => Some(""),
            password => password,
        };
        match (self.text("username")?, password) {
            (Some(user), Some(password)) => Ok(Some((user, password))),
            (None, None | Some("")) => Ok(None),
            (user, _) => {
                let (there, missing) = match user {
                    Some(_) => ("username", "password"),
                    None => ("password", "username"),
                };
                // A password alone is that of an SSH key.
                if there == "password" && self.entries.contains_key("identity") {
                    return Ok(None);
                }
                Err(Error::new(
                    "source/credentials",
                    format!("the Secret has `{there}` and no `{missing}`"),
                )
                .help("a login needs both"))
            }
        }
    }

    /// What opens the SSH key.
    pub(super) fn passphrase(&self) -> Result<Option<&str>> {
        if self.entries.contains_key("identity") {
            return self.text("password");
        }
        Ok(None)
    }

    /// A token that stands for a login.
    pub(super) fn bearer_token(&self) -> Result<Option<&str>> {
        self.text("bearerToken")
    }

    /// Authorities that vouch for servers, in PEM.
    pub(super) fn authority(&self) -> Option<&[u8]> {
        self.entry(&["ca.crt", "caFile"])
    }

    /// The certificate to show to servers, and its key, in PEM.
    pub(super) fn client_certificate(&self) -> Result<Option<(&[u8], &[u8])>> {
        let certificate = self.entry(&["tls.crt", "certFile"]);
        let key = self.entry(&["tls.key", "keyFile"]);
        match (certificate, key) {
            (Some(certificate), Some(key)) => Ok(Some((certificate, key))),
            (None, None) => Ok(None),
            _ => Err(Error::new(
                "source/credentials",
                "the Secret has one of `tls.crt` and `tls.key`, and not the other",
            )
            .help("a client certificate needs both")),
        }
    }

    /// The proxy to go through.
    pub(super) fn proxy(&self) -> Result<Option<Proxy>> {
        if self.proxy.is_empty() {
            return Ok(None);
        }
        let Some(address) = text(&self.proxy, "address")? else {
            return Err(Error::new(
                "source/credentials",
                "the Secret of the proxy has no `address`",
            )
            .help("add one, such as `http://proxy.example.org:3128`"));
        };
        let login = match (
            text(&self.proxy, "username")?,
            text(&self.proxy, "password")?,
        ) {
            (Some(user), password) => {
                Some((user.to_owned(), password.unwrap_or_default().to_owned()))
            }
            (None, _) => None,
        };
        Ok(Some(Proxy {
            address: address.to_owned(),
            login,
        }))
    }

    /// The login for a repository, `HOST/PATH`, in a docker configuration file.
    pub(super) fn docker_login(&self, place: &str) -> Result<Option<(String, String)>> {
        if let Some(content) = self.entry(&[".dockerconfigjson", "config.json"]) {
            return super::docker::login(content, place);
        }
        match self.entry(&[".dockercfg"]) {
            Some(content) => super::docker::login_in_old_form(content, place),
            None => Ok(None),
        }
    }
}

fn text<'e>(entries: &'e BTreeMap<String, Vec<u8>>, name: &str) -> Result<Option<&'e str>> {
    let Some(bytes) = entries.get(name) else {
        return Ok(None);
    };
    // A line break at the end is never part of it.
    let text = std::str::from_utf8(bytes).map_err(|_| {
        Error::new(
            "source/credentials",
            format!("`{name}` in the Secret is not UTF-8"),
        )
    })?;
    Ok(Some(text.trim_end_matches(['\r', '\n'])).filter(|t| !t.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(entries: &[(&str, &str)]) -> Credentials {
        let mut credentials = Credentials::default();
        let entries = entries.iter();
        credentials.add(
            entries
                .map(|(k, v)| ((*k).to_owned(), v.as_bytes().to_vec()))
                .collect(),
        );
        credentials
    }

    #[test]
    fn debugging_shows_names_alone() {
        let credentials = of(&[("username", "alice"), ("password", "hunter2")]);
        assert_eq!(format!("{credentials:?}"), r#"{"password", "username"}"#);
    }

    #[test]
    fn logins() {
        let both = of(&[("username", "alice\n"), ("password", "p")]);
        assert_eq!(both.login().unwrap(), Some(("alice", "p")));
        let error = of(&[("username", "alice")]).login().unwrap_err();
        assert_eq!(
            error.message(),
            "the Secret has `username` and no `password`"
        );
        assert!(
            of(&[("identity", "k"), ("password", "p")])
                .login()
                .unwrap()
                .is_none()
        );
        assert!(of(&[("tls.crt", "c")]).client_certificate().is_err());
    }

    #[test]
    fn docker_configurations() {
        let config = r#"{"auths": {
            "https://index.docker.io/v1/": {"auth": "YTpiOmM="},
            "ghcr.io": {"username": "u", "password": "p"},
            "empty.example": {},
            "*.cr.example": {"username": "any", "password": "p"},
            "paths.example": {"username": "all", "password": "p"},
            "https://paths.example/v2/org/": {"username": "org", "password": "p"}
        }}"#;
        let credentials = of(&[(".dockerconfigjson", config)]);
        let login = |registry| credentials.docker_login(registry).unwrap();
        let pair = |a: &str, b: &str| Some((a.to_owned(), b.to_owned()));
        assert_eq!(login("docker.io"), pair("a", "b:c"));
        assert_eq!(login("ghcr.io"), pair("u", "p"));
        assert_eq!(login("quay.io"), None);
        assert_eq!(login("empty.example"), None);
        assert_eq!(login("a.cr.example/x"), pair("any", "p"));
        assert_eq!(login("a.b.cr.example"), None);
        assert_eq!(login("paths.example/org/app"), pair("org", "p"));
        assert_eq!(login("paths.example/other"), pair("all", "p"));
        let old = r#"{"quay.io": {"auth": "YTpiOmM="}}"#;
        let old = of(&[(".dockercfg", old)]).docker_login("quay.io/x");
        assert_eq!(old.unwrap(), pair("a", "b:c"));
        let error = of(&[(".dockerconfigjson", "{")])
            .docker_login("x")
            .unwrap_err();
        assert_eq!(error.rule(), "source/credentials");
    }
}
