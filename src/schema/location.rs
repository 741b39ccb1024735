//! Where the JSON schemas of kinds lie, by a pattern for their paths.
//!
//! Compat: kubeconform's `-schema-location`, for folders.

use std::str::FromStr;

use super::version::KubernetesVersion;

/// A pattern for the paths of schemas.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Field(Field),
}

/// What stands in braces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    /// The group; of the core group its version.
    Group,
    /// The kind in lower case.
    ResourceKind,
    /// The version.
    ResourceApiVersion,
    /// `-apps-v1`: the first part of the group, and the version.
    KindSuffix,
    /// `v1.36.0`
    NormalizedKubernetesVersion,
    /// `-strict`
    StrictSuffix,
}

const FIELDS: [(&str, Field); 6] = [
    (".Group", Field::Group),
    (".ResourceKind", Field::ResourceKind),
    (".ResourceAPIVersion", Field::ResourceApiVersion),
    (".KindSuffix", Field::KindSuffix),
    (
        ".NormalizedKubernetesVersion",
        Field::NormalizedKubernetesVersion,
    ),
    (".StrictSuffix", Field::StrictSuffix),
];

/// What a folder alone is completed by.
const LAYOUT: &str = "/{{ .NormalizedKubernetesVersion }}-standalone{{ .StrictSuffix }}/\
                      {{ .ResourceKind }}{{ .KindSuffix }}.json";

impl Location {
    /// The path of the schema of a kind.
    pub fn path(&self, api_version: &str, kind: &str, version: KubernetesVersion) -> String {
        let (group, version_of_group) = match api_version.split_once('/') {
            Some((group, version)) => (group, Some(version)),
            None => (api_version, None),
        };
        let mut path = String::new();
        for part in &self.0 {
            match part {
                Part::Text(text) => path.push_str(text),
                Part::Field(Field::Group) => path.push_str(group),
                Part::Field(Field::ResourceKind) => path.push_str(&kind.to_lowercase()),
                Part::Field(Field::ResourceApiVersion) => {
                    path.push_str(version_of_group.unwrap_or(group));
                }
                Part::Field(Field::KindSuffix) => {
                    let first = group.split('.').next().unwrap_or_default();
                    path.push_str(&format!("-{}", first.to_lowercase()));
                    if let Some(version) = version_of_group {
                        path.push_str(&format!("-{}", version.to_lowercase()));
                    }
                }
                Part::Field(Field::NormalizedKubernetesVersion) => {
                    path.push_str(&format!("v{version}.0"));
                }
                Part::Field(Field::StrictSuffix) => path.push_str("-strict"),
            }
        }
        path
    }
}

impl FromStr for Location {
    type Err = String;

    fn from_str(text: &str) -> Result<Location, String> {
        if text.starts_with("http://") || text.starts_with("https://") {
            return Err("schemas are read from folders: fetch them first".to_owned());
        }
        let whole = if text.ends_with("json") {
            text.to_owned()
        } else {
            format!("{}{LAYOUT}", text.trim_end_matches('/'))
        };
        let mut parts = Vec::new();
        let mut rest = &*whole;
        while let Some((before, after)) = rest.split_once("{{") {
            parts.push(Part::Text(before.to_owned()));
            let (inside, after) = after
                .split_once("}}")
                .ok_or_else(|| "`{{` is not closed".to_owned())?;
            let name = inside.trim();
            let field = FIELDS.iter().find(|(known, _)| *known == name);
            let (_, field) = field.ok_or_else(|| {
                let known: Vec<&str> = FIELDS.iter().map(|(known, _)| *known).collect();
                format!("there is no `{name}`: one of {}", known.join(", "))
            })?;
            parts.push(Part::Field(*field));
            rest = after;
        }
        parts.push(Part::Text(rest.to_owned()));
        Ok(Location(parts))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_kubeconform_s() {
        // From kubeconform v0.7.0, schemaPath with strict, version 1.36.0.
        let path = |template: &str, api_version, kind| {
            let location: Location = template.parse().unwrap();
            location.path(api_version, kind, "1.36".parse().unwrap())
        };
        assert_eq!(
            path("s", "networking.k8s.io/v1", "NetworkPolicy"),
            "s/v1.36.0-standalone-strict/networkpolicy-networking-v1.json"
        );
        assert_eq!(
            path("s/", "v1", "Pod"),
            "s/v1.36.0-standalone-strict/pod-v1.json"
        );
        let catalog = "c/{{.Group}}/{{ .ResourceKind }}_{{.ResourceAPIVersion}}.json";
        assert_eq!(
            path(catalog, "cert-manager.io/v1", "Certificate"),
            "c/cert-manager.io/certificate_v1.json"
        );
        assert_eq!(path(catalog, "v1", "Pod"), "c/v1/pod_v1.json");
    }

    #[test]
    fn wrong_patterns_are_refused() {
        for (text, message) in [
            ("a/{{ .Kind }}.json", "there is no `.Kind`"),
            ("a/{{ .Group.json", "`{{` is not closed"),
            ("https://example.org/{{ .Group }}.json", "fetch them first"),
        ] {
            let error = text.parse::<Location>().unwrap_err();
            assert!(error.contains(message), "{error}");
        }
    }
}
