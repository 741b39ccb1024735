//! ConfigMaps that pods cannot start without, and keys in them and in Secrets.

use super::missing::may_come_from_chart;
use crate::check::image::mutable::pod_spec;
use crate::check::subst::is_open;
use crate::check::{Applied, Out, View};
use crate::diag::{Severity, nearest};
use crate::yaml::Node;

/// What every namespace has.
const EVERYWHERE: &[&str] = &["kube-root-ca.crt", "openshift-service-ca.crt"];

pub(super) fn check(view: &View<'_>, out: &mut Out<'_>) {
    for applied in view.objects() {
        if applied.is_remote() || is_open(applied.namespace) {
            continue;
        }
        let Some((path, spec)) = pod_spec(applied) else {
            continue;
        };
        let pod = Pod {
            view,
            applied,
            path,
        };
        pod.containers(spec, out);
        pod.volumes(spec, out);
    }
}

struct Pod<'v, 'a> {
    view: &'v View<'a>,
    applied: &'v Applied<'a>,
    /// The way to its specification.
    path: String,
}

fn items<'n>(node: &'n Node, field: &str) -> &'n [Node] {
    node.get(field).map_or(&[][..], |n| n.target().items())
}

impl Pod<'_, '_> {
    fn containers(&self, spec: &Node, out: &mut Out<'_>) {
        for list in ["initContainers", "containers"] {
            for (i, container) in items(spec, list).iter().enumerate() {
                let container = container.target();
                for (j, variable) in items(container, "env").iter().enumerate() {
                    let Some(from) = variable.target().get("valueFrom").map(Node::target) else {
                        continue;
                    };
                    for (field, kind) in
                        [("configMapKeyRef", "ConfigMap"), ("secretKeyRef", "Secret")]
                    {
                        if let Some(reference) = from.get(field).map(Node::target) {
                            let path = format!("{list}/{i}/env/{j}/valueFrom/{field}");
                            let key = reference.get("key");
                            self.one(kind, reference, "name", key.as_slice(), &path, out);
                        }
                    }
                }
                for (j, source) in items(container, "envFrom").iter().enumerate() {
                    if let Some(reference) = source.target().get("configMapRef") {
                        let path = format!("{list}/{i}/envFrom/{j}/configMapRef");
                        self.one("ConfigMap", reference.target(), "name", &[], &path, out);
                    }
                }
            }
        }
    }

    fn volumes(&self, spec: &Node, out: &mut Out<'_>) {
        for (i, volume) in items(spec, "volumes").iter().enumerate() {
            self.volume(volume.target(), &format!("volumes/{i}"), out);
            let projected = volume.target().get("projected").map(Node::target);
            let sources = projected.map_or(&[][..], |p| items(p, "sources"));
            for (j, source) in sources.iter().enumerate() {
                let path = format!("volumes/{i}/projected/sources/{j}");
                self.volume(source.target(), &path, out);
            }
        }
    }

    fn volume(&self, volume: &Node, path: &str, out: &mut Out<'_>) {
        for (field, kind, name) in [
            ("configMap", "ConfigMap", "name"),
            ("secret", "Secret", "secretName"),
        ] {
            let Some(reference) = volume.get(field).map(Node::target) else {
                continue;
            };
            let name = if reference.get(name).is_some() {
                name
            } else {
                "name"
            };
            let keys = items(reference, "items").iter();
            let keys: Vec<&Node> = keys.filter_map(|item| item.target().get("key")).collect();
            self.one(
                kind,
                reference,
                name,
                &keys,
                &format!("{path}/{field}"),
                out,
            );
        }
    }

