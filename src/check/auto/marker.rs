//! Markers of image policies that are not there.

use std::collections::BTreeSet;

use crate::artifact::ignore::regular_files;
use crate::check::{Check, Out, Repository, Rule, View};
use crate::diag::{Severity, Span, nearest};
use crate::flux::api::IMAGE;

/// The example, with the part that is wrong in one and right in the other.
macro_rules! example {
    ($part:literal) => {
        concat!(
            "\
apiVersion: v1
kind: ConfigMap
metadata:
  name: settings
  namespace: default
data:
",
            $part,
            "\
---
apiVersion: image.toolkit.fluxcd.io/v1
kind: ImageRepository
metadata:
  name: web
  namespace: flux-system
spec:
  image: registry.example.com/web
  interval: 5m
---
apiVersion: image.toolkit.fluxcd.io/v1
kind: ImagePolicy
metadata:
  name: web
  namespace: flux-system
spec:
  imageRepositoryRef:
    name: web
  policy:
    semver:
      range: 1.x
"
        )
    };
}

pub(in crate::check) static RULE: Rule = Rule {
    id: "auto/marker",
    severity: Severity::Warning,
    title: "a marker that names no image policy",
    why: "Image automation changes the lines whose comment names a policy, \
          `{\"$imagepolicy\": \"NAMESPACE:NAME\"}`. A marker that names none, or another part than \
          `name`, `tag` or `digest`, is passed over in silence: the image stays as it is.",
    mend: "Mend the name, or bring the ImagePolicy.",
    bad: example!(
        "  image: registry.example.com/web:1.0.0 # {\"$imagepolicy\": \"flux-system:wbe\"}
"
    ),
    good: example!(
        "  image: registry.example.com/web:1.0.0 # {\"$imagepolicy\": \"flux-system:web\"}
"
    ),
    check: Check::Repository(check),
};

const MARK: &str = "\"$imagepolicy\"";

fn check(repository: &Repository, views: &[View<'_>], out: &mut Out<'_>) {
    if !repository.is_whole || !views.iter().all(View::is_complete) {
        return;
    }
    let policies: BTreeSet<String> = views
        .iter()
        .flat_map(|view| view.of_kind(IMAGE, "ImagePolicy"))
        .map(|policy| format!("{}:{}", policy.namespace, policy.name()))
        .collect();
    let files = &repository.sources.repository;
    for path in regular_files(&**files.tree()).unwrap_or_default() {
        if ![".yaml", ".yml"].iter().any(|end| path.ends_with(end)) {
            continue;
        }
        let bytes = files.bytes(&path).unwrap_or_default();
        if memchr::memmem::find(&bytes, MARK.as_bytes()).is_none() {
            continue;
        }
        let Ok(text) = files.text(&path) else {
            continue;
        };
        for (index, line) in text.text.lines().enumerate() {
            let Some((message, help)) = judge(line, &policies) else {
                continue;
            };
            let column = line
                .find(MARK)
                .map_or(1, |at| line[..at].chars().count() + 1);
            let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
            let place = Span::new(text.file, number(index + 1), number(column));
            out.push(out.at(place, message).help(help));
        }
    }
}

/// What is wrong with the marker of a line.
fn judge(line: &str, policies: &BTreeSet<String>) -> Option<(String, String)> {
    let (_, rest) = line.split_once(MARK)?;
    let value = rest
        .trim_start()
        .strip_prefix(':')?
        .trim_start()
        .strip_prefix('"')?;
    let (value, _) = value.split_once('"')?;
    let parts: Vec<&str> = value.split(':').collect();
    let (namespace, name) = match parts[..] {
        [namespace, name] | [namespace, name, "name" | "tag" | "digest"] => (namespace, name),
        [_, _, part] => {
            return Some((
                format!("a marker has no part `{part}`"),
                "the parts are `name`, `tag` and `digest`".to_owned(),
            ));
        }
        _ => {
            return Some((
                format!("`{value}` is no marker"),
                "write `NAMESPACE:NAME`, with `:name`, `:tag` or `:digest` for a part".to_owned(),
            ));
        }
    };
    let wanted = format!("{namespace}:{name}");
    if policies.contains(&wanted) {
        return None;
    }
    let near = nearest(&wanted, policies.iter().map(String::as_str));
    let help = match near {
        Some(near) => format!("did you mean `{near}`?"),
        None => "bring the ImagePolicy, or take the marker out".to_owned(),
    };
    Some((format!("there is no ImagePolicy `{wanted}`"), help))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markers_name_policies_and_parts() {
        let policies = BTreeSet::from(["a:web".to_owned()]);
        let judge = |value: &str| {
            let line = format!("image: x # {{\"$imagepolicy\": \"{value}\"}}");
            judge(&line, &policies).map(|(message, _)| message)
        };
        assert_eq!(judge("a:web"), None);
        assert_eq!(judge("a:web:tag"), None);
        assert_eq!(judge("a:web:tags").unwrap(), "a marker has no part `tags`");
        assert_eq!(judge("web").unwrap(), "`web` is no marker");
        assert_eq!(judge("b:web").unwrap(), "there is no ImagePolicy `b:web`");
    }
}
