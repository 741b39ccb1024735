//! Two renderings from manifests, and what is said of them.

use std::fmt::Write as _;

use super::*;
use crate::diag::{Error, SourceMap};
use crate::pipeline::cluster::{Object, UnitKind};
use crate::resource::{Gvk, ResId};
use crate::yaml;

/// A side: owners with manifests; a text that begins with `!` is an error.
fn side(units: &[(&str, &str)], sources: &SourceMap) -> Rendering {
    let mut cluster = rendering::Cluster::default();
    for (name, text) in units {
        let mut parts = name.split(' ');
        let (kind, name) = parts
            .next()
            .and_then(|full| full.split_once('/'))
            .expect("KIND/NAME");
        let words: Vec<&str> = parts.collect();
        let (kind, group) = match kind {
            "HelmRelease" => (UnitKind::HelmRelease, "helm.toolkit.fluxcd.io/v2"),
            _ => (UnitKind::Kustomization, "kustomize.toolkit.fluxcd.io/v1"),
        };
        let id = |name: &str| ResId {
            gvk: Gvk::new(
                group,
                match kind {
                    UnitKind::HelmRelease => "HelmRelease",
                    UnitKind::Kustomization => "Kustomization",
                },
            ),
            namespace: "flux-system".into(),
            name: name.into(),
        };
        let parent = words.iter().find_map(|w| w.strip_prefix("of="));
        let owner = Owner {
            parent: parent.map(id),
            suspended: words.contains(&"suspended"),
            namespace: words
                .iter()
                .find_map(|w| w.strip_prefix("namespace="))
                .map(Into::into),
            prunes: !words.contains(&"keeps"),
            takes_along: words.contains(&"takes-along")
                || !["keeps", "leaves", "suspended"]
                    .iter()
                    .any(|word| words.contains(word)),
            forces: words.contains(&"forces"),
            ..Owner::new(kind, id(name), rendering::Flags::default())
        };
        let outcome = if let Some(message) = text.strip_prefix('!') {
            Err(Failure::of(&Error::new("ref/missing", message), sources))
        } else {
            let file = sources.add("a.yaml", *text);
            let documents = yaml::parse(text, file).unwrap();
            Ok(documents.into_iter().map(|d| Object::new(d.root)).collect())
        };
        cluster.units.push(Unit {
            owner: Some(owner),
            outcome,
            content: None,
        });
    }
    let mut rendering = Rendering::default();
    rendering.clusters.insert("blue".into(), cluster);
    rendering
}

pub(super) fn compared(old: &[(&str, &str)], new: &[(&str, &str)]) -> ClusterDifference {
    let sources = SourceMap::new();
    let (old, new) = (side(old, &sources), side(new, &sources));
    let mut difference = compare(&old, &new, &Comparison::default(), &sources);
    difference.clusters.remove(0)
}

/// What is said: objects with their fields, then findings.
pub(super) fn told(old: &[(&str, &str)], new: &[(&str, &str)]) -> String {
    let difference = compared(old, new);
    let mut text = String::new();
    for part in &difference.unrendered {
        writeln!(text, "! {part}").unwrap();
    }
    for object in &difference.objects {
        writeln!(text, "{:?} {}", object.action, object.id).unwrap();
        for change in &object.changes {
            let noise = change.noise.map_or("", Noise::name);
            let shown = |node: &Option<crate::yaml::Node>| {
                node.as_ref().map_or("-".to_owned(), align::canonical)
            };
            let (old, new) = (shown(&change.old), shown(&change.new));
            writeln!(text, "  {}: {old} → {new} {noise}", change.path).unwrap();
        }
    }
    for finding in &difference.findings {
        let object = finding.object.as_ref().unwrap();
        writeln!(
            text,
            "{}[{}] {object}: {}",
            finding.severity.name(),
            finding.rule,
            finding.message
        )
        .unwrap();
    }
    text.lines()
        .fold(String::new(), |text, line| text + line.trim_end() + "\n")
}

const DEPLOYMENT: &str = "\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  replicas: 3
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web, helm.sh/chart: web-1.0.0}}
    spec:
      containers:
      - name: web
        image: example.com/web:1.0@sha256:00
        env: [{name: A, value: '1'}, {name: B, value: '2'}]
        ports: [{containerPort: 80, protocol: TCP}]
";

