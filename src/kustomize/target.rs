//! One kustomization: what it names, put together and transformed.
//!
//! Compat: `internal/target/kusttarget.go` of kustomize.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::build::Context;
use super::config::Config;
use super::file::{FILE_NAMES, Kustomization, Text, Var};
use super::generate::{self, Generator};
use super::loader::{Found, Loader};
use super::origin::Origin;
use super::resmap::ResMap;
use super::resource::Resource;
use super::transform::{self, Transform};
use super::{RepoSpec, crds, documents, plugin};
use crate::artifact::{Kind, path};
use crate::diag::{Error, Result, Span};
use crate::schema::kustomize::OpenApi;
use crate::yaml::Node;

/// What has been put together so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Accumulator {
    pub(super) map: ResMap,
    /// Where transformers look; nowhere as long as nothing says so.
    pub(super) config: Option<Arc<Config>>,
    /// The vars by their names.
    pub(super) variables: BTreeMap<Arc<str>, Var>,
}

impl Accumulator {
    fn merge(&mut self, other: Accumulator, api: &OpenApi) -> Result<()> {
        self.map.append_all(other.map, api)?;
        if let Some(config) = other.config {
            self.merge_config(config)?;
        }
        for (_, var) in other.variables {
            self.add_variable(var)?;
        }
        Ok(())
    }

    fn merge_config(&mut self, other: Arc<Config>) -> Result<()> {
        match &mut self.config {
            None if Config::is_default(&other) => self.config = Some(other),
            // Compat: merged into nothing, a list loses what it has twice.
            None => {
                let mut config = Config::empty();
                config.merge(&other)?;
                self.config = Some(Arc::new(config));
            }
            Some(config) if Arc::ptr_eq(config, &other) => {}
            Some(config) => Arc::make_mut(config).merge(&other)?,
        }
        Ok(())
    }

    fn add_variable(&mut self, var: Var) -> Result<()> {
        let name = var.name.text.clone();
        if let Some(first) = self.variables.get(&name) {
            return Err(Error::new(
                "kustomize/var",
                format!(
                    "the var `{name}` is there already, in line {}",
                    first.name.span.line
                ),
            )
            .at(var.name.span)
            .help("give one of them another name"));
        }
        self.variables.insert(name, var);
        Ok(())
    }

    /// Adds the vars of a kustomization, and notes at the objects that they
    /// name that their values are read from there.
    fn merge_variables(&mut self, vars: &[Var], api: &OpenApi) -> Result<()> {
        for var in vars {
            let wanted = var.object_id();
            let mut found = Vec::new();
            for (i, resource) in self.map.iter().enumerate() {
                let is_meant = |id: &super::id::Id| {
                    id.is_gvkn_equal(&wanted)
                        && (wanted.namespace.is_empty() || id.is_namespace_equal(&wanted))
                };
                if !resource.is_empty() && resource.has_any_id(api, is_meant) {
                    found.push(i);
                }
            }
            if found.len() > 1 {
                return Err(Error::new(
                    "kustomize/var",
                    format!("the var `{}` could be of {} objects", var.name, found.len()),
                )
                .at(var.object.span)
                .help("say in `objref` which namespace is meant"));
            }
            if let Some(i) = found.first() {
                let resource = &mut self.map.as_mut_slice()[*i];
                resource.variables.push(var.name.text.clone());
            }
            self.add_variable(var.clone())?;
        }
        Ok(())
    }
}

/// A kustomization that is being built.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) kustomization: Kustomization,
    /// The name of its file.
    file_name: String,
    /// Where it is, if that is to be told.
    origin: Option<Origin>,
    /// The namespace for charts that an overlay gives.
    chart_namespace: Text,
}

