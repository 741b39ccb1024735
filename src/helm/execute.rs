//! The templates of a release, executed: what they see, and what they write.
//!
//! In: the charts of a release and their values. Out: the text of each template
//! file, with where it comes from.

use std::rc::Rc;
use std::sync::Arc;

use rayon::prelude::*;

use super::chart::ChartFile;
use super::dependencies::Instance;
use super::errors;
use super::files::Files;
use super::load;
use super::manifest::Output;
use super::objects::{CapabilitiesObject, VALUES};
use super::render::Rendering;
use crate::diag::Result;
use crate::gotmpl::value::{Entries, List, Map, MapType, Text, Value};
use crate::gotmpl::{
    self, Environment, Failure, Limits, Machine, Made, MissingKey, RandomCounts, Set, World,
};

/// Templates that are parsed by several threads.
const MANY_TEMPLATES: usize = 48;

/// A template file of a release.
struct Renderable {
    /// The path below the root chart.
    path: Arc<str>,
    /// The path of the chart's templates.
    base: Arc<str>,
    file: Arc<ChartFile>,
    /// What the templates of the chart see.
    scope: Map,
}

/// The templates of a release, parsed, in the order in which Helm renders them.
pub(super) struct Prepared {
    set: Arc<Set>,
    templates: Vec<Renderable>,
    /// What the templates of the root chart see, and in it what all others do.
    root: Map,
}

impl Prepared {
    /// Begins to watch what templates share.
    pub(super) fn watch(&self) {
        self.root.watch();
    }

    /// Renders one of the templates.
    fn render(
        &self,
        index: usize,
        template: &Renderable,
        machine: &mut Machine,
    ) -> std::result::Result<Output, Failure> {
        let names: Entries = [
            ("Name".into(), Value::text(template.path.clone())),
            ("BasePath".into(), Value::text(template.base.clone())),
        ]
        .into();
        template.scope.change_quietly(|scope| {
            scope.insert("Template".into(), Map::new(&VALUES, names).into());
        });
        let dot = template.scope.typed(&VALUES).into();
        let changes = Map::changes();
        let rendering = machine.render(&self.set, &template.path, dot)?;
        let text = gotmpl::without_no_value(rendering.text);
        Ok(Output {
            path: template.path.clone(),
            file: template.file.clone(),
            text: text.to_shared(),
            marks: rendering.marks,
            random: rendering.random,
            counts: rendering.counts,
            template: index,
            leaves_changes: Map::changes() != changes,
        })
    }
}

impl Rendering<'_> {
    /// Gathers and parses the templates.
    pub(super) fn prepare(&self, instance: &Instance, values: &Map) -> Result<Prepared> {
        let mut templates = Vec::new();
        let root = self.scope(instance, values, true);
        collect(self, instance, &instance.name, &root, &mut templates);
        // Compat: deeper paths come first, and later ones of one depth; a
        // definition that comes later replaces one that came before.
        templates.sort_by(|a, b| {
            let depth = |path: &str| path.matches('/').count();
            (depth(&b.path), &b.path).cmp(&(depth(&a.path), &a.path))
        });
        let set = Arc::new(self.parse(&templates)?);
        Ok(Prepared {
            set,
            templates,
            root,
        })
    }

    /// Renders all templates, in Helm's order; tells what random calls gave.
    pub(super) fn execute(
        &self,
        instance: &Instance,
        prepared: &Prepared,
        limits: Limits,
        world: World,
    ) -> Result<(Vec<Output>, Made)> {
        let mut machine = self.machine(limits, world);
        let mut outputs = Vec::with_capacity(prepared.templates.len());
        for (index, template) in prepared.templates.iter().enumerate() {
            let file_name = template.path.rsplit('/').next().unwrap_or_default();
            if file_name.starts_with('_') {
                continue;
            }
            let output = prepared
                .render(index, template, &mut machine)
                .map_err(|failure| errors::failed(&failure, instance, self.values, self.sources))?;
            outputs.push(output);
        }
        Ok((outputs, machine.into_made()))
    }

    /// Renders one template, as if calls had given random values before; none
    /// where it fails.
    pub(super) fn execute_one(
        &self,
        prepared: &Prepared,
        index: usize,
        counts: RandomCounts,
        limits: Limits,
        world: World,
    ) -> Option<Output> {
        let mut machine = self.machine(limits, world).behind(counts);
        let template = prepared.templates.get(index)?;
        prepared.render(index, template, &mut machine).ok()
    }

    fn machine(&self, limits: Limits, mut world: World) -> Machine {
        // Two releases of one chart have nothing in common.
        let release = self.release;
        world.seed = world.seed.of_part(&[&release.namespace, &release.name]);
        Machine::new(Environment {
            missing_key: MissingKey::Zero,
            functions: gotmpl::functions::all().clone(),
            limits,
            world,
        })
    }

    /// Parses all templates, each once for all releases of its chart.
    fn parse(&self, renderables: &[Renderable]) -> Result<Set> {
        if load::is_worth_threads(renderables.len(), MANY_TEMPLATES) {
            let files: Vec<&ChartFile> = renderables.iter().map(|r| &*r.file).collect();
            files.into_par_iter().for_each(|file| {
                // Errors are told below, in order.
                let _ = file.template();
            });
        }
        let mut set = Set::new();
        for renderable in renderables {
            let invalid = |e: &gotmpl::ParseError| {
                errors::not_parsed(e, &renderable.path, &renderable.file, self.sources)
            };
            let source = renderable.file.template()?.map_err(invalid)?;
            set.add(renderable.path.clone(), source.clone())
                .map_err(|e| invalid(&e))?;
        }
        Ok(set)
    }

    /// What the templates of a chart see.
    fn scope(&self, instance: &Instance, values: &Map, is_root: bool) -> Map {
        let release: Entries = [
            ("Name", Value::text(self.release.name.clone())),
            ("Namespace", Value::text(self.release.namespace.clone())),
            ("IsUpgrade", Value::Bool(self.release.is_upgrade)),
            ("IsInstall", Value::Bool(!self.release.is_upgrade)),
            ("Revision", Value::int(self.release.revision)),
            ("Service", Value::text("Helm")),
        ]
        .into_iter()
        .map(|(key, value)| (Text::from(key), value))
        .collect();
        let capabilities = CapabilitiesObject(self.capabilities.clone());
        let scope: Entries = [
            ("Chart", metadata(instance, is_root).into()),
            (
                "Files",
                Value::Object(Rc::new(Files::new(instance.chart.files()))),
            ),
            ("Release", Map::any(release).into()),
            ("Capabilities", Value::Object(Rc::new(capabilities))),
            ("Values", values.typed(&VALUES).into()),
        ]
        .into_iter()
        .map(|(key, value)| (Text::from(key), value))
        .collect();
        Map::any(scope)
    }
}

