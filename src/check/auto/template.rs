//! Messages of commits that cannot be made.

use crate::check::{Check, Out, Rule, View};
use crate::diag::Severity;
use crate::flux::api::IMAGE;
use crate::gotmpl;

/// The example, with the part that is wrong in one and right in the other.
macro_rules! example {
    ($part:literal) => {
        concat!(
            "\
apiVersion: image.toolkit.fluxcd.io/v1
kind: ImageUpdateAutomation
metadata:
  name: updates
  namespace: flux-system
spec:
  interval: 30m
  sourceRef:
    kind: GitRepository
    name: flux-system
  git:
    commit:
      author:
        email: flux@example.com
",
            $part,
            "    push:
      branch: image-updates
"
        )
    };
}

pub(in crate::check) static RULE: Rule = Rule {
    id: "auto/template",
    severity: Severity::Warning,
    title: "a commit message that does not compile, or uses what is gone",
    why: "The message of a commit is a template. If it does not compile, or uses `.Updated` or \
          `.Changed.ImageResult`, which Flux 2.9 no longer has, there is no commit and no update.",
    mend: "Use `.Changed.FileChanges`, `.Changed.Objects` and `.Changed.Changes`.",
    bad: example!(
        "      messageTemplate: '{{ range .Updated.Images }}{{ . }}{{ end }}'
"
    ),
    good: example!(
        "      messageTemplate: '{{ range .Changed.Changes }}{{ .NewValue }}{{ end }}'
"
    ),
    check: Check::Cluster(check),
};

/// Fields of the template's data that are gone, and what stands for them.
const GONE: [(&str, &str); 2] = [
    (".Updated", ".Changed"),
    (
        ".Changed.ImageResult",
        ".Changed.FileChanges` or `.Changed.Objects",
    ),
];

fn check(view: &View<'_>, out: &mut Out<'_>) {
    for applied in view.of_kind(IMAGE, "ImageUpdateAutomation") {
        let Some(node) = applied.at(&["spec", "git", "commit", "messageTemplate"]) else {
            continue;
        };
        let text = node.text().unwrap_or_default();
        let (message, help) = match gotmpl::parse(text, gotmpl::functions::all()) {
            Err(e) => (
                format!("the template does not compile: {}", e.message_in("message")),
                "templates are Go's, with the functions of sprig".to_owned(),
            ),
            Ok(_) => match GONE.iter().find(|(gone, _)| names(text, gone)) {
                Some((gone, instead)) => (
                    format!("the template uses `{gone}`, which is gone"),
                    format!("use `{instead}`"),
                ),
                None => continue,
            },
        };
        out.push(
            out.about(applied, node.span(), message)
                .path("/spec/git/commit/messageTemplate")
                .help(help),
        );
    }
}

/// Whether a template names a field, and not one that begins so.
fn names(template: &str, field: &str) -> bool {
    template.match_indices(field).any(|(at, _)| {
        let before = template[..at].chars().next_back();
        let after = template[at + field.len()..].chars().next();
        before.is_none_or(|c| !c.is_alphanumeric()) && after.is_none_or(|c| !c.is_alphanumeric())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_whole_words() {
        assert!(names("{{ .Updated }}", ".Updated"));
        assert!(names("{{ $.Updated.Files }}", ".Updated"));
        assert!(!names("{{ .UpdatedAt }}", ".Updated"));
        assert!(!names("{{ .X.Updated }}", ".Updated"));
    }
}