impl Target {
    /// Reads the kustomization of a folder; `instead` takes the place of its
    /// file.
    ///
    /// # Errors
    ///
    /// `ref/missing` where the folder has none, `kustomize/several-files`
    /// where it has several, and as [`Kustomization::read`].
    pub(super) fn load(
        loader: &Loader<'_>,
        instead: Option<&Node>,
        context: &mut Context<'_>,
    ) -> Result<Target> {
        let files = loader.files();
        let (file_name, kustomization) = if let Some(document) = instead {
            let kustomization = Kustomization::read(Some(document), document.span())?;
            (FILE_NAMES[0].to_owned(), kustomization)
        } else {
            let path = find_file(loader)?;
            let document = documents::first_of_file(files, &path)?;
            let file = Span::new(files.text(&path)?.file, 0, 0);
            let kustomization = Kustomization::read(document.as_ref(), file)?;
            (path::name(&path).to_owned(), kustomization)
        };
        context.count_target(Span::NONE)?;
        for (old, new, span) in &kustomization.deprecated {
            context.warn(
                files,
                "kustomize/deprecated-field",
                format!("`{old}` is deprecated"),
                *span,
                format!("use `{new}` instead"),
            );
        }
        Ok(Target {
            kustomization,
            file_name,
            origin: None,
            chart_namespace: Text::default(),
        })
    }

    /// What it names under `resources`.
    pub(super) fn resources(&self) -> impl Iterator<Item = &str> {
        self.kustomization.resources.iter().map(|entry| &**entry)
    }

    /// Begins to note where objects come from, if that was asked for.
    pub(super) fn start_origin(&mut self) {
        if !self.kustomization.build_metadata.is_empty() {
            self.origin = Some(Origin::default());
        }
    }

    /// Chooses schemas, unless they have been chosen already.
    ///
    /// Compat: the first kustomization that says so chooses for the build.
    pub(super) fn set_openapi(&self, loader: &Loader<'_>, context: &mut Context<'_>) -> Result<()> {
        let (path, version) = (
            &self.kustomization.openapi_path,
            &self.kustomization.openapi_version,
        );
        let path = match path {
            Some(name) => Some((loader.file(name)?, name)),
            None => None,
        };
        let chooses = path.is_some() || version.as_ref().is_some_and(|v| !v.is_empty());
        if !context.may_choose_schemas(chooses) {
            return Ok(());
        }
        if let (Some(_), Some(version)) = (&path, version) {
            return Err(Error::new(
                "kustomize/invalid-field",
                "`openapi` names a version and a file",
            )
            .at(version.span)
            .help("leave one of them out"));
        }
        if let Some((file, name)) = path {
            let mut api = if context.is_builtin_used {
                OpenApi::new()
            } else {
                OpenApi::without_builtin()
            };
            if let Some(document) = documents::first_of_file(file.files(), &file.path)? {
                api.add(&document).map_err(|e| e.at(name.span))?;
            }
            context.api = api;
        }
        if let Some(version) = version
            .as_ref()
            .filter(|v| !v.is_empty() && &***v != "v1.21.2")
        {
            return Err(Error::new(
                "kustomize/invalid-field",
                format!("there are no built-in schemas of `{version}`"),
            )
            .at(version.span)
            .help("kustomize knows `v1.21.2` alone: leave `openapi` out, or name a file"));
        }
        Ok(())
    }

