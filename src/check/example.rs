//! Examples of rules: small repositories as text.
//!
//! In: text. Out: its files. A line `-- path --` begins a file; what stands
//! before the first such line is `clusters/prod/example.yaml`. A repository
//! without a `gotk-sync.yaml` gets one in `clusters/prod/flux-system`, so that
//! most examples are no more than what they are about.

/// What `flux bootstrap` writes: the source that is the repository itself, and
/// the Kustomization of `clusters/prod`.
const SYNC: &str = "\
apiVersion: source.toolkit.fluxcd.io/v1
kind: GitRepository
metadata:
  name: flux-system
  namespace: flux-system
spec:
  interval: 1m
  ref:
    branch: main
  secretRef:
    name: flux-system
  url: ssh://git@git.example.com/fleet
---
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata:
  name: flux-system
  namespace: flux-system
spec:
  interval: 10m
  path: ./clusters/prod
  prune: true
  sourceRef:
    kind: GitRepository
    name: flux-system
";

/// The files of an example: paths and texts.
pub fn files(text: &str) -> Vec<(String, String)> {
    let mut files: Vec<(String, String)> = Vec::new();
    for line in text.lines() {
        let path = line
            .strip_prefix("-- ")
            .and_then(|rest| rest.strip_suffix(" --"));
        if let Some(path) = path {
            files.push((path.to_owned(), String::new()));
            continue;
        }
        if files.is_empty() {
            files.push(("clusters/prod/example.yaml".to_owned(), String::new()));
        }
        if let Some((_, content)) = files.last_mut() {
            content.push_str(line);
            content.push('\n');
        }
    }
    if !files
        .iter()
        .any(|(path, _)| path.ends_with("gotk-sync.yaml"))
    {
        let path = "clusters/prod/flux-system/gotk-sync.yaml";
        files.push((path.to_owned(), SYNC.to_owned()));
    }
    files
}

#[cfg(test)]
pub(super) mod testing {
    //! Checks of examples, for the tests of rules.

    use std::sync::Arc;

    use super::super::settings::Settings;
    use super::super::{Repository, View, run};
    use crate::artifact::{MemoryTree, Tree as _};
    use crate::config::{self, Config};
    use crate::diag::{FileId, Finding, Findings, SourceMap, Span};
    use crate::flux::FluxVersion;
    use crate::helm::RenderOptions;
    use crate::pipeline::{Sources, build, entry, render};
    use crate::resource::Files;
    use crate::schema::KubernetesVersion;

    /// What `check` finds in an example.
    pub(in crate::check) fn check(text: &str) -> Vec<Finding> {
        let mut tree = MemoryTree::new("");
        for (path, content) in super::files(text) {
            tree.insert(path, content.as_bytes());
        }
        let source_map = Arc::new(SourceMap::new());
        let config = match tree.read(config::FILE_NAME) {
            Ok(bytes) => {
                let text = String::from_utf8(bytes.to_vec()).unwrap();
                Config::parse(&text, FileId::default()).unwrap()
            }
            Err(_) => Config::default(),
        };
        let files = Arc::new(Files::new(Arc::new(tree), source_map.clone()));
        let sources = Sources::new(files.clone());
        let settings = Settings::new(&config, Span::NONE, &[], "2026-11-23").unwrap();
        let mut told = Findings::new();
        let entries = entry::find(&files, &config).unwrap();
        let mut clusters = Vec::new();
        for entry in &entries {
            let options = render::Options {
                keep_going: true,
                charts: RenderOptions {
                    tell_unused: true,
                    ..RenderOptions::default()
                },
                substitutes: config.substitute.clone(),
                ..render::Options::new(source_map.clone())
            };
            match build::build(entry, &sources, &options, &mut told) {
                Ok(cluster) => clusters.push(cluster),
                Err(e) => told.push(e.to_finding(&source_map)),
            }
        }
        let repository = Repository {
            sources,
            config,
            source_map,
            is_whole: true,
            is_part: false,
            today: "2026-11-23".into(),
        };
        let views: Vec<View<'_>> = clusters
            .iter()
            .map(|cluster| {
                View::new(
                    &repository,
                    cluster,
                    FluxVersion::NEWEST,
                    KubernetesVersion::NEWEST,
                )
            })
            .collect();
        run(&repository, &views, told, &settings)
    }

    /// What a rule finds in an example: severity, place, message.
    pub(in crate::check) fn found(rule: &str, text: &str) -> Vec<String> {
        check(text)
            .into_iter()
            .filter(|f| *f.rule == *rule)
            .map(|f| {
                let place = f.location.map_or_else(String::new, |l| {
                    format!("{}:{}:{}", l.file, l.line, l.column)
                });
                format!("{} {place} {}", f.severity.name(), f.message)
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Check, RULES};
    use super::*;
    use crate::diag::Severity;

    #[test]
    fn files_begin_at_their_marks() {
        let files = files("a: 1\n-- b/c.yaml --\nb: 2\n");
        assert_eq!(
            files[0],
            ("clusters/prod/example.yaml".into(), "a: 1\n".into())
        );
        assert_eq!(files[1], ("b/c.yaml".into(), "b: 2\n".into()));
        assert_eq!(files.len(), 3);
    }

    #[test]
    fn every_rule_finds_its_bad_example_and_not_its_good_one() {
        let mut wrong = Vec::new();
        for rule in RULES {
            if rule.bad.is_empty() {
                assert!(
                    matches!(rule.check, Check::Rendering),
                    "{} has no example",
                    rule.id
                );
                continue;
            }
            let bad = testing::check(rule.bad);
            let found: Vec<_> = bad.iter().filter(|f| *f.rule == *rule.id).collect();
            if found.is_empty() {
                wrong.push(format!("{} finds nothing: {bad:#?}", rule.id));
            }
            for finding in found {
                if finding.location.is_none() || finding.help.is_none() {
                    wrong.push(format!("{} has no place, or no help", rule.id));
                }
            }
            let good = testing::check(rule.good);
            let left = good
                .into_iter()
                .filter(|f| *f.rule == *rule.id || f.severity == Severity::Error);
            for finding in left {
                wrong.push(format!("{} when mended: {finding:#?}", rule.id));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
}