#[test]
fn an_inserted_container_is_one_insertion() {
    let new = DEPLOYMENT.replace(
        "      - name: web\n",
        "      - name: proxy\n        image: example.com/proxy:2\n      - name: web\n",
    );
    insta::assert_snapshot!(told(&[("Kustomization/apps", DEPLOYMENT)], &[("Kustomization/apps", &new)]), @r#"
    Changed Deployment/shop/web
      spec.template.spec.containers[name=proxy]: - → {"image":"example.com/proxy:2","name":"proxy"}
    info[change/restart] Deployment/shop/web: its 3 pods are replaced: `spec.template.spec.containers[name=proxy]` changes
    "#);
}

#[test]
fn moved_keys_and_other_spellings_are_no_difference() {
    let new = "\
kind: Deployment
apiVersion: apps/v1
spec:
  selector: {matchLabels: {app: web}}
  replicas: 0x3
  template:
    spec:
      containers:
      - image: 'example.com/web:1.0@sha256:00'
        ports: [{protocol: TCP, containerPort: 80}]
        env:
        - {value: '1', name: A}
        - {value: \"2\", name: B}
        name: web
    metadata: {labels: {helm.sh/chart: web-1.0.0, app: web}}
metadata: {namespace: shop, name: web}
";
    assert_eq!(
        told(
            &[("Kustomization/apps", DEPLOYMENT)],
            &[("Kustomization/apps", new)]
        ),
        ""
    );
}

#[test]
fn noise_is_told_apart_and_images_are_told() {
    let new = DEPLOYMENT
        .replace("web-1.0.0", "web-1.1.0")
        .replace("web:1.0@sha256:00", "web:1.1")
        .replace("replicas: 3", "replicas: 0")
        .replace(
            "{name: A, value: '1'}, {name: B, value: '2'}",
            "{name: B, value: '2'}, {name: A, value: '1'}",
        );
    insta::assert_snapshot!(told(&[("HelmRelease/web", DEPLOYMENT)], &[("HelmRelease/web", &new)]), @r#"
    Changed Deployment/shop/web
      spec.replicas: 3 → 0
      spec.template.metadata.labels["helm.sh/chart"]: "web-1.0.0" → "web-1.1.0" version label
      spec.template.spec.containers[name=web].image: "example.com/web:1.0@sha256:00" → "example.com/web:1.1"
      spec.template.spec.containers[name=web].env: [{"name":"A","value":"1"},{"name":"B","value":"2"}] → [{"name":"B","value":"2"},{"name":"A","value":"1"}]
    warning[change/image] Deployment/shop/web: container `web` moves from `example.com/web:1.0@sha256:00` to `example.com/web:1.1`, which has no digest any more
    warning[change/replicas] Deployment/shop/web: the number of pods changes from `3` to `0`
    "#);
    let label = DEPLOYMENT.replace("web-1.0.0", "web-1.1.0");
    let difference = compared(
        &[("HelmRelease/web", DEPLOYMENT)],
        &[("HelmRelease/web", &label)],
    );
    assert!(difference.objects[0].is_noise());
}

#[test]
fn generated_names_are_one_object() {
    let text = |hash: &str, value: &str| {
        format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: settings-{hash}, namespace: shop}}\n\
             data: {{A: {value}}}\n---\napiVersion: v1\nkind: Pod\nmetadata: {{name: p, namespace: \
             shop}}\nspec: {{volumes: [{{name: v, configMap: {{name: settings-{hash}}}}}]}}\n"
        )
    };
    let (old, new) = (text("2h4kmt2h4k", "x"), text("5f8ckmt7bd", "y"));
    insta::assert_snapshot!(told(&[("Kustomization/apps", &old)], &[("Kustomization/apps", &new)]), @r#"
    Changed ConfigMap/shop/settings-5f8ckmt7bd
      metadata.name: "settings-2h4kmt2h4k" → "settings-5f8ckmt7bd" generated name
      data.A: "x" → "y"
    Changed Pod/shop/p
      spec.volumes[name=v].configMap.name: "settings-2h4kmt2h4k" → "settings-5f8ckmt7bd" generated name
    error[change/immutable] Pod/shop/p: `spec.volumes[name=v].configMap.name` cannot be changed: it changes from `settings-2h4kmt2h4k` to `settings-5f8ckmt7bd`
    "#);
}

#[test]
fn what_does_not_render_is_no_deletion() {
    let child = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c, namespace: shop}\n";
    let old = [
        ("Kustomization/root", ""),
        ("Kustomization/apps of=root", DEPLOYMENT),
        ("Kustomization/more of=apps", child),
    ];
    insta::assert_snapshot!(told(&old, &[("Kustomization/root", ""), ("Kustomization/apps of=root", "!no such file")]), @r"
    ! Kustomization/flux-system/apps does not render: no such file; 2 objects have nothing to be compared with
    error[change/unrendered] Kustomization/flux-system/apps: Kustomization/flux-system/apps does not render: no such file; 2 objects have nothing to be compared with
    ");
    // The other way round it is no mass of new objects.
    let difference = compared(
        &[("Kustomization/apps", "!no")],
        &[("Kustomization/apps", DEPLOYMENT)],
    );
    assert!(difference.objects.is_empty());
    // What rendered on neither side is told once.
    let difference = compared(
        &[("Kustomization/apps", "!no")],
        &[("Kustomization/apps", "!no")],
    );
    assert_eq!(difference.unrendered.len(), 1);
    assert_eq!(difference.unrendered[0].side, None);
}

/// What cannot be printed gets into no cluster: it is no change of its objects.
#[test]
fn what_cannot_be_printed_does_not_render() {
    let twice = DEPLOYMENT.replace("  replicas: 3\n", "  replicas: 3\n  replicas: 3\n");
    insta::assert_snapshot!(told(&[("Kustomization/apps", DEPLOYMENT)], &[("Kustomization/apps", &twice)]), @r"
    ! Kustomization/flux-system/apps does not render: mapping key `replicas` already defined at line 5; 1 object has nothing to be compared with
    error[change/unrendered] Kustomization/flux-system/apps: Kustomization/flux-system/apps does not render: mapping key `replicas` already defined at line 5; 1 object has nothing to be compared with
    ");
    // What is so on both sides is told once.
    let both = compared(
        &[("Kustomization/apps", &twice)],
        &[("Kustomization/apps", &twice)],
    );
    assert_eq!(both.unrendered.len(), 1);
    assert_eq!(both.unrendered[0].side, None);
}

const DATA: &str = "\
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: disk, namespace: shop}
spec: {resources: {requests: {storage: 10Gi}}}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop, annotations: {kustomize.toolkit.fluxcd.io/prune: Disabled}}
";

#[test]
fn what_holds_no_data_is_deleted_alone() {
    let web = "apiVersion: v1\nkind: Service\nmetadata: {name: web, namespace: shop}\n";
    insta::assert_snapshot!(told(&[("Kustomization/apps", web)], &[("Kustomization/apps", "")]), @r"
    Removed Service/shop/web
    info[change/delete] Service/shop/web: it is deleted: Kustomization/flux-system/apps no longer holds it
    ");
}

#[test]
fn deletions_say_what_is_lost() {
    insta::assert_snapshot!(told(&[("Kustomization/apps", DATA)], &[("Kustomization/apps", "")]), @r"
    Removed Namespace/shop
    Removed PersistentVolumeClaim/shop/disk
    Removed Service/shop/web
    error[change/delete-data] Namespace/shop: it is deleted, and with it everything in it, 2 objects of this repository among it
    error[change/delete-data] PersistentVolumeClaim/shop/disk: it is deleted, and with it the volume that it claims
    info[change/orphan] Service/shop/web: it stays in the cluster: Kustomization/flux-system/apps is told to keep it
    ");
    insta::assert_snapshot!(told(&[("Kustomization/apps keeps", DATA)], &[("Kustomization/apps keeps", "")]), @r"
    Removed Namespace/shop
    Removed PersistentVolumeClaim/shop/disk
    Removed Service/shop/web
    info[change/orphan] Namespace/shop: it stays in the cluster: Kustomization/flux-system/apps does not prune
    info[change/orphan] PersistentVolumeClaim/shop/disk: it stays in the cluster: Kustomization/flux-system/apps does not prune
    info[change/orphan] Service/shop/web: it stays in the cluster: Kustomization/flux-system/apps is told to keep it
    ");
}

/// What a release applies without a namespace ends up in its own.
#[test]
fn objects_of_releases_are_in_their_namespaces() {
    let set = "apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {name: cache}\nspec: \
               {persistentVolumeClaimRetentionPolicy: {whenDeleted: Delete}}\n---\napiVersion: \
               rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: cache}\n";
    let old = [("HelmRelease/cache namespace=red", set)];
    let new = [("HelmRelease/other namespace=blue", set)];
    insta::assert_snapshot!(told(&old, &new), @r"
    Removed StatefulSet/red/cache
    Added StatefulSet/blue/cache
    Changed ClusterRole/cache
    error[change/delete-data] StatefulSet/red/cache: it is deleted, and with it the volumes of its pods
    warning[change/owner] ClusterRole/cache: it moves from HelmRelease/flux-system/cache to HelmRelease/flux-system/other
    ");
    let helps = |old: &[(&str, &str)], new: &[(&str, &str)]| -> Vec<String> {
        let findings = compared(old, new).findings.into_iter();
        findings.filter_map(|finding| finding.help).collect()
    };
    for help in helps(&old, &new) {
        assert!(help.contains("`helm.sh/resource-policy: keep`"), "{help}");
    }
    let of_kustomization = helps(
        &[("Kustomization/apps", DATA)],
        &[("Kustomization/apps", "")],
    );
    for help in of_kustomization {
        assert!(
            help.contains("toolkit.fluxcd.io/prune: disabled`"),
            "{help}"
        );
    }
    // Where a definition says that its objects have no namespace, they have none.
    let definition = "apiVersion: apiextensions.k8s.io/v1\nkind: \
                      CustomResourceDefinition\nmetadata: {name: cups.tea.example}\nspec: {group: \
                      tea.example, scope: SCOPE, names: {kind: Cup}}\n---\napiVersion: \
                      tea.example/v1\nkind: Cup\nmetadata: {name: mine}\n";
    for (scope, name) in [("Cluster", "Cup/mine"), ("Namespaced", "Cup/red/mine")] {
        let text = definition.replace("SCOPE", scope);
        let told = told(&[], &[("HelmRelease/cups namespace=red", &text)]);
        assert!(told.contains(&format!("Added {name}\n")), "{told}");
    }
}

/// Helm never deletes what lies in the `crds/` of a chart.
#[test]
fn definitions_of_charts_stay() {
    let definition = "apiVersion: apiextensions.k8s.io/v1\nkind: \
                      CustomResourceDefinition\nmetadata: {name: cups.tea.example}\nspec: {group: \
                      tea.example, scope: Cluster, names: {kind: Cup}}\n";
    let unit = [("HelmRelease/cups", definition)];
    let of_template = told(&unit, &[("HelmRelease/cups", "")]);
    assert!(
        of_template.contains("error[change/delete-data]"),
        "{of_template}"
    );
    let sources = SourceMap::new();
    let mut old = side(&unit, &sources);
    let units = old.clusters.values_mut().flat_map(|c| &mut c.units);
    for object in units.filter_map(|u| u.outcome.as_mut().ok()).flatten() {
        object.stays = true;
    }
    let new = side(&[("HelmRelease/cups", "")], &sources);
    let mut difference = compare(&old, &new, &Comparison::default(), &sources);
    let findings = difference.clusters.remove(0).findings;
    let told: Vec<(&str, &str)> = findings.iter().map(|f| (&*f.rule, &*f.message)).collect();
    assert_eq!(
        told,
        [(
            "change/orphan",
            "it stays in the cluster: HelmRelease/flux-system/cups never deletes a definition in \
             the `crds/` of its chart"
        )]
    );
}

/// Flux in it finds its folder no more, and prunes nothing.
#[test]
fn a_cluster_that_is_gone_deletes_nothing() {
    let sources = SourceMap::new();
    let old = side(&[("Kustomization/apps", DATA)], &sources);
    let difference = compare(
        &old,
        &Rendering::default(),
        &Comparison::default(),
        &sources,
    );
    let [cluster] = &difference.clusters[..] else {
        panic!("one cluster")
    };
    assert_eq!(
        (cluster.presence, cluster.objects.len()),
        (Presence::Removed, 3)
    );
    let told: Vec<String> = cluster
        .findings
        .iter()
        .map(|f| format!("{}[{}] {}", f.severity.name(), f.rule, f.message))
        .collect();
    assert_eq!(
        told,
        [
            "warning[change/orphan] the cluster `blue` is gone from the repository: Flux there \
             finds its folder no more, and 3 objects that it has applied stay"
        ]
    );
}

#[test]
fn versions_that_are_no_longer_served_are_told() {
    let definition = |versions: &str| {
        format!(
            "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {{name: \
             ovens.example.com}}\nspec: {{versions: [{versions}]}}\n"
        )
    };
    let old = definition("{name: v1beta1, served: true}, {name: v1, served: true}");
    for (new, message) in [
        (
            definition("{name: v1, served: true}"),
            "version `v1beta1` is no longer served",
        ),
        (
            definition("{name: v1beta1, served: true}, {name: v1, served: false}"),
            "version `v1` is no longer served",
        ),
    ] {
        let text = told(&[("Kustomization/a", &old)], &[("Kustomization/a", &new)]);
        let line = format!(
            "error[change/crd-version] CustomResourceDefinition/ovens.example.com: {message}\n"
        );
        assert!(text.ends_with(&line), "{text}");
    }
    let same = definition("{name: v1beta1, served: true}, {name: v1, served: true}, {name: v2}");
    let text = told(&[("Kustomization/a", &old)], &[("Kustomization/a", &same)]);
    assert!(!text.contains("change/crd-version"), "{text}");
}

/// Every rule is looked for in this file by its id.
#[test]
fn every_rule_has_a_test() {
    let tests = include_str!("tests.rs");
    for rule in RULES {
        let found = tests.matches(&format!("[{}]", rule.id)).count();
        assert!(found > 0, "{}", rule.id);
    }
}

#[test]
fn owners_change_and_suspended_ones_wait() {
    let new = [
        ("Kustomization/apps", ""),
        ("Kustomization/shop suspended", DATA),
    ];
    insta::assert_snapshot!(told(&[("Kustomization/apps", DATA)], &new), @r"
    Changed Namespace/shop
    Changed PersistentVolumeClaim/shop/disk
    Changed Service/shop/web
    warning[change/owner] Namespace/shop: it moves from Kustomization/flux-system/apps to Kustomization/flux-system/shop: if it is deleted on the way, so is everything in it
    warning[change/owner] PersistentVolumeClaim/shop/disk: it moves from Kustomization/flux-system/apps to Kustomization/flux-system/shop: if it is deleted on the way, so is the volume that it claims
    warning[change/suspended] Kustomization/flux-system/shop: 3 changes are not applied: Kustomization/flux-system/shop is suspended
    info[change/owner] Service/shop/web: it moves from Kustomization/flux-system/apps to Kustomization/flux-system/shop
    ");
}

#[test]
fn fields_that_cannot_be_changed() {
    let old = format!(
        "{DATA}---\napiVersion: apps/v1\nkind: StatefulSet\nmetadata: {{name: db, namespace: shop}}\n\
         spec: {{serviceName: a, replicas: 1}}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: \
         {{name: fixed}}\nimmutable: true\ndata: {{a: b}}\n"
    );
    let new = old
        .replace("serviceName: a, replicas: 1", "serviceName: b, replicas: 2")
        .replace("10Gi", "9.5Gi")
        .replace("a: b", "a: c");
    insta::assert_snapshot!(told(&[("Kustomization/apps", &old)], &[("Kustomization/apps", &new)]), @r#"
    Changed StatefulSet/shop/db
      spec.serviceName: "a" → "b"
      spec.replicas: 1 → 2
    Changed ConfigMap/fixed
      data.a: "b" → "c"
    Changed PersistentVolumeClaim/shop/disk
      spec.resources.requests.storage: "10Gi" → "9.5Gi"
    error[change/immutable] StatefulSet/shop/db: `spec.serviceName` cannot be changed: it changes from `a` to `b`
    error[change/immutable] ConfigMap/fixed: `data.a` cannot be changed: it changes from `b` to `c`
    error[change/volume-shrink] PersistentVolumeClaim/shop/disk: the claim changes from `10Gi` to `9.5Gi`: volumes only grow
    info[change/replicas] StatefulSet/shop/db: the number of pods changes from `1` to `2`
    "#);
    let forced = compared(
        &[("Kustomization/apps forces", &old)],
        &[("Kustomization/apps forces", &new)],
    );
    let immutable = forced
        .findings
        .iter()
        .filter(|f| &*f.rule == "change/immutable");
    for finding in immutable {
        assert_eq!(finding.severity, crate::diag::Severity::Warning);
        assert!(
            finding
                .message
                .ends_with("deletes the object and makes it anew")
        );
        assert!(finding.help.is_some() && finding.path.is_some() && finding.location.is_some());
    }
}

#[test]
fn rights_are_told_in_words() {
    let old = "\
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: reader}
rules:
- {apiGroups: [''], resources: [pods, secrets], verbs: [get, list]}
- {apiGroups: [apps], resources: ['*'], verbs: [get]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: readers}
roleRef: {kind: ClusterRole, name: reader}
subjects: [{kind: User, name: ada}]
";
    let new = "\
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: reader}
rules:
- {apiGroups: [''], resources: [pods, pods/exec], verbs: [get, list, create]}
- {apiGroups: [apps], resources: [deployments], verbs: [get]}
- {apiGroups: ['*'], resources: ['*'], verbs: ['*'], resourceNames: [x]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: readers}
roleRef: {kind: ClusterRole, name: reader}
subjects: [{kind: ServiceAccount, name: bob, namespace: shop}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: admins}
roleRef: {kind: ClusterRole, name: cluster-admin}
subjects: [{kind: Group, name: ops}]
";
    let told = told(&[("Kustomization/a", old)], &[("Kustomization/a", new)]);
    let findings: Vec<&str> = told.lines().filter(|l| l.contains("[change/")).collect();
    insta::assert_snapshot!(findings.join("\n"), @"
    error[change/rbac-widened] ClusterRole/reader: who holds it may now create `pods`; create, get, list `pods/exec`; do anything with everything `x`
    error[change/rbac-widened] ClusterRoleBinding/admins: Group `ops` gets the rights of ClusterRole `cluster-admin` in the whole cluster
    error[change/rbac-widened] ClusterRoleBinding/readers: ServiceAccount `shop/bob` gets the rights of ClusterRole `reader` in the whole cluster: create, get, list `pods`; create, get, list `pods/exec`; do anything with everything `x`; get `deployments.apps`
    info[change/rbac-narrowed] ClusterRole/reader: who holds it may no longer get, list `secrets`; get everything in `apps`
    info[change/rbac-narrowed] ClusterRoleBinding/readers: User `ada` loses the rights of ClusterRole `reader` in the whole cluster
    ");
}

#[test]
fn a_role_that_is_added_to_another_gives_its_rights() {
    let role = |label: &str| {
        format!(
            "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {{name: cups, \
             labels: {{{label}}}}}\nrules: [{{apiGroups: [tea.example], resources: [cups], verbs: \
             [get, delete]}}]\n"
        )
    };
    let to_edit = role("rbac.authorization.k8s.io/aggregate-to-edit: 'true'");
    let off = role("rbac.authorization.k8s.io/aggregate-to-edit: 'false'");
    let expected = "warning[change/rbac-widened] ClusterRole/cups: who holds ClusterRole `edit`, \
                    which it is added to, may now delete, get `cups.tea.example`\n";
    for old in ["", &off] {
        let text = told(
            &[("Kustomization/a", old)],
            &[("Kustomization/a", &to_edit)],
        );
        assert!(text.ends_with(expected), "{text}");
    }
    for (old, new) in [("", &off), (&to_edit, &to_edit)] {
        let text = told(&[("Kustomization/a", old)], &[("Kustomization/a", new)]);
        assert!(!text.contains("change/rbac-widened"), "{text}");
    }
}

#[test]
fn a_change_of_half_a_cluster_is_told() {
    let names: Vec<String> = (0..20).map(|n| format!("Kustomization/k{n:02}")).collect();
    let note = |n: usize, value: &str| {
        format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: c{n}}}\ndata: {{a: {value}}}\n")
    };
    let radius = |changed: usize, all: usize| -> Vec<String> {
        let texts = |value: &str| -> Vec<String> {
            let value = |n| if n < changed { value } else { "same" };
            (0..all).map(|n| note(n, value(n))).collect()
        };
        let (old, new) = (texts("old"), texts("new"));
        let old: Vec<(&str, &str)> = names
            .iter()
            .map(|n| &**n)
            .zip(old.iter().map(|t| &**t))
            .collect();
        let new: Vec<(&str, &str)> = names
            .iter()
            .map(|n| &**n)
            .zip(new.iter().map(|t| &**t))
            .collect();
        let findings = compared(&old, &new).findings.into_iter();
        findings
            .filter(|f| &*f.rule == "change/blast-radius")
            .map(|f| f.message)
            .collect()
    };
    // [change/blast-radius]
    assert_eq!(radius(9, 9), Vec::<String>::new());
    assert_eq!(radius(10, 20), Vec::<String>::new());
    assert_eq!(
        radius(11, 20),
        ["it touches 11 of 20 Kustomizations and HelmReleases: \
             `Kustomization/flux-system/k00`, `Kustomization/flux-system/k01`, \
             `Kustomization/flux-system/k02`, `Kustomization/flux-system/k03`, \
             `Kustomization/flux-system/k04`, and 6 more"]
    );
}

#[test]
fn images_are_told_with_their_digests() {
    let digest = |digit: char| format!("sha256:{}", digit.to_string().repeat(64));
    let oven = |image: &str| {
        format!(
            "apiVersion: tea.example/v1\nkind: Oven\nmetadata: {{name: o}}\nspec: {{heat: {{image: \
             '{image}'}}}}\n---\napiVersion: v1\nkind: Pod\nmetadata: {{name: p}}\nspec: \
             {{containers: [{{name: c, image: '{image}'}}]}}\n"
        )
    };
    let name =
        |tag: &str, digit| format!("registry.example/some/where/oven:{tag}@{}", digest(digit));
    let (a, b, c) = (name("1", '0'), name("1", '1'), name("2", '2'));
    for (old, new, more) in [(&a, &b, ": the same tag, with other content"), (&a, &c, "")] {
        let text = told(
            &[("Kustomization/a", &oven(old))],
            &[("Kustomization/a", &oven(new))],
        );
        for place in ["Oven/o: `spec.heat.image`", "Pod/p: container `c`"] {
            let line = format!("info[change/image] {place} moves from `{old}` to `{new}`{more}\n");
            assert!(text.contains(&line), "{line}{text}");
        }
    }
}

#[test]
fn settings_of_releases_say_what_they_do() {
    let release = |more: &str| {
        format!(
            "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {{name: web, \
             namespace: shop}}\nspec: {{interval: 1m{more}}}\n"
        )
    };
    for (more, says) in [
        (
            ", upgrade: {disableHooks: true}",
            "warning[change/flux-setting]",
        ),
        (
            ", install: {disableSchemaValidation: true}",
            "warning[change/flux-setting]",
        ),
        (
            ", upgrade: {disableWait: true}",
            "info[change/flux-setting]",
        ),
        (", targetNamespace: other", "error[change/reinstall]"),
        (", suspend: true", "warning[change/flux-setting]"),
    ] {
        let (old, new) = (release(""), release(more));
        let text = told(&[("Kustomization/a", &old)], &[("Kustomization/a", &new)]);
        assert!(text.contains(says), "{more}: {text}");
    }
    let kustomization = |more: &str| {
        format!(
            "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {{name: \
             apps, namespace: flux-system}}\nspec: {{path: ./a{more}}}\n"
        )
    };
    for (more, says) in [
        (
            ", decryption: {provider: sops}",
            "warning[change/flux-setting]",
        ),
        (", wait: true", "info[change/flux-setting]"),
    ] {
        let (old, new) = (kustomization(""), kustomization(more));
        let text = told(&[("Kustomization/a", &old)], &[("Kustomization/a", &new)]);
        assert!(text.contains(says), "{more}: {text}");
    }
}

#[test]
fn volumes_and_drivers_cannot_be_changed() {
    for (object, from, to, is_fixed) in [
        (
            "v1\nkind: PersistentVolume\nspec: {nfs: {path: /a}}",
            "/a",
            "/b",
            true,
        ),
        (
            "v1\nkind: PersistentVolume\nspec: {capacity: {storage: 1Gi}}",
            "1Gi",
            "2Gi",
            false,
        ),
        (
            "storage.k8s.io/v1\nkind: CSIDriver\nspec: {attachRequired: true}",
            "true",
            "false",
            true,
        ),
        (
            "storage.k8s.io/v1\nkind: CSIDriver\nspec: {podInfoOnMount: true}",
            "true",
            "false",
            false,
        ),
        (
            "storage.k8s.io/v1\nkind: VolumeAttributesClass\ndriverName: a",
            "driverName: a",
            "driverName: b",
            true,
        ),
    ] {
        let old = format!("apiVersion: {object}\nmetadata: {{name: x}}\n");
        let new = old.replace(from, to);
        let text = told(&[("Kustomization/a", &old)], &[("Kustomization/a", &new)]);
        assert_eq!(text.contains("error[change/immutable]"), is_fixed, "{text}");
    }
}

#[test]
fn flux_settings_say_what_they_do() {
    let old = "\
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: apps, namespace: flux-system}
spec: {prune: false, suspend: true, path: ./a, sourceRef: {kind: GitRepository, name: x}}
---
apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata: {name: web, namespace: shop}
spec: {releaseName: a, chart: {spec: {chart: web, version: 1.2.3}}}
---
apiVersion: source.toolkit.fluxcd.io/v1
kind: GitRepository
metadata: {name: x, namespace: flux-system}
spec: {url: 'https://example.com/a', verify: {mode: HEAD}}
";
    let new = old
        .replace(
            "prune: false, suspend: true, path: ./a",
            "prune: true, path: ./b, targetNamespace: z",
        )
        .replace("releaseName: a", "releaseName: b")
        .replace("1.2.3", "2.0.0")
        .replace("example.com/a', verify: {mode: HEAD}", "example.com/b'");
    let told = told(&[("Kustomization/r", old)], &[("Kustomization/r", &new)]);
    let findings: Vec<&str> = told.lines().filter(|l| l.contains("[change/")).collect();
    insta::assert_snapshot!(findings.join("\n"), @"
    error[change/reinstall] HelmRelease/shop/web: `spec.releaseName` changes from `a` to `b`: the release is uninstalled and installed anew
    error[change/source] GitRepository/flux-system/x: its signature is no longer verified
    warning[change/chart] HelmRelease/shop/web: `spec.chart.spec.version` changes from `1.2.3` to `2.0.0`, a new major version
    warning[change/flux-setting] Kustomization/flux-system/apps: `spec.prune` changes from `false` to `true`; from now on, what leaves the repository is deleted from the cluster
    warning[change/flux-setting] Kustomization/flux-system/apps: it is resumed: all that waited is applied at once
    warning[change/flux-setting] Kustomization/flux-system/apps: `spec.targetNamespace` is set to `z`; every object moves to another namespace: the old ones are pruned
    warning[change/source] GitRepository/flux-system/x: `spec.url` changes from `https://example.com/a` to `https://example.com/b`; it leads elsewhere
    info[change/flux-setting] Kustomization/flux-system/apps: `spec.path` changes from `./a` to `./b`; the objects come from another folder
    ");
}

#[test]
fn secrets_are_never_shown() {
    let text = |value: &str| {
        format!(
            "apiVersion: v1\nkind: Secret\nmetadata: {{name: s}}\nstringData: {{a: hunter{value}, b: \
             hunter1, c: same}}\n"
        )
    };
    let (old, new) = (text("1"), text("2"));
    let difference = compared(&[("Kustomization/a", &old)], &[("Kustomization/a", &new)]);
    let shown = format!("{difference:?}");
    assert!(!shown.contains("hunter"), "{shown}");
    insta::assert_snapshot!(told(&[("Kustomization/a", &old)], &[("Kustomization/a", &new)]), @r#"
    Changed Secret/s
      stringData.a: "‹secret 1›" → "‹secret 3›"
    "#);
}

mod patches {
    use proptest::prelude::*;

    use super::super::{align, patch};
    use crate::diag::FileId;
    use crate::yaml;

    fn json(text: &str) -> serde_json::Value {
        let node = yaml::parse_one(text, FileId::default()).unwrap().unwrap();
        serde_json::from_str(&align::canonical(&node)).unwrap()
    }

    /// The operations as the library that applies them takes them.
    fn patched(old: &str, new: &str) -> (serde_json::Value, usize) {
        let parse = |text: &str| yaml::parse_one(text, FileId::default()).unwrap().unwrap();
        let operations = patch::patch(&parse(old), &parse(new));
        let value = |v: &yaml::Value| -> serde_json::Value {
            serde_json::from_str(&yaml::to_json(v)).unwrap()
        };
        let list: serde_json::Value = operations
            .iter()
            .map(|operation| match operation {
                patch::Operation::Add { path, value: v } => {
                    serde_json::json!({"op": "add", "path": path, "value": value(v)})
                }
                patch::Operation::Replace { path, value: v } => {
                    serde_json::json!({"op": "replace", "path": path, "value": value(v)})
                }
                patch::Operation::Remove { path } => {
                    serde_json::json!({"op": "remove", "path": path})
                }
                patch::Operation::Move { from, path } => {
                    serde_json::json!({"op": "move", "from": from, "path": path})
                }
            })
            .collect();
        let mut document = json(old);
        let list: json_patch::Patch = serde_json::from_value(list).unwrap();
        json_patch::patch(&mut document, &list).unwrap();
        (document, operations.len())
    }

    #[test]
    fn an_inserted_item_is_one_operation() {
        let pod = |names: &str| {
            let items: Vec<String> = names
                .chars()
                .map(|c| format!("{{name: {c}, image: {c}}}"))
                .collect();
            format!(
                "{{apiVersion: v1, kind: Pod, spec: {{containers: [{}]}}}}",
                items.join(", ")
            )
        };
        for (old, new, operations) in [("bc", "abc", 1), ("abc", "ac", 1), ("abc", "cab", 1)] {
            let (got, count) = patched(&pod(old), &pod(new));
            assert_eq!(got, json(&pod(new)));
            assert_eq!(count, operations, "{old} → {new}");
        }
    }

    /// Values of every kind, with names in lists so that they are matched.
    fn value() -> impl Strategy<Value = String> {
        let leaf = prop_oneof![
            "[a-c]".prop_map(|s| s),
            (0..4_i32).prop_map(|n| n.to_string()),
            Just("null".to_owned()),
        ];
        leaf.prop_recursive(4, 40, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5)
                    .prop_map(|v| format!("[{}]", v.join(", "))),
                prop::collection::btree_map("[a-e~/]", inner.clone(), 0..4).prop_map(|m| {
                    let entries: Vec<_> = m.iter().map(|(k, v)| format!("'{k}': {v}")).collect();
                    format!("{{{}}}", entries.join(", "))
                }),
                prop::collection::vec(("[a-f]", inner), 0..5).prop_map(|v| {
                    let items: Vec<_> = v
                        .iter()
                        .map(|(name, v)| format!("{{name: {name}, v: {v}}}"))
                        .collect();
                    format!("[{}]", items.join(", "))
                }),
            ]
        })
    }

    proptest! {
        #[test]
        fn a_patch_makes_the_old_object_the_new_one(old in value(), new in value()) {
            let whole = |v: &str| format!("{{apiVersion: v1, kind: X, spec: {v}}}");
            let (old, new) = (whole(&old), whole(&new));
            let (got, _) = patched(&old, &new);
            prop_assert_eq!(got, json(&new));
        }
    }
}