    /// Puts together what the kustomization names, and transforms it.
    ///
    /// A kustomization starts with an empty accumulator, a component with that
    /// of the kustomization that names it.
    pub(super) fn accumulate(
        &mut self,
        loader: &Loader<'_>,
        accumulator: Accumulator,
        context: &mut Context<'_>,
    ) -> Result<Accumulator> {
        let mut accumulator = accumulator;
        self.ask_ahead(loader);
        let resources = std::mem::take(&mut self.kustomization.resources);
        self.accumulate_resources(loader, &mut accumulator, &resources, context)?;

        let mut config = Config::defaults();
        for name in &self.kustomization.configurations {
            let file = loader.file(name)?;
            let document = documents::first_of_file(file.files(), &file.path)?;
            let more = Config::read(document.as_ref())?;
            Arc::make_mut(&mut config).merge(&more)?;
        }
        accumulator.merge_config(config)?;
        if !self.kustomization.crds.is_empty() {
            let config = crds::load(loader, &self.kustomization.crds)?;
            accumulator.merge_config(Arc::new(config))?;
        }

        self.run_generators(loader, &mut accumulator, context)?;
        let components = std::mem::take(&mut self.kustomization.components);
        for name in &components {
            // Compat: what can be the address of a repository is one.
            let content = match RepoSpec::parse(name) {
                Some(_) => Some(loader.resolve(name)?),
                None => None,
            };
            let folder = match &content {
                Some(content) => loader.remote(content, name)?,
                None => loader.folder(name)?,
            };
            let outer = self.origin.clone();
            self.origin = outer.as_ref().map(|origin| origin.append(name));
            let result = self.accumulate_folder(&folder, accumulator, name, true, context);
            self.origin = outer;
            accumulator = result?;
        }
        self.run_transformers(loader, &mut accumulator, context)?;
        self.run_validators(loader, &mut accumulator, context)?;
        accumulator.merge_variables(&self.kustomization.vars, &context.api)?;
        Ok(accumulator)
    }

    /// Asks for the files that it names elsewhere, resources apart.
    fn ask_ahead(&self, loader: &Loader<'_>) {
        let own = &self.kustomization;
        let generators = own.config_map_generator.iter();
        let generators = generators.chain(&own.secret_generator);
        let inputs = generators.flat_map(|g| g.files.iter().chain(&g.envs));
        let patches = own.patches.iter().chain(&own.patches_json6902);
        let names = (own.configurations.iter())
            .chain(&own.crds)
            .chain(&own.patches_strategic_merge)
            .chain(patches.map(|patch| &patch.path))
            .chain(own.replacements.iter().map(|entry| &entry.path))
            .chain(inputs);
        loader.ask_ahead(names);
    }

    /// Adds what entries of `resources` name: files, folders, addresses.
    fn accumulate_resources(
        &mut self,
        loader: &Loader<'_>,
        accumulator: &mut Accumulator,
        entries: &[Text],
        context: &mut Context<'_>,
    ) -> Result<()> {
        let mut failed = None;
        for entry in entries {
            if let Err(error) = self.accumulate_entry(loader, accumulator, entry, context) {
                failed.get_or_insert(error);
                if !context.is_remote_missing {
                    break;
                }
            }
        }
        failed.map_or(Ok(()), Err)
    }

    fn accumulate_entry(
        &mut self,
        loader: &Loader<'_>,
        accumulator: &mut Accumulator,
        entry: &Text,
        context: &mut Context<'_>,
    ) -> Result<()> {
        match loader.find(entry)? {
            Found::File(path) => self.accumulate_file(loader, &path, accumulator, entry, context),
            Found::Folder => {
                let folder = loader.folder(entry)?;
                self.accumulate_base(&folder, accumulator, entry, context)
            }
            Found::Remote => {
                let content = loader.resolve(entry);
                context.is_remote_missing |= content.is_err();
                let content = content?;
                if content.files.kind(&content.path)? == Some(Kind::File) {
                    let files = loader.remote_file(&content, entry)?;
                    let path = content.path.clone();
                    self.accumulate_file(&files, &path, accumulator, entry, context)
                } else {
                    let folder = loader.remote(&content, entry)?;
                    self.accumulate_base(&folder, accumulator, entry, context)
                }
            }
        }
    }

    fn accumulate_file(
        &self,
        loader: &Loader<'_>,
        path: &str,
        accumulator: &mut Accumulator,
        entry: &Text,
        context: &mut Context<'_>,
    ) -> Result<()> {
        let mut resources =
            documents::of_file(loader.files(), path).map_err(|e| e.at(entry.span))?;
        let api = &context.api;
        if !context.is_builtin_used {
            context.is_builtin_used = resources.iter().any(|r| {
                let gvk = r.gvk();
                api.scope(&gvk.api_version(), &gvk.kind).is_none()
            });
        }
        if let Some(origin) = &self.origin {
            let origin = origin.append(entry);
            for resource in &mut resources {
                origin.annotate(resource, entry.span)?;
            }
        }
        for resource in resources {
            accumulator.map.append(resource, &context.api)?;
        }
        Ok(())
    }

