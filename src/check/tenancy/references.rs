//! References to other namespaces: of tenants, and of anybody where Flux is
//! told to refuse them.

use std::collections::BTreeSet;

use super::Tenant;
use crate::check::{Applied, Out, View};
use crate::diag::{ObjectRef, Severity};
use crate::flux::api::{EXTENSIONS, IMAGE, NOTIFICATION};
use crate::pipeline::cluster::{Unit, UnitKind};
use crate::yaml::Node;

/// A kind whose objects name others: its group, the controller that looks
/// them up, the field, and what it is that is named.
struct Naming {
    group: &'static str,
    kind: &'static str,
    controller: &'static str,
    field: &'static str,
    what: &'static str,
}

/// Compat: the controllers with `--no-cross-namespace-refs`; what a
/// Kustomization depends on may be anywhere.
const KINDS: [Naming; 5] = [
    Naming {
        group: NOTIFICATION,
        kind: "Alert",
        controller: "notification-controller",
        field: "eventSources",
        what: "events",
    },
    Naming {
        group: NOTIFICATION,
        kind: "Receiver",
        controller: "notification-controller",
        field: "resources",
        what: "objects",
    },
    Naming {
        group: IMAGE,
        kind: "ImagePolicy",
        controller: "image-reflector-controller",
        field: "imageRepositoryRef",
        what: "its images",
    },
    Naming {
        group: IMAGE,
        kind: "ImageUpdateAutomation",
        controller: "image-automation-controller",
        field: "sourceRef",
        what: "its source",
    },
    Naming {
        group: EXTENSIONS,
        kind: "ArtifactGenerator",
        controller: "source-watcher",
        field: "sources",
        what: "its source",
    },
];

/// A reference that leads out of the namespace of its object.
struct Reference<'n> {
    object: ObjectRef,
    /// Where it names the other namespace, and the JSON pointer to that.
    node: &'n Node,
    pointer: String,
    controller: &'static str,
    what: &'static str,
}

pub(super) fn check(view: &View<'_>, tenants: &[Tenant<'_, '_>], out: &mut Out<'_>) {
    for unit in &view.cluster.units {
        let tenant = tenants.iter().find(|t| std::ptr::eq(t.unit, unit));
        if let Some(reference) = of_unit(unit) {
            tell(view, &reference, tenant.map(|t| &*t.name), out);
        }
    }
    // What a tenant's account brings is the tenant's, wherever it lies.
    let by_tenants: BTreeSet<*const Unit> =
        tenants.iter().map(|t| std::ptr::from_ref(t.unit)).collect();
    for naming in &KINDS {
        for applied in view.of_kind(naming.group, naming.kind) {
            let unit = applied.unit.map(std::ptr::from_ref);
            let of_unit = unit.filter(|unit| by_tenants.contains(unit)).and_then(|_| {
                let tenant = tenants
                    .iter()
                    .find(|t| applied.unit.is_some_and(|unit| std::ptr::eq(t.unit, unit)));
                tenant.map(|tenant| &*tenant.name)
            });
            let tenant = of_unit.or_else(|| super::of_namespace(view, applied.namespace));
            for reference in of_object(applied, naming) {
                tell(view, &reference, tenant, out);
            }
        }
    }
}

/// The reference to the source of a unit, if it leads elsewhere.
fn of_unit(unit: &Unit) -> Option<Reference<'_>> {
    let paths: [&[&str]; 3] = [
        &["spec", "sourceRef", "namespace"],
        &["spec", "chartRef", "namespace"],
        &["spec", "chart", "spec", "sourceRef", "namespace"],
    ];
    let mut found = paths.iter().filter_map(|path| {
        let node = unit.object.at_path(path)?.target();
        leads_out(node, &unit.id.namespace).then(|| (node, format!("/{}", path.join("/"))))
    });
    let (node, pointer) = found.next()?;
    Some(Reference {
        object: unit.id.to_object_ref(),
        node,
        pointer,
        controller: match unit.kind {
            UnitKind::Kustomization => "kustomize-controller",
            UnitKind::HelmRelease => "helm-controller",
        },
        what: "its source",
    })
}

/// The references of another object that lead elsewhere.
fn of_object<'n>(applied: &Applied<'n>, naming: &Naming) -> Vec<Reference<'n>> {
    let Some(field) = applied.at(&["spec", naming.field]) else {
        return Vec::new();
    };
    let single = field.is_mapping().then_some(field);
    let items = field.items().iter().map(Node::target).chain(single);
    let named = items.enumerate().filter_map(|(index, item)| {
        let node = item.get("namespace")?.target();
        let within = match single {
            Some(_) => String::new(),
            None => format!("/{index}"),
        };
        leads_out(node, applied.namespace).then(|| Reference {
            object: applied.reference(),
            node,
            pointer: format!("/spec/{}{within}/namespace", naming.field),
            controller: naming.controller,
            what: naming.what,
        })
    });
    named.collect()
}

fn leads_out(node: &Node, namespace: &str) -> bool {
    let text = node.text().unwrap_or_default();
    !text.is_empty() && text != namespace
}

fn tell(view: &View<'_>, reference: &Reference<'_>, tenant: Option<&str>, out: &mut Out<'_>) {
    let text = reference.node.text().unwrap_or_default();
    let own = reference.object.namespace.clone();
    let finding = |message: String| {
        out.about_object(reference.object.clone(), reference.node.span(), message)
            .path(reference.pointer.clone())
            .help(format!("refer to something in `{own}`, and bring it there"))
    };
    let controller = reference.controller;
    let what = reference.what;
    let finding = if view.access().controllers.confines(controller) {
        finding(format!(
            "{controller} runs with `--no-cross-namespace-refs` and refuses {} in the namespace \
             `{text}`",
            what.replace("its ", "a ")
        ))
    } else if let Some(tenant) = tenant {
        finding(format!(
            "the tenant `{tenant}` takes {what} from the namespace `{text}`"
        ))
        .severity(Severity::Warning)
    } else {
        return;
    };
    out.push(finding);
}
