//! The resource that objects of a kind are called by in rules.

use std::borrow::Cow;

/// The name of a resource, and whether it is certain.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Resource<'a> {
    /// In lower case and the plural: `networkpolicies`.
    pub name: Cow<'a, str>,
    /// Whether it is known rather than made from the kind by the usual rule.
    /// A definition is free to choose another name.
    pub certain: bool,
}

impl<'a> Resource<'a> {
    /// A name that a definition gives.
    pub fn named(name: &'a str) -> Resource<'a> {
        Resource {
            name: Cow::Borrowed(name),
            certain: true,
        }
    }

    /// The name that kinds usually have. It is right for every kind of
    /// Kubernetes and Flux; `certain` says whether the kind is one of theirs.
    pub fn usual(kind: &str, certain: bool) -> Resource<'static> {
        Resource {
            name: Cow::Owned(plural(kind)),
            certain,
        }
    }

    /// The names that it may have: one if it is certain.
    pub fn candidates(&self) -> Vec<Cow<'_, str>> {
        let mut names = vec![Cow::Borrowed(&*self.name)];
        if self.certain {
            return names;
        }
        let singular = singular(&self.name);
        let stem = singular.strip_suffix('y');
        let others = [
            Some(singular.clone()),
            Some(format!("{singular}s")),
            Some(format!("{singular}es")),
            stem.map(|stem| format!("{stem}ies")),
        ];
        for other in others.into_iter().flatten() {
            if !names.contains(&Cow::Borrowed(&*other)) {
                names.push(Cow::Owned(other));
            }
        }
        names
    }
}

/// The plural of a kind, in lower case.
fn plural(kind: &str) -> String {
    let lower = kind.to_lowercase();
    let ends = |ends: &[&str]| ends.iter().any(|end| lower.ends_with(end));
    // The one kind of Kubernetes whose name is a plural.
    if lower == "endpoints" {
        return lower;
    }
    if ends(&["s", "x", "z", "ch", "sh"]) {
        return lower + "es";
    }
    match lower.strip_suffix('y') {
        Some(stem) if !stem.ends_with(['a', 'e', 'i', 'o', 'u']) => format!("{stem}ies"),
        _ => lower + "s",
    }
}

fn singular(plural: &str) -> String {
    if let Some(stem) = plural.strip_suffix("ies") {
        return format!("{stem}y");
    }
    let sibilant = |stem: &&str| {
        ["s", "x", "z", "ch", "sh"]
            .iter()
            .any(|end| stem.ends_with(end))
    };
    plural
        .strip_suffix("es")
        .filter(sibilant)
        .or(plural.strip_suffix('s'))
        .unwrap_or(plural)
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plurals_of_known_kinds() {
        for (kind, resource) in [
            ("Deployment", "deployments"),
            ("NetworkPolicy", "networkpolicies"),
            ("Ingress", "ingresses"),
            ("IngressClass", "ingressclasses"),
            ("Endpoints", "endpoints"),
            ("EndpointSlice", "endpointslices"),
            ("OCIRepository", "ocirepositories"),
            ("Gateway", "gateways"),
            ("IPAddress", "ipaddresses"),
            ("CSIStorageCapacity", "csistoragecapacities"),
            ("Prometheus", "prometheuses"),
        ] {
            assert_eq!(Resource::usual(kind, true).name, resource);
        }
    }

    #[test]
    fn a_guess_may_be_another() {
        let names = |kind| Resource::usual(kind, false).candidates().join(" ");
        assert_eq!(names("Gateway"), "gateways gateway gatewayes gatewaies");
        assert_eq!(names("Redis"), "redises redis rediss");
        assert_eq!(Resource::named("sheep").candidates(), ["sheep"]);
    }
}
