//! Rendering: a chart and values to objects.
//!
//! Compat: Helm 4.3.1 `pkg/action/install.go`, `pkg/action/action.go`
//! `renderResources`, `pkg/engine/engine.go`.

use std::sync::Arc;

use super::again::Trials;
use super::capabilities::Capabilities;
use super::chart::{Chart, ChartFile};
use super::coalesce::{self, Nulls, Warnings};
use super::dependencies::{Instance, is_compatible};
use super::errors;
use super::landing;
use super::manifest::{self, Hook, Manifest, Output, Sorted};
use super::parsed::Parsed;
use super::random;
use super::schema::RemoteSchemas;
use super::user::UserValues;
use crate::diag::{Error, Finding, Findings, Result, Severity, SourceMap};
use crate::gotmpl::value::Map;
use crate::gotmpl::{self, Limits, RandomCall, World};

/// What a release is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReleaseOptions {
    /// Its name.
    pub name: Arc<str>,
    /// Its namespace.
    pub namespace: Arc<str>,
    /// Its revision, from 1.
    pub revision: i64,
    /// Whether an upgrade is rendered, not an installation.
    pub is_upgrade: bool,
}

impl ReleaseOptions {
    /// A first installation.
    pub fn new(name: impl Into<Arc<str>>, namespace: impl Into<Arc<str>>) -> ReleaseOptions {
        ReleaseOptions {
            name: name.into(),
            namespace: namespace.into(),
            revision: 1,
            is_upgrade: false,
        }
    }
}

/// Whether a release may be called so: like a host name, of at most 53
/// characters.
///
/// Compat: `pkg/chart/v2/util/validate_name.go` `ValidateReleaseName`.
pub fn is_release_name(name: &str) -> bool {
    let is_word = |c: &u8| c.is_ascii_lowercase() || c.is_ascii_digit();
    name.len() <= 53
        && name.split('.').all(|part| {
            let bytes = part.as_bytes();
            bytes.first().is_some_and(is_word)
                && bytes.last().is_some_and(is_word)
                && bytes.iter().all(|c| is_word(c) || *c == b'-')
        })
}

/// How to render.
#[derive(Clone, Debug, Default)]
pub struct RenderOptions {
    /// Whether values are held against the schemas of charts.
    pub skip_schema_validation: bool,
    /// What schemas refer to by address; without it, values are not held to
    /// such schemas.
    pub schemas: Option<Arc<dyn RemoteSchemas>>,
    /// How much templates may cost.
    pub limits: Limits,
    /// What templates may ask of the world outside.
    pub world: World,
    /// Whether what is no YAML is given in [`Rendered::invalid`] instead of an
    /// error.
    pub keep_invalid: bool,
    /// What other renderings of the same chart have read, where there are any.
    pub parsed: Option<Arc<Parsed>>,
    /// Whether objects are only wanted as text.
    pub as_text: bool,
    /// Whether whoever renders is to tell the values that no template reads, as
    /// [`unused`](fn@super::unused) finds them.
    pub tell_unused: bool,
}

/// What templates wrote that is no YAML.
#[derive(Debug)]
pub struct Invalid {
    /// What is wrong with it.
    pub error: Error,
    /// All that templates wrote, as `helm template --debug` prints it.
    pub text: String,
}

/// A definition from `crds/`.
#[derive(Clone, Debug)]
pub struct Definition {
    /// Its path below the root chart, with the names that charts go by.
    pub path: Arc<str>,
    /// Its file.
    pub file: Arc<ChartFile>,
}

/// What a chart renders to.
#[derive(Debug)]
pub struct Rendered {
    /// The objects, in the order of their installation.
    pub manifests: Vec<Manifest>,
    /// The hooks, in the order of their kinds.
    pub hooks: Vec<Hook>,
    /// The definitions of the chart and those below it.
    pub definitions: Vec<Definition>,
    /// What `NOTES.txt` says; empty where there is none.
    pub notes: String,
    /// What is to be said besides.
    pub findings: Findings,
    /// What is no YAML; only where [`RenderOptions::keep_invalid`] asks for it,
    /// and then there is nothing else.
    pub invalid: Option<Invalid>,
}

