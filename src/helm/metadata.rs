//! What `Chart.yaml` says.
//!
//! Compat: Helm 4.3.1 `pkg/chart/v2/metadata.go`, `dependency.go`.

use std::sync::Arc;

use super::typed::{Fields, Result};
use crate::gostd::semver::Version;
use crate::gostd::{strconv, unicode};
use crate::yaml::Value;

/// The metadata of a chart.
#[derive(Clone, Debug, Default, PartialEq)]
#[expect(missing_docs, reason = "the fields of Chart.yaml")]
pub struct Metadata {
    pub name: Arc<str>,
    pub home: Arc<str>,
    pub sources: Vec<Arc<str>>,
    pub version: Arc<str>,
    pub description: Arc<str>,
    pub keywords: Vec<Arc<str>>,
    pub maintainers: Vec<Maintainer>,
    pub icon: Arc<str>,
    pub api_version: Arc<str>,
    pub condition: Arc<str>,
    pub tags: Arc<str>,
    pub app_version: Arc<str>,
    pub deprecated: bool,
    /// None where the file has no annotations.
    pub annotations: Option<Vec<(Arc<str>, Arc<str>)>>,
    pub kube_version: Arc<str>,
    /// None where the file has no dependencies.
    pub dependencies: Option<Vec<Dependency>>,
    pub chart_type: Arc<str>,
}

/// Who looks after a chart.
#[derive(Clone, Debug, Default, PartialEq)]
#[expect(missing_docs, reason = "the fields of Chart.yaml")]
pub struct Maintainer {
    pub name: Arc<str>,
    pub email: Arc<str>,
    pub url: Arc<str>,
}

/// A chart that a chart needs.
#[derive(Clone, Debug, Default, PartialEq)]
#[expect(missing_docs, reason = "the fields of Chart.yaml")]
pub struct Dependency {
    pub name: Arc<str>,
    pub version: Arc<str>,
    pub repository: Arc<str>,
    pub condition: Arc<str>,
    pub tags: Vec<Arc<str>>,
    pub enabled: bool,
    pub import_values: Vec<Value>,
    pub alias: Arc<str>,
}

impl Dependency {
    /// The name that the chart has among the values of its parent.
    pub fn effective_name(&self) -> &Arc<str> {
        if self.alias.is_empty() {
            &self.name
        } else {
            &self.alias
        }
    }
}

impl Metadata {
    /// Reads `Chart.yaml`, or adds what `requirements.yaml` says.
    pub(super) fn read(&mut self, value: &Value) -> Result<()> {
        let Some(fields) = Fields::of(value, "Metadata.")? else {
            return Ok(());
        };
        for (name, slot) in [
            ("name", &mut self.name),
            ("home", &mut self.home),
            ("version", &mut self.version),
            ("description", &mut self.description),
            ("icon", &mut self.icon),
            ("apiVersion", &mut self.api_version),
            ("condition", &mut self.condition),
            ("tags", &mut self.tags),
            ("appVersion", &mut self.app_version),
            ("kubeVersion", &mut self.kube_version),
            ("type", &mut self.chart_type),
        ] {
            if fields.value(name).is_some() {
                *slot = fields.text(name)?;
            }
        }
        if fields.value("deprecated").is_some() {
            self.deprecated = fields.boolean("deprecated")?;
        }
        if let Some(sources) = fields.texts("sources")? {
            self.sources = sources;
        }
        if let Some(keywords) = fields.texts("keywords")? {
            self.keywords = keywords;
        }
        if let Some(annotations) = fields.text_map("annotations")? {
            self.annotations = Some(annotations);
        }
        if let Some(maintainers) = fields.list("maintainers", "[]*v2.Maintainer")? {
            self.maintainers = maintainers.iter().map(maintainer).collect::<Result<_>>()?;
        }
        if let Some(dependencies) = fields.list("dependencies", "[]*v2.Dependency")? {
            let read: Result<Vec<Dependency>> = dependencies.iter().map(dependency).collect();
            self.dependencies = Some(read?);
        }
        Ok(())
    }

