//! What a source asks for.

use std::collections::BTreeMap;

use super::{ChartRequest, Request};
use crate::flux::api::{ChartSpec, Source, SourceSpec};

impl Request {
    /// The request of a source: what decides its content, and nothing else.
    /// `ignore`, `include` and the choice of a layer are applied to the content
    /// whenever it is read, so changing them asks for nothing new.
    pub fn of(source: &Source) -> Request {
        let mut reference = BTreeMap::new();
        let mut set = |key: &str, value: &str| {
            if !value.is_empty() {
                reference.insert(key.to_owned(), value.to_owned());
            }
        };
        match &source.spec {
            SourceSpec::Git(git) => {
                for (key, value) in &git.reference {
                    set(key, value);
                }
                if git.recurse_submodules {
                    set("recurseSubmodules", "true");
                }
            }
            SourceSpec::Oci(oci) => {
                for (key, value) in &oci.reference {
                    set(key, value);
                }
            }
            SourceSpec::Bucket(bucket) => {
                set("bucketName", &bucket.bucket);
                set("region", &bucket.region);
                set("prefix", &bucket.prefix);
            }
            SourceSpec::Helm(_) => {}
        }
        Request {
            source: source.id.clone(),
            url: without_password(&source.url),
            reference,
        }
    }
}

impl ChartRequest {
    /// The request of a chart.
    pub fn of(spec: &ChartSpec) -> ChartRequest {
        ChartRequest {
            name: spec.chart.text().unwrap_or_default().to_owned(),
            range: spec.version.to_string(),
        }
    }
}

/// An address without the password that some write into it; over HTTP a name
/// that stands alone is a token, and left out as well.
pub fn without_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return url.to_owned();
    };
    let authority = rest.split('/').next().unwrap_or(rest);
    let Some((user, host)) = authority.rsplit_once('@') else {
        return url.to_owned();
    };
    let path = rest.get(authority.len()..).unwrap_or_default();
    let Some((name, _)) = user.split_once(':') else {
        let is_http = scheme.eq_ignore_ascii_case("https") || scheme.eq_ignore_ascii_case("http");
        return if is_http {
            format!("{scheme}://{host}{path}")
        } else {
            url.to_owned()
        };
    };
    format!("{scheme}://{name}@{host}{path}")
}

#[cfg(test)]
mod tests {
    use super::without_password;

    #[test]
    fn passwords_are_left_out() {
        for (url, want) in [
            ("https://u:p@h/x", "https://u@h/x"),
            ("https://u:p@q@h", "https://u@h"),
            ("https://token@h/x", "https://h/x"),
            ("https://h/u:p@x", "https://h/u:p@x"),
            ("ssh://git@h:22/x", "ssh://git@h:22/x"),
            ("git@h:x", "git@h:x"),
        ] {
            assert_eq!(without_password(url), want);
        }
    }
}