/// Renders a chart.
///
/// # Errors
///
/// What Helm refuses, with the place in the template or values file; the rules
/// are those of the family `helm`.
pub fn render(
    chart: &Arc<Chart>,
    values: &UserValues,
    release: &ReleaseOptions,
    capabilities: &Arc<Capabilities>,
    options: &RenderOptions,
    sources: &SourceMap,
) -> Result<Rendered> {
    gotmpl::with_large_stack(|| {
        Rendering {
            chart,
            values,
            release,
            capabilities,
            options,
            sources,
            findings: Findings::new(),
        }
        .run()
    })
}

/// A release that is being rendered.
pub(super) struct Rendering<'r> {
    chart: &'r Arc<Chart>,
    pub(super) values: &'r UserValues,
    pub(super) release: &'r ReleaseOptions,
    pub(super) capabilities: &'r Arc<Capabilities>,
    pub(super) options: &'r RenderOptions,
    pub(super) sources: &'r SourceMap,
    findings: Findings,
}

impl Rendering<'_> {
    fn run(mut self) -> Result<Rendered> {
        let metadata = self.chart.metadata();
        if metadata.is_library() {
            return Err(
                Error::new("helm/chart-invalid", "library charts are not installable")
                    .at(self.chart.metadata_file().span(self.sources, 1, 1))
                    .help("depend on it from a chart of type application"),
            );
        }
        if metadata.deprecated {
            self.warn("helm/deprecated-chart", "this chart is deprecated");
        }
        self.check_dependencies()?;
        let (instance, values) = self.compose()?;
        self.check_kube_version()?;
        let mut world = self.options.world.clone();
        if let Some(parsed) = &self.options.parsed {
            world.texts = parsed.texts.clone();
        }
        let prepared = self.prepare(&instance, &values)?;
        prepared.watch();
        let (outputs, made) = self.execute(&instance, &prepared, self.options.limits, world)?;
        let calls = random::calls(&outputs, &self.options.world.seed);
        let asking: Vec<Output> = if calls.is_empty() {
            Vec::new()
        } else {
            let matters = |o: &&Output| o.leaves_changes || !o.random.is_empty();
            outputs.iter().filter(matters).cloned().collect()
        };
        let (notes, outputs): (Vec<Output>, Vec<Output>) = outputs
            .into_iter()
            .partition(|output| output.path.ends_with("NOTES.txt"));
        let own_notes = format!("{}/templates/NOTES.txt", instance.name);
        let notes = notes
            .into_iter()
            .find(|output| *output.path == *own_notes)
            .map_or_else(String::new, |output| output.text.to_string());
        let whole = self
            .options
            .keep_invalid
            .then(|| manifest::as_one_text(&outputs));
        let with_objects = !self.options.as_text;
        let (sorted, invalid) = match (self.sort(outputs, with_objects), whole) {
            (Ok(sorted), _) => (sorted, None),
            (Err(error), Some(text)) => {
                (manifest::Sorted::default(), Some(Invalid { error, text }))
            }
            (Err(error), None) => return Err(error),
        };
        for (manifest, hook) in &sorted.unknown_hooks {
            let place = manifest.origin.line(1, self.sources);
            self.findings.push(
                Finding::new(
                    "helm/unknown-hook",
                    Severity::Warning,
                    format!("Helm knows no hook `{hook}` and leaves the object out"),
                )
                .at(place, self.sources)
                .help("name one of Helm's hooks, such as pre-install"),
            );
        }
        if invalid.is_none() && !calls.is_empty() {
            let trials = Trials::new(&self, &instance, &prepared, asking);
            let place = |call: &RandomCall| {
                let file = errors::file_at(&instance, &call.file).map(|(_, file)| file);
                let description = self.chart.metadata_file();
                random::place_of(call, file.as_ref(), description, self.sources)
            };
            let told = random::findings(
                &calls,
                &landing::of(&made, &calls, &sorted),
                |sites| trials.landings(sites),
                place,
                self.sources,
            );
            self.findings.extend(told);
        }
        let mut definitions = Vec::new();
        collect_definitions(&instance, &instance.name, &mut definitions);
        Ok(Rendered {
            manifests: sorted.manifests,
            hooks: sorted.hooks,
            definitions,
            notes,
            findings: self.findings,
            invalid,
        })
    }

    /// What templates wrote, cut into objects.
    pub(super) fn sort(&self, outputs: Vec<Output>, with_objects: bool) -> Result<Sorted> {
        let parsed = self.options.parsed.as_deref();
        manifest::sort(outputs, with_objects, parsed, self.sources)
    }

    fn warn(&mut self, rule: &'static str, message: impl Into<String>) {
        let place = self.chart.metadata_file().span(self.sources, 1, 1);
        self.findings
            .push(Finding::new(rule, Severity::Warning, message).at(place, self.sources));
    }

    /// Makes sure that the charts are there that `Chart.yaml` names.
    fn check_dependencies(&self) -> Result<()> {
        let declared = self.chart.metadata().dependencies.as_deref();
        let missing: Vec<&str> = declared
            .unwrap_or_default()
            .iter()
            .filter(|declared| {
                let mut present = self.chart.dependencies().iter();
                !present.any(|chart| chart.metadata().name == declared.name)
            })
            .map(|declared| &*declared.name)
            .collect();
        if missing.is_empty() {
            return Ok(());
        }
        Err(Error::new(
            "helm/missing-dependency",
            format!(
                "found in Chart.yaml, but missing in charts/ directory: {}",
                missing.join(", ")
            ),
        )
        .at(self.chart.metadata_file().span(self.sources, 1, 1))
        .help("run `helm dependency build` in the chart's folder"))
    }

    fn check_kube_version(&self) -> Result<()> {
        let range = &self.chart.metadata().kube_version;
        let version = &self.capabilities.kube_version;
        if range.is_empty() || is_compatible(range, &version.normalized) {
            return Ok(());
        }
        Err(Error::new(
            "helm/kube-version",
            format!(
                "chart requires kubeVersion: {range} which is incompatible with Kubernetes {}",
                version.version
            ),
        )
        .at(self.chart.metadata_file().span(self.sources, 1, 1))
        .help("choose another version by --kube-version"))
    }

    /// The charts of the release and their values.
    fn compose(&mut self) -> Result<(Instance, Map)> {
        let (instance, values, mut warnings) = self.coalesce()?;
        warnings.dedup();
        for warning in warnings {
            self.warn("helm/values-conflict", warning);
        }
        if !self.options.skip_schema_validation {
            super::schema::validate(
                &instance,
                &values,
                self.values,
                self.options.schemas.as_deref(),
                self.sources,
                &mut self.findings,
            )?;
        }
        Ok((instance, values))
    }

    pub(super) fn coalesce(&self) -> Result<(Instance, Map, Warnings)> {
        let wrong = |message: String| Error::new("helm/values-invalid", message);
        let mut warnings = Warnings::new();
        let user = Map::any(super::chart::entries_of(self.values.map()));
        let mut instance = Instance::new(self.chart);
        instance.process(&user, &mut warnings).map_err(wrong)?;
        let values =
            coalesce::values(&instance, &user, Nulls::Delete, &mut warnings).map_err(wrong)?;
        Ok((instance, values, warnings))
    }
}