    /// Checks what must be there, and puts texts in order as Helm does.
    ///
    /// The error is Helm's message.
    pub(super) fn validate(&mut self) -> Result<()> {
        for text in [
            &mut self.name,
            &mut self.description,
            &mut self.home,
            &mut self.icon,
            &mut self.condition,
            &mut self.tags,
            &mut self.app_version,
            &mut self.kube_version,
        ]
        .into_iter()
        .chain(&mut self.sources)
        .chain(&mut self.keywords)
        {
            sanitize(text);
        }
        let quoted = |text: &str| strconv::quote(text);
        if self.api_version.is_empty() {
            return Err("chart.metadata.apiVersion is required".to_owned());
        }
        if self.name.is_empty() {
            return Err("chart.metadata.name is required".to_owned());
        }
        if matches!(&*self.name, "." | "..") {
            return Err(format!(
                "chart.metadata.name {} is not allowed",
                quoted(&self.name)
            ));
        }
        if self.name.contains('/') {
            return Err(format!(
                "chart.metadata.name {} is invalid",
                quoted(&self.name)
            ));
        }
        if self.version.is_empty() {
            return Err("chart.metadata.version is required".to_owned());
        }
        if Version::parse(&self.version).is_err() {
            return Err(format!(
                "chart.metadata.version {} is invalid",
                quoted(&self.version)
            ));
        }
        if !matches!(&*self.chart_type, "" | "application" | "library") {
            return Err("chart.metadata.type must be application or library".to_owned());
        }
        for maintainer in &mut self.maintainers {
            sanitize(&mut maintainer.name);
            sanitize(&mut maintainer.email);
            sanitize(&mut maintainer.url);
        }
        let dependencies = self.dependencies.as_deref_mut().unwrap_or_default();
        for i in 0..dependencies.len() {
            let (before, rest) = dependencies.split_at_mut(i);
            let Some(dependency) = rest.first_mut() else {
                break;
            };
            dependency.validate()?;
            let name = dependency.effective_name();
            if before.iter().any(|d| d.effective_name() == name) {
                return Err(format!(
                    "more than one dependency with name or alias {}",
                    quoted(name)
                ));
            }
        }
        Ok(())
    }

    /// Whether it is of a library, which only defines templates.
    pub fn is_library(&self) -> bool {
        self.chart_type.eq_ignore_ascii_case("library")
    }
}

impl Dependency {
    fn validate(&mut self) -> Result<()> {
        for text in [
            &mut self.name,
            &mut self.version,
            &mut self.repository,
            &mut self.condition,
        ]
        .into_iter()
        .chain(&mut self.tags)
        {
            sanitize(text);
        }
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
        if self.alias.chars().all(allowed) {
            Ok(())
        } else {
            Err(format!(
                "dependency {} has disallowed characters in the alias",
                strconv::quote(&self.name)
            ))
        }
    }
}

fn maintainer(value: &Value) -> Result<Maintainer> {
    let Some(fields) = Fields::of(value, "Metadata.maintainers.")? else {
        return Err("maintainers must not contain empty or null nodes".to_owned());
    };
    Ok(Maintainer {
        name: fields.text("name")?,
        email: fields.text("email")?,
        url: fields.text("url")?,
    })
}

/// The dependencies of a `Chart.lock`.
pub(super) fn locked_dependencies(value: &Value) -> Result<Vec<Dependency>> {
    let Some(fields) = Fields::of(value, "Lock.")? else {
        return Ok(Vec::new());
    };
    let list = fields.list("dependencies", "[]*chart.Dependency")?;
    list.unwrap_or_default().iter().map(dependency).collect()
}

fn dependency(value: &Value) -> Result<Dependency> {
    let Some(fields) = Fields::of(value, "Metadata.dependencies.")? else {
        return Err("dependencies must not contain empty or null nodes".to_owned());
    };
    Ok(Dependency {
        name: fields.text("name")?,
        version: fields.text("version")?,
        repository: fields.text("repository")?,
        condition: fields.text("condition")?,
        tags: fields.texts("tags")?.unwrap_or_default(),
        enabled: fields.boolean("enabled")?,
        import_values: fields
            .list("import-values", "[]interface {}")?
            .unwrap_or_default()
            .to_vec(),
        alias: fields.text("alias")?,
    })
}

/// Makes every blank a space and takes out what does not print.
///
/// Compat: `sanitizeString`.
fn sanitize(text: &mut Arc<str>) {
    let is_clean = |c: char| matches!(c, ' '..='~');
    if text.chars().all(is_clean) {
        return;
    }
    *text = text
        .chars()
        .filter_map(|c| {
            if c.is_whitespace() {
                Some(' ')
            } else {
                unicode::is_print(c).then_some(c)
            }
        })
        .collect::<String>()
        .into();
}