    /// Builds a base and adds what it gives.
    fn accumulate_base(
        &mut self,
        folder: &Loader<'_>,
        accumulator: &mut Accumulator,
        entry: &Text,
        context: &mut Context<'_>,
    ) -> Result<()> {
        let outer = self.origin.clone();
        self.origin = outer.as_ref().map(|origin| origin.append(entry));
        let taken = std::mem::take(accumulator);
        let result = self.accumulate_folder(folder, taken, entry, false, context);
        self.origin = outer;
        *accumulator = result?;
        Ok(())
    }

    fn accumulate_folder(
        &self,
        folder: &Loader<'_>,
        accumulator: Accumulator,
        entry: &Text,
        is_component: bool,
        context: &mut Context<'_>,
    ) -> Result<Accumulator> {
        let mut target = Target::load(folder, None, context).map_err(|e| e.at(entry.span))?;
        target
            .kustomization
            .build_metadata
            .clone_from(&self.kustomization.build_metadata);
        target.origin.clone_from(&self.origin);
        target.chart_namespace = if self.kustomization.namespace.is_empty() {
            self.chart_namespace.clone()
        } else {
            self.kustomization.namespace.clone()
        };
        target.set_openapi(folder, context)?;
        if target.kustomization.is_component != is_component {
            return Err(wrong_kind(entry, is_component));
        }
        if is_component {
            let mut accumulator = target.accumulate(folder, accumulator, context)?;
            accumulator.map.check_unique(&context.api)?;
            return Ok(accumulator);
        }
        let mut accumulator = accumulator;
        let base = target.accumulate(folder, Accumulator::default(), context)?;
        accumulator.merge(base, &context.api)?;
        Ok(accumulator)
    }

    fn run_generators(
        &mut self,
        loader: &Loader<'_>,
        accumulator: &mut Accumulator,
        context: &mut Context<'_>,
    ) -> Result<()> {
        let mut generators: Vec<(Generator, Option<Origin>)> = Vec::new();
        for (kind, generator) in generate::configured(&self.kustomization, &self.chart_namespace) {
            let origin = self.origin.as_ref();
            let origin = origin.map(|origin| origin.of_builtin(&self.file_name, kind));
            generators.push((generator, origin));
        }
        let entries = std::mem::take(&mut self.kustomization.generators);
        for resource in self.plugins(loader, &entries, context)? {
            let origin = Origin::of_plugin(&resource);
            generators.push((plugin::generator(&resource, context)?, origin));
        }
        for (generator, origin) in generators {
            let span = generator.span();
            let mut generated = generator.generate(loader, context)?;
            if let Some(origin) = origin {
                for resource in &mut generated {
                    if resource.annotation(super::resource::ORIGIN).is_none() {
                        origin.annotate(resource, span)?;
                    }
                }
            }
            accumulator.map.absorb(generated, &context.api)?;
        }
        Ok(())
    }

    fn run_transformers(
        &mut self,
        loader: &Loader<'_>,
        accumulator: &mut Accumulator,
        context: &mut Context<'_>,
    ) -> Result<()> {
        let config = accumulator.config.clone().unwrap_or_else(Config::defaults);
        let mut transformers: Vec<(Box<dyn Transform>, Option<Origin>)> = Vec::new();
        for (kind, transformer) in
            transform::configured(&self.kustomization, &config, loader, context)?
        {
            let origin = self.origin.as_ref();
            let origin = origin.map(|origin| origin.of_builtin(&self.file_name, kind));
            transformers.push((transformer, origin));
        }
        let entries = std::mem::take(&mut self.kustomization.transformers);
        for resource in self.plugins(loader, &entries, context)? {
            let origin = Origin::of_plugin(&resource);
            transformers.push((plugin::transformer(&resource, loader, context)?, origin));
        }
        for (transformer, origin) in transformers {
            transformer.transform(&mut accumulator.map, context)?;
            if let Some(origin) = origin {
                for resource in accumulator.map.iter_mut().filter(|r| !r.is_empty()) {
                    origin.annotate_change(resource, Span::NONE)?;
                }
            }
            accumulator.map.drop_empties();
        }
        Ok(())
    }