fn collect_definitions(instance: &Instance, path: &str, definitions: &mut Vec<Definition>) {
    definitions.extend(instance.chart.definitions().map(|file| Definition {
        path: format!("{path}/{}", file.name).into(),
        file: file.clone(),
    }));
    for child in &instance.dependencies {
        let path = format!("{path}/charts/{}", child.name);
        collect_definitions(child, &path, definitions);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use rayon::prelude::*;

    use super::*;
    use crate::artifact::{MemoryTree, Tree};

    fn chart(files: &[(&str, &str)]) -> Arc<Chart> {
        let mut tree = MemoryTree::new("memory");
        for (path, text) in files {
            tree.insert(*path, text.as_bytes());
        }
        let tree: Arc<dyn Tree> = Arc::new(tree);
        Chart::load(&tree, "", &SourceMap::new()).unwrap()
    }

    const METADATA: (&str, &str) = ("Chart.yaml", "apiVersion: v2\nname: c\nversion: 1.0.0\n");

    fn render_as(chart: &Arc<Chart>, name: &str) -> Rendered {
        render(
            chart,
            &UserValues::new(),
            &ReleaseOptions::new(name, "apps"),
            &Arc::new(Capabilities::default()),
            &RenderOptions::default(),
            &SourceMap::new(),
        )
        .unwrap()
    }

    #[test]
    fn a_hundred_releases_parse_templates_once() {
        let chart = chart(&[
            METADATA,
            (
                "templates/_names.tpl",
                "{{ define \"name\" }}{{ .Release.Name }}{{ end }}",
            ),
            (
                "templates/a.yaml",
                "kind: A\nname: {{ include \"name\" . }}\n",
            ),
            ("templates/b.yaml", "kind: B\n"),
        ]);
        let outputs: Vec<String> = (0..100)
            .into_par_iter()
            .map(|i| {
                let rendered = render_as(&chart, &format!("r{i}"));
                rendered.manifests.iter().map(|m| &*m.content).collect()
            })
            .collect();
        for (i, output) in outputs.iter().enumerate() {
            assert_eq!(*output, format!("kind: A\nname: r{i}\nkind: B\n"));
        }
        for file in chart.templates() {
            assert_eq!(file.parses.load(Ordering::Relaxed), 1, "{}", file.name);
        }
    }

    #[test]
    fn charts_and_what_they_render_to_cross_threads() {
        fn crosses<T: Send + Sync>() {}
        crosses::<Arc<Chart>>();
        crosses::<UserValues>();
        crosses::<RenderOptions>();
        crosses::<Rendered>();
    }

    /// Messages of findings about random values, sorted.
    fn told(rendered: &Rendered) -> Vec<String> {
        let findings = rendered.findings.as_slice().iter();
        let random = findings.filter(|f| &*f.rule == "render/random");
        let mut messages: Vec<String> = random.map(|f| f.message.clone()).collect();
        messages.sort();
        messages
    }

    #[test]
    fn random_values_are_told_where_they_land() {
        let chart = chart(&[
            METADATA,
            (
                "templates/_names.tpl",
                "{{ define \"made\" }}{{ randAlphaNum 9 }}{{ end }}",
            ),
            // Deeper and later files are rendered first.
            (
                "templates/z.yaml",
                "{{ $unused := uuidv4 }}{{ $_ := set .Values \"made\" (include \"made\" .) }}",
            ),
            (
                "templates/a.yaml",
                "kind: Secret\nmetadata: {name: s, annotations: {sum: {{ sha256sum .Values.made }}}}\n\
                 data:\n  password: {{ .Values.made | b64enc }}\n  key: {{ genPrivateKey \"rsa\" | b64enc }}\n\
                 made: {{ now | date \"2006\" | quote }}\n",
            ),
            (
                "templates/b.yaml",
                "kind: A\nx: {{ if gt (len (randAlpha 4)) 3 }}1{{ end }}\nmetadata: {name: a}\n",
            ),
        ]);
        let rendered = render_as(&chart, "r");
        let made = |function, place| {
            format!("`{function}` makes a value that anybody can make again in {place}")
        };
        assert_eq!(
            told(&rendered),
            [
                made("genPrivateKey", "`/data/key` of Secret `s`"),
                "`now` gives the time of the build, not of the installation in `/made` of Secret `s`"
                    .to_owned(),
                made(
                    "randAlphaNum",
                    "`/metadata/annotations/sum` and `/data/password` of Secret `s`"
                ),
            ]
        );
        // Looking does not change what is rendered, and releases differ.
        let text = |rendered: &Rendered| rendered.manifests[0].content.clone();
        assert_eq!(text(&rendered), text(&render_as(&chart, "r")));
        assert_ne!(text(&rendered), text(&render_as(&chart, "other")));
    }

    #[test]
    fn objects_hooks_definitions_and_notes() {
        let chart = chart(&[
            METADATA,
            ("crds/x.yaml", "kind: CustomResourceDefinition\n"),
            ("templates/NOTES.txt", "hello {{ .Release.Namespace }}"),
            (
                "templates/all.yaml",
                "kind: Deployment\nmetadata: {name: d, namespace: shop}\n---\n\
                 kind: Secret\nmetadata: {name: s}\n---\n\
                 kind: Job\nmetadata: {name: j, annotations: {helm.sh/hook: pre-install}}\n---\n\
                 kind: Job\nmetadata: {name: k, annotations: {helm.sh/hook: unheard-of}}\n",
            ),
        ]);
        let rendered = render_as(&chart, "r");
        let kinds: Vec<&str> = rendered.manifests.iter().map(|m| &*m.kind).collect();
        assert_eq!(kinds, ["Secret", "Deployment"]);
        assert_eq!(&*rendered.manifests[1].namespace, "shop");
        assert_eq!(&*rendered.hooks[0].manifest.name, "j");
        assert_eq!(rendered.notes, "hello apps");
        assert_eq!(&*rendered.definitions[0].path, "c/crds/x.yaml");
        let finding = &rendered.findings.as_slice()[0];
        assert_eq!(&*finding.rule, "helm/unknown-hook");
        assert!(finding.message.contains("unheard-of"));
    }
}
