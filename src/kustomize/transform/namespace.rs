//! The namespace of everything that has one.
//!
//! Compat: `filters/namespace`, `NamespaceTransformer.go` of kustomize.

use foldhash::{HashMap, HashMapExt as _};

use super::Transform;
use super::labels::resource_ref;
use crate::diag::{Error, Result};
use crate::kustomize::build::Context;
use crate::kustomize::config::Specs;
use crate::kustomize::fields::{self, As, Kind};
use crate::kustomize::fieldspec::{self, Create, FieldSpec};
use crate::kustomize::file::Text;
use crate::kustomize::id::Id;
use crate::kustomize::links::Links;
use crate::kustomize::resmap::ResMap;
use crate::yaml::{Node, Tag};

/// Which subjects of role bindings get the namespace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::kustomize) enum Subjects {
    /// Those named `default`.
    #[default]
    Default,
    /// All service accounts.
    ServiceAccounts,
    None,
}

impl Subjects {
    /// Reads the name of a mode.
    ///
    /// # Errors
    ///
    /// `kustomize/invalid-field` for an unknown one.
    pub(in crate::kustomize) fn read(text: &Text) -> Result<Subjects> {
        match &**text {
            "" | "defaultOnly" => Ok(Subjects::Default),
            "allServiceAccounts" => Ok(Subjects::ServiceAccounts),
            "none" => Ok(Subjects::None),
            other => Err(Error::new(
                "kustomize/invalid-field",
                format!("`setRoleBindingSubjects` cannot be `{other}`"),
            )
            .at(text.span)
            .help("write `defaultOnly`, `allServiceAccounts` or `none`")),
        }
    }
}

/// Sets namespaces.
pub(in crate::kustomize) struct Namespace {
    pub(in crate::kustomize) name: Text,
    pub(in crate::kustomize) fields: Specs,
    /// Whether only what is empty is set.
    pub(in crate::kustomize) unset_only: bool,
    pub(in crate::kustomize) subjects: Subjects,
}

impl Namespace {
    pub(in crate::kustomize) fn new(namespace: &Text, fields: Specs) -> Namespace {
        Namespace {
            name: namespace.clone(),
            fields,
            unset_only: false,
            subjects: Subjects::Default,
        }
    }

    fn set(&self, node: &mut Node, links: &mut Links) -> Result<()> {
        if self.unset_only
            && !node.is_null_or_empty()
            && node.text().is_some_and(|text| !text.is_empty())
        {
            return Ok(());
        }
        let text = self.name.text.clone();
        fields::set_text(node, text, As::String, self.name.span, links)
    }

    fn create(&self, tag: Option<Tag>) -> Create {
        Create {
            kind: Kind::Scalar,
            tag,
            span: self.name.span,
        }
    }

    /// Sets all namespaces in an object.
    pub(in crate::kustomize) fn set_all(
        &self,
        node: &mut Node,
        id: &Id,
        links: &mut Links,
    ) -> Result<()> {
        if !id.is_cluster_scoped {
            let spec = FieldSpec::of_all("metadata/namespace", true);
            let create = Some(self.create(None));
            fieldspec::apply(node, &spec, create, links, &mut |n, l| self.set(n, l))?;
        }
        let is_binding = matches!(&*id.gvk.kind, "RoleBinding" | "ClusterRoleBinding");
        if is_binding {
            self.set_subjects(node, links)?;
        }
        let api_version = node
            .get("apiVersion")
            .and_then(Node::text)
            .unwrap_or_default();
        let is_core = api_version == "v1";
        for spec in self.fields.iter() {
            let is_done = spec.path == "metadata/namespace"
                || (spec.path == "metadata/name" && !is_core)
                || (is_binding
                    && matches!(&*spec.gvk.kind, "RoleBinding" | "ClusterRoleBinding")
                    && spec.path == "subjects/namespace");
            if !is_done {
                let create = Some(self.create(Some(Tag::Str)));
                fieldspec::apply(node, spec, create, links, &mut |n, l| self.set(n, l))?;
            }
        }
        Ok(())
    }

    /// Sets the namespace of subjects of a role binding.
    fn set_subjects(&self, node: &mut Node, links: &mut Links) -> Result<()> {
        let (field, value) = match self.subjects {
            Subjects::None => return Ok(()),
            Subjects::Default => ("name", "default"),
            Subjects::ServiceAccounts => ("kind", "ServiceAccount"),
        };
        let Some(subjects) = fields::lookup_mut(node, &["subjects"])? else {
            return Ok(());
        };
        fields::expect(subjects, Kind::Sequence)?;
        for subject in subjects.items_mut().into_iter().flatten() {
            let is_meant = match fields::get(subject, field)? {
                Some(node) => {
                    fields::expect(node, Kind::Scalar)?;
                    !node.is_null() && node.text() == Some(value)
                }
                None => false,
            };
            if is_meant {
                let span = self.name.span;
                let namespace =
                    fields::lookup_or_create(subject, &["namespace"], Kind::Scalar, span)?;
                if let Some(namespace) = namespace {
                    self.set(namespace, links)?;
                }
            }
        }
        Ok(())
    }
}

impl Transform for Namespace {
    fn transform(&self, map: &mut ResMap, context: &mut Context<'_>) -> Result<()> {
        if self.name.is_empty() {
            return Ok(());
        }
        let api = &context.api;
        let mut count: HashMap<Id, usize> = HashMap::with_capacity(map.as_slice().len());
        for resource in map.iter() {
            *count.entry(resource.current_id(api)).or_default() += 1;
        }
        for resource in map.iter_mut() {
            // Charts have been rendered for their namespace.
            if resource.is_empty() || resource.history.is_helm_generated {
                continue;
            }
            resource.store_previous_id(api)?;
            let id = resource.id(api).clone();
            resource
                .edit(|node, links| self.set_all(node, &id, links))
                .map_err(|e| e.object(resource_ref(resource.node())))?;
            let new = resource.id(api).clone();
            if let Some(n) = count.get_mut(&id) {
                *n = n.saturating_sub(1);
            }
            let same = count.entry(new.clone()).or_default();
            *same += 1;
            if *same > 1 {
                return Err(Error::new(
                    "kustomize/duplicate-id",
                    format!("in the namespace `{}` there are two of {new}", self.name),
                )
                .at(self.name.span)
                .object(new.to_object_ref())
                .help("give one of them another name, or build them apart"));
            }
        }
        Ok(())
    }
}