    /// Runs validators, which may change nothing but a label of their own.
    fn run_validators(
        &mut self,
        loader: &Loader<'_>,
        accumulator: &mut Accumulator,
        context: &mut Context<'_>,
    ) -> Result<()> {
        let entries = std::mem::take(&mut self.kustomization.validators);
        for resource in self.plugins(loader, &entries, context)? {
            let validator = plugin::transformer(&resource, loader, context)?;
            let before: Vec<Node> = accumulator.map.iter().map(|r| r.node().clone()).collect();
            validator.transform(&mut accumulator.map, context)?;
            let is_same = before.len() == accumulator.map.as_slice().len()
                && before
                    .iter()
                    .zip(accumulator.map.iter())
                    .all(|(before, after)| plugin::is_only_validated(before, after.node()));
            if !is_same {
                return Err(Error::new(
                    "kustomize/validator",
                    "a validator changed an object, which it may not",
                )
                .at(resource.node().span())
                .help("name it under `transformers` if it is to change objects"));
            }
        }
        Ok(())
    }

    /// The configurations of plugins that entries name, or are.
    fn plugins(
        &mut self,
        loader: &Loader<'_>,
        entries: &[Text],
        context: &mut Context<'_>,
    ) -> Result<Vec<Resource>> {
        if entries.is_empty() {
            return Ok(Vec::new());
        }
        let mut accumulator = Accumulator::default();
        let mut paths = Vec::new();
        for entry in entries {
            let Ok(resources) = documents::of_inline(entry, loader.files()) else {
                paths.push(entry.clone());
                continue;
            };
            for mut resource in resources {
                if let Some(origin) = &self.origin {
                    let origin = origin.append(&self.file_name);
                    origin.annotate(&mut resource, entry.span)?;
                }
                accumulator.map.append(resource, &context.api)?;
            }
        }
        self.accumulate_resources(loader, &mut accumulator, &paths, context)?;
        Ok(accumulator.map.into_vec())
    }
}

/// The path of a folder's kustomization file.
fn find_file(loader: &Loader<'_>) -> Result<String> {
    let files = loader.files();
    let mut found = Vec::new();
    for name in FILE_NAMES {
        // What cannot be read as a file is none.
        if let Ok(file) = loader.file(&Text::new(name, Span::NONE)) {
            found.push(file.path);
        }
    }
    let named = |error: Error, help: &str| Err(error.help(help));
    match found.as_slice() {
        [path] => Ok(path.clone()),
        [] => named(
            Error::new(
                "ref/missing",
                format!("`{}` has no kustomization.yaml", loader.display()),
            ),
            "add one, or name its files one by one",
        ),
        several => named(
            Error::new(
                "kustomize/several-files",
                format!(
                    "`{}` has several kustomization files: {}",
                    loader.display(),
                    several
                        .iter()
                        .map(|path| format!("`{}`", path::name(path)))
                        .collect::<Vec<_>>()
                        .join(", ")
                ),
            )
            .at(Span::new(files.text(&several[0])?.file, 0, 0)),
            "keep one of them",
        ),
    }
}

fn wrong_kind(entry: &Text, is_component: bool) -> Error {
    let (is, should, help) = if is_component {
        (
            "Kustomization",
            "Component",
            "name it under `resources`, or give it `kind: Component`",
        )
    } else {
        ("Component", "Kustomization", "name it under `components`")
    };
    Error::new(
        "kustomize/wrong-kind",
        format!("`{entry}` is a {is}, where a {should} is needed"),
    )
    .at(entry.span)
    .help(help)
}
