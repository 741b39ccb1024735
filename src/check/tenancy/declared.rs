//! Tenants that `.fluxwright.yaml` declares.

use std::collections::{BTreeMap, BTreeSet};

use crate::check::place::{Place, glob};
use crate::config::Config;
use crate::diag::{Error, Result};
use crate::gostd::glob::Glob;
use crate::rbac::Subject;
use crate::resource::ResId;

/// A tenant that is declared.
#[derive(Debug)]
pub(in crate::check) struct Declared {
    /// Its name.
    pub(in crate::check) name: String,
    /// The patterns of its namespaces, as they are written.
    pub(super) written: Vec<String>,
    namespaces: Vec<Glob>,
    paths: Vec<Place>,
    objects: Vec<Glob>,
}

/// The tenants of the settings.
///
/// # Errors
///
/// `config/invalid` for a pattern that is none, a tenant that owns nothing,
/// and one name or namespace for two.
pub(in crate::check) fn read(config: &Config) -> Result<Vec<Declared>> {
    let invalid = |message: String| Error::new("config/invalid", message);
    let mut names: BTreeSet<&str> = BTreeSet::new();
    let mut owners: BTreeMap<&str, &str> = BTreeMap::new();
    let mut found = Vec::new();
    for tenant in &config.tenants {
        let name = &*tenant.name;
        if !names.insert(name) {
            return Err(invalid(format!("the tenant `{name}` is declared twice"))
                .help("put what both say into one entry"));
        }
        if tenant.namespaces.is_empty() && tenant.paths.is_empty() && tenant.objects.is_empty() {
            return Err(invalid(format!("the tenant `{name}` owns nothing"))
                .help("give it `namespaces`, `paths` or `objects`"));
        }
        for namespace in &tenant.namespaces {
            if let Some(other) = owners.insert(namespace, name) {
                return Err(invalid(format!(
                    "the namespace `{namespace}` belongs to `{other}` and to `{name}`"
                ))
                .help("a namespace has one owner"));
            }
        }
        let globs = |patterns: &[String]| -> Result<Vec<Glob>> {
            patterns.iter().map(|p| glob(p)).collect()
        };
        found.push(Declared {
            name: name.to_owned(),
            written: tenant.namespaces.clone(),
            namespaces: globs(&tenant.namespaces)?,
            paths: tenant
                .paths
                .iter()
                .map(|p| Place::new(p))
                .collect::<Result<_>>()?,
            objects: globs(&tenant.objects)?,
        });
    }
    Ok(found)
}

impl Declared {
    /// Whether a namespace is the tenant's.
    pub(in crate::check) fn owns(&self, namespace: &str) -> bool {
        self.namespaces.iter().any(|glob| glob.is_match(namespace))
    }

    /// Whether namespaces are declared: then all others are somebody else's.
    pub(in crate::check) fn has_namespaces(&self) -> bool {
        !self.namespaces.is_empty()
    }

    /// Whether a Kustomization or HelmRelease, written in a file, is the
    /// tenant's.
    pub(in crate::check) fn brings(&self, id: &ResId, file: Option<&str>) -> bool {
        let name = format!("{}/{}", id.namespace, id.name);
        self.owns(&id.namespace)
            || self.objects.iter().any(|glob| glob.is_match(&name))
            || file.is_some_and(|file| self.paths.iter().any(|place| place.holds(file)))
    }

    /// Whether an account is one of the tenant's namespaces.
    pub(in crate::check) fn has_account(&self, subject: &Subject) -> bool {
        matches!(subject, Subject::ServiceAccount { namespace, .. } if self.owns(namespace))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::FileId;

    fn told(text: &str) -> String {
        let config = Config::parse(text, FileId::default()).unwrap();
        read(&config).unwrap_err().to_string()
    }

    #[test]
    fn settings_that_contradict_each_other_are_refused() {
        assert_eq!(
            told("tenants: [{name: a, namespaces: [x]}, {name: b, namespaces: [x]}]"),
            "the namespace `x` belongs to `a` and to `b`"
        );
        assert_eq!(
            told("tenants: [{name: a, paths: [x]}, {name: a, paths: [y]}]"),
            "the tenant `a` is declared twice"
        );
        assert_eq!(told("tenants: [{name: a}]"), "the tenant `a` owns nothing");
        assert!(told("tenants: [{name: a, namespaces: ['[a']}]").contains("is no pattern"));
    }
}