    /// Looks for an object and for keys in it.
    fn one(
        &self,
        kind: &str,
        reference: &Node,
        field: &str,
        keys: &[&Node],
        path: &str,
        out: &mut Out<'_>,
    ) {
        let optional = reference.get("optional").and_then(|n| n.target().as_bool());
        let Some(name) = reference.get(field).map(Node::target) else {
            return;
        };
        let text = name.text().unwrap_or_default();
        if optional == Some(true) || is_open(text) || EVERYWHERE.contains(&text) {
            return;
        }
        let namespace = self.applied.namespace;
        let path = format!("{}/{path}", self.path);
        let Some(object) = self.view.find("", kind, namespace, text) else {
            // Secrets are kept out of repositories; ConfigMaps may come from a
            // chart.
            let is_sure = kind == "ConfigMap"
                && !namespace.is_empty()
                && self.view.is_complete()
                && !may_come_from_chart(self.view, namespace);
            if is_sure {
                let here = self.view.of_kind("", kind);
                let here = here.filter(|other| other.namespace == namespace);
                let near = out
                    .may_look(self.view.count_of_kind("", kind))
                    .then(|| nearest(text, here.map(Applied::name)))
                    .flatten();
                out.push(
                    out.about(
                        self.applied,
                        name.span(),
                        format!(
                            "there is no {kind} `{namespace}/{text}`, and the pods wait for it"
                        ),
                    )
                    // What an operator needs, it often makes itself.
                    .severity(if self.applied.is_of_foreign_chart() {
                        Severity::Info
                    } else {
                        Severity::Warning
                    })
                    .path(format!("{path}/{field}"))
                    .help(match near {
                        Some(near) => format!("did you mean `{near}`?"),
                        None => format!("add the {kind}, or say `optional: true`"),
                    }),
                );
            }
            return;
        };
        let known: Vec<&str> = ["data", "stringData", "binaryData"]
            .iter()
            .filter_map(|field| object.at(&[field]))
            .flat_map(Node::entries)
            .filter_map(|entry| entry.key.text())
            .collect();
        for key in keys.iter().map(|key| key.target()) {
            let wanted = key.text().unwrap_or_default();
            if known.contains(&wanted) || is_open(wanted) || known.iter().any(|key| is_open(key)) {
                continue;
            }
            out.push(
                out.about(
                    self.applied,
                    key.span(),
                    format!("the {kind} `{namespace}/{text}` has no key `{wanted}`"),
                )
                .severity(Severity::Warning)
                .path(path.clone())
                .help(match nearest(wanted, known.iter().copied()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("its keys are `{}`", known.join("`, `")),
                }),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::check::example::testing::found;

    /// What is missing for a pod with this specification, beside a ConfigMap
    /// with the key `a`.
    fn missing(spec: &str) -> Vec<String> {
        found(
            "ref/missing",
            &format!(
                "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: settings\n  namespace: \
                 web\ndata:\n  a: b\n---\napiVersion: v1\nkind: Pod\nmetadata:\n  name: web\n  namespace: \
                 web\nspec:\n  containers:\n  - name: web\n    image: web:1\n{spec}"
            ),
        )
    }

    #[test]
    fn pods_need_their_config_maps() {
        let variable = |name: &str, key: &str, more: &str| {
            missing(&format!(
                "    env:\n    - name: A\n      valueFrom:\n        configMapKeyRef:\n          name: \
                 {name}\n          key: {key}\n{more}"
            ))
        };
        assert_eq!(variable("settings", "a", ""), [""; 0]);
        assert_eq!(
            variable("setting", "a", ""),
            [
                "warning clusters/prod/example.yaml:22:17 there is no ConfigMap `web/setting`, and the \
                 pods wait for it"
            ]
        );
        assert_eq!(
            variable("settings", "b", ""),
            [
                "warning clusters/prod/example.yaml:23:16 the ConfigMap `web/settings` has no key `b`"
            ]
        );
        assert_eq!(variable("x", "b", "          optional: true\n"), [""; 0]);
        assert_eq!(
            missing("    envFrom:\n    - configMapRef: {name: x}\n").len(),
            1
        );
        let volume = |volume: &str| missing(&format!("  volumes:\n  - name: v\n    {volume}\n"));
        assert_eq!(volume("configMap: {name: x}").len(), 1);
        assert_eq!(volume("configMap: {name: kube-root-ca.crt}"), [""; 0]);
        assert_eq!(
            volume("configMap: {name: settings, items: [{key: x, path: x}]}").len(),
            1
        );
        assert_eq!(volume("secret: {secretName: x}"), [""; 0]);
        assert_eq!(
            volume("projected: {sources: [{configMap: {name: x}}]}").len(),
            1
        );
    }
}