/// Gathers the templates of a chart and those below it.
fn collect(
    rendering: &Rendering<'_>,
    instance: &Instance,
    path: &str,
    scope: &Map,
    renderables: &mut Vec<Renderable>,
) {
    let own = |key: &str| scope.get(key.as_bytes()).unwrap_or_default();
    let mut subcharts = Entries::new();
    for child in &instance.dependencies {
        let values = match own("Values") {
            Value::Map(values) => match values.get(child.name.as_bytes()) {
                Some(Value::Map(values)) => values,
                _ => Map::any(Entries::new()),
            },
            _ => Map::any(Entries::new()),
        };
        let below = rendering.scope(child, &values, false);
        // All charts share what is said of the release.
        below.change(|e| e.insert("Release".into(), own("Release")));
        let path = format!("{path}/charts/{}", child.name);
        collect(rendering, child, &path, &below, renderables);
        subcharts.insert(Text::from(child.name.clone()), below.into());
    }
    scope.change(|e| e.insert("Subcharts".into(), Map::any(subcharts).into()));
    let is_library = instance.chart.metadata().is_library();
    let base: Arc<str> = format!("{path}/templates").into();
    for file in instance.chart.templates() {
        let name = file.name.rsplit('/').next().unwrap_or_default();
        if is_library && !name.starts_with('_') {
            continue;
        }
        renderables.push(Renderable {
            path: format!("{path}/{}", file.name).into(),
            base: base.clone(),
            file: file.clone(),
            scope: scope.clone(),
        });
    }
}

/// `.Chart`
///
/// Compat: `pkg/chart/common.go` `structToMap`: the names of Go's fields, and
/// lists where there are none.
fn metadata(instance: &Instance, is_root: bool) -> Map {
    let metadata = instance.chart.metadata();
    let text = |text: &Arc<str>| Value::text(text.clone());
    let texts =
        |texts: &[Arc<str>]| -> Value { List::any(texts.iter().map(text).collect()).into() };
    let table = |entries: Vec<(&str, Value)>| -> Value {
        Map::any(
            entries
                .into_iter()
                .map(|(k, v)| (Text::from(k), v))
                .collect(),
        )
        .into()
    };
    let maintainers = metadata.maintainers.iter().map(|m| {
        table(vec![
            ("Name", text(&m.name)),
            ("Email", text(&m.email)),
            ("URL", text(&m.url)),
        ])
    });
    let dependencies = instance.declared.iter().flatten().map(|d| {
        let imports = d.import_values.iter().map(Value::from_yaml).collect();
        table(vec![
            ("Name", text(&d.name)),
            ("Version", text(&d.version)),
            ("Repository", text(&d.repository)),
            ("Condition", text(&d.condition)),
            ("Tags", texts(&d.tags)),
            ("Enabled", Value::Bool(d.enabled)),
            ("ImportValues", List::any(imports).into()),
            ("Alias", text(&d.alias)),
        ])
    });
    let annotations = match &metadata.annotations {
        Some(annotations) => {
            let entries = annotations
                .iter()
                .map(|(k, v)| (Text::from(k.clone()), text(v)));
            Map::new(MapType::TEXTS, entries.collect())
        }
        None => Map::nil(MapType::TEXTS),
    };
    Map::any(
        [
            ("Name", text(&instance.name)),
            ("Home", text(&metadata.home)),
            ("Sources", texts(&metadata.sources)),
            ("Version", text(&metadata.version)),
            ("Description", text(&metadata.description)),
            ("Keywords", texts(&metadata.keywords)),
            ("Maintainers", List::any(maintainers.collect()).into()),
            ("Icon", text(&metadata.icon)),
            ("APIVersion", text(&metadata.api_version)),
            ("Condition", text(&metadata.condition)),
            ("Tags", text(&metadata.tags)),
            ("AppVersion", text(&metadata.app_version)),
            ("Deprecated", Value::Bool(metadata.deprecated)),
            ("Annotations", annotations.into()),
            ("KubeVersion", text(&metadata.kube_version)),
            ("Dependencies", List::any(dependencies.collect()).into()),
            ("Type", text(&metadata.chart_type)),
            ("IsRoot", Value::Bool(is_root)),
        ]
        .into_iter()
        .map(|(key, value)| (Text::from(key), value))
        .collect(),
    )
}
