//! Values that look like credentials, in fields that are called so.

use super::shapes;
use crate::check::{Applied, Check, Out, Rule, View};
use crate::diag::Severity;
use crate::yaml::Node;

pub(in crate::check) static RULE: Rule = Rule {
    id: "secret/credential",
    severity: Severity::Warning,
    title: "a password or a key among plain settings",
    why: "Values of charts, environment variables and ConfigMaps can be read by everybody who can \
          read the repository, and in the cluster by everybody who can read the object. Reported \
          are values that look made by chance under names such as `password` or `apiKey`, and \
          addresses with a password in them.",
    mend: "Put the value into an encrypted Secret and refer to it: `valuesFrom`, `secretKeyRef`, \
           `existingSecret`. Then change it.",
    bad: "\
apiVersion: v1
kind: ConfigMap
metadata:
  name: settings
  namespace: default
data:
  ADMIN_PASSWORD: Vq8hunter2Zz
",
    good: "\
apiVersion: v1
kind: ConfigMap
metadata:
  name: settings
  namespace: default
data:
  ADMIN_PASSWORD_SECRET_NAME: grafana-admin
",
    check: Check::Cluster(check),
};

/// Texts that are longer are no settings.
const MAX_BYTES: usize = 256 << 10;

fn check(view: &View<'_>, out: &mut Out<'_>) {
    for applied in super::written(view).filter(|a| !a.is("", "Secret")) {
        let sealed = applied.at(&["sops", "mac"]).is_some();
        for text in super::texts(applied.node()) {
            let value = text.node.text().unwrap_or_default();
            if sealed || super::is_sealed(text.node, value) || value.len() > MAX_BYTES {
                continue;
            }
            if let Some(what) = judge(text.key, value) {
                push(applied, text.node, text.pointer, &what, out);
            }
        }
    }
}

/// What a value gives away, if it does.
fn judge(key: &str, value: &str) -> Option<String> {
    if !value.contains('\n') {
        return line(key, value);
    }
    // A file: settings line by line. Its own name says nothing of its lines.
    let mut lines = value.lines().filter(|line| line.len() < 4096);
    lines.find_map(|text| {
        let (name, rest) = text.split_once(['=', ':'])?;
        let name = name
            .trim()
            .trim_start_matches("export ")
            .trim_matches(['"', '\'', '-', ' ']);
        let rest = rest.trim().trim_end_matches(',').trim_matches(['"', '\'']);
        if name.is_empty() || name.len() > 64 || name.contains(char::is_whitespace) {
            return address(text);
        }
        line(name, rest).or_else(|| address(text))
    })
}

fn line(key: &str, value: &str) -> Option<String> {
    if super::is_reference(value) {
        return None;
    }
    if shapes::is_credential_name(key) && shapes::looks_random(value) {
        return Some(format!("the value of `{key}` looks like a credential"));
    }
    address(value)
}

fn address(text: &str) -> Option<String> {
    let (user, _) = shapes::address_with_password(text)?;
    let open = super::is_reference(text);
    (!open).then(|| format!("an address with the password of `{user}`"))
}

fn push(applied: &Applied<'_>, node: &Node, pointer: String, what: &str, out: &mut Out<'_>) {
    // Of sources, `source/auth` tells.
    if &*applied.gvk().group == crate::flux::api::SOURCE {
        return;
    }
    out.push(
        out.about(applied, node.span(), what)
            .path(pointer)
            .help("put it into an encrypted Secret, refer to that, and change it"),
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::example::testing;

    #[test]
    fn environment_variables_and_files_have_names() {
        let text = "\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: default}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: web
        image: example.com/web:1.0.0
        env:
        - {name: API_TOKEN, value: 9f86d081884c7d659a2feaa0c55ad015}
        - {name: TOKEN_FILE, value: /run/secrets/token}
        - name: DB_PASSWORD
          valueFrom: {secretKeyRef: {name: db, key: password}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: settings, namespace: default}
data:
  app.ini: |
    [database]
    user = app
    password = Vq8hunter2Zz
  fine.ini: |
    password = ${DB_PASSWORD}
    token: 'file:/run/token'
";
        assert_eq!(
            testing::found("secret/credential", text),
            [
                "warning clusters/prod/example.yaml:13:36 the value of `API_TOKEN` looks like a \
                 credential",
                "warning clusters/prod/example.yaml:22:12 the value of `password` looks like a \
                 credential"
            ]
        );
    }

    #[test]
    fn addresses_are_looked_at_whatever_they_are_called() {
        assert!(judge("DATABASE", "postgres://app:Vq8hunter@db/app").is_some());
        assert!(judge("DATABASE", "postgres://app:$(PASSWORD)@db/app").is_none());
    }
}
