#!/usr/bin/env python3
"""Makes schemas/roles.txt: the roles that every cluster with Flux has.

Usage: schemas/tools/roles.py KUBERNETES FLUX > schemas/roles.txt

KUBERNETES: the folder of the module k8s.io/kubernetes, as `go mod download
-json k8s.io/kubernetes@v1.37.2` names it. FLUX: a checkout of
github.com/fluxcd/flux2 at the tag v2.9.4. Needs PyYAML.

The form, one thing a line, words apart by spaces:

    role NAME                      a ClusterRole; what follows is about it
    label KEY=VALUE                one of its labels
    selector KEY=VALUE             it is aggregated from roles with this label
    rule VERBS GROUPS RESOURCES [NAMES]
    urls VERBS URLS
    bind ROLE SUBJECT...           a ClusterRoleBinding; a subject is
                                   User:NAME, Group:NAME or NAMESPACE/NAME

Lists are apart by commas; the core group is `core`.
"""
import pathlib
import sys

import yaml

# Of the cluster itself: nobody binds these to anything that Flux applies.
LEFT_OUT = {"system:kube-controller-manager", "system:kube-scheduler", "system:node", "system:heapster"}


def listed(values):
    return ",".join(v or "core" for v in values)


def role(item, out):
    meta = item["metadata"]
    out.append(f"role {meta['name']}")
    for key, value in sorted((meta.get("labels") or {}).items()):
        if key.startswith("rbac.authorization.k8s.io/"):
            out.append(f"label {key}={value}")
    for selector in (item.get("aggregationRule") or {}).get("clusterRoleSelectors", []):
        for key, value in sorted(selector["matchLabels"].items()):
            out.append(f"selector {key}={value}")
    for rule in item.get("rules") or []:
        if rule.get("nonResourceURLs"):
            out.append(f"urls {listed(rule['verbs'])} {listed(rule['nonResourceURLs'])}")
            continue
        line = f"rule {listed(rule['verbs'])} {listed(rule['apiGroups'])} {listed(rule['resources'])}"
        out.append(" ".join([line, *filter(None, [listed(rule.get("resourceNames") or [])])]))


def binding(item, out):
    def text(subject):
        if subject["kind"] == "ServiceAccount":
            return f"{subject['namespace']}/{subject['name']}"
        return f"{subject['kind']}:{subject['name']}"

    out.append(" ".join(["bind", item["roleRef"]["name"], *map(text, item["subjects"])]))


def main():
    kubernetes, flux = map(pathlib.Path, sys.argv[1:])
    made = kubernetes / "plugin/pkg/auth/authorizer/rbac/bootstrappolicy/testdata"
    out = ["# Made by schemas/tools/roles.py from k8s.io/kubernetes v1.37.2 and"]
    out += ["# github.com/fluxcd/flux2 v2.9.4, both under the Apache License 2.0."]
    for item in yaml.safe_load((made / "cluster-roles.yaml").read_text())["items"]:
        if item["metadata"]["name"] not in LEFT_OUT:
            role(item, out)
    for item in yaml.safe_load((made / "cluster-role-bindings.yaml").read_text())["items"]:
        if item["roleRef"]["name"] not in LEFT_OUT:
            binding(item, out)
    out.append("# Flux")
    for name in ["controller", "reconciler", "edit", "view"]:
        for item in yaml.safe_load_all((flux / f"manifests/rbac/{name}.yaml").read_text()):
            if item["kind"] == "ClusterRole":
                role(item, out)
            elif item["kind"] == "ClusterRoleBinding":
                binding(item, out)
    print("\n".join(out))


main()
