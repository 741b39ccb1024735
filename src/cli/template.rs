//! `fluxwright template [NAME] CHART`: what `helm template` prints.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::output::{self, Exit};
use super::read;
use super::world::WorldArgs;
use crate::artifact::{DiskTree, Tree};
use crate::diag::{Error, Result, Severity, SourceMap};
use crate::gostd::moment::Moment;
use crate::gostd::path;
use crate::gotmpl::value::Value;
use crate::gotmpl::{self, Environment, Limits, Machine, MissingKey, Seed, Set, World};
use crate::helm::strvals::{self, Kind};
use crate::helm::{
    self, Capabilities, Chart, KubeVersion, ReleaseOptions, RenderOptions, Rendered, UserValues,
    render,
};

/// Render a chart and print the objects, as `helm template` does
///
/// CHART is a folder or an archive on this machine; its dependencies are those
/// in its charts/ folder. Nothing is fetched, no cluster is asked. NAME is
/// `release-name` where it is left out.
///
/// Random values are made of a known seed and the place of their call, and the
/// clock stands still, so that the same chart and values always give the same
/// bytes; --seed-file, --now and --random change that.
///
/// Examples:
///   fluxwright template web ./charts/web -f values.yaml --set image.tag=1.2
///   fluxwright template web web-1.2.3.tgz --namespace apps --include-crds
///   fluxwright template web ./charts/web --show-only templates/service.yaml
///   fluxwright template web ./charts/web --kube-version 1.33 -a monitoring.coreos.com/v1
///   fluxwright template web ./charts/web --lookup-from cluster/ --output-dir rendered
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
#[command(disable_version_flag = true)]
#[command(override_usage = "fluxwright template [OPTIONS] [NAME] CHART")]
pub(super) struct Args {
    /// The name of the release, and the chart: a folder or an archive
    #[arg(required = true, num_args = 1..=2, value_names = ["NAME", "CHART"])]
    name_and_chart: Vec<String>,

    #[command(flatten)]
    values: ValuesArgs,

    #[command(flatten)]
    release: ReleaseArgs,

    #[command(flatten)]
    selection: SelectionArgs,

    #[command(flatten)]
    world: WorldArgs,

    /// The time that `now` gives: 2026-11-23T20:00:00Z, or seconds since 1970 [default: 1970-01-01]
    #[arg(long, value_name = "TIME", value_parser = read::moment)]
    #[arg(help_heading = "The world of the templates")]
    now: Option<Moment>,

    /// Real randomness and the real time, as Helm has them: no two runs are the same
    #[arg(long, conflicts_with_all = ["now", "seed_file"])]
    #[arg(help_heading = "The world of the templates")]
    random: bool,

    #[command(flatten)]
    ignored: IgnoredArgs,
}

/// What the chart is given.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Values")]
struct ValuesArgs {
    /// Values in a YAML file, `-` for standard input (repeatable, the last is the strongest)
    #[arg(
        long = "values",
        short = 'f',
        value_name = "FILE",
        value_delimiter = ','
    )]
    files: Vec<PathBuf>,

    /// Set values: `a.b=1,c[0]=x,d={y,z}`; what looks like a number, a boolean or null is one
    #[arg(long, value_name = "LINE")]
    set: Vec<String>,

    /// Set values that are text: `a.b=1`
    #[arg(long, value_name = "LINE")]
    set_string: Vec<String>,

    /// Set values to the content of files: `a.b=FILE`
    #[arg(long, value_name = "LINE")]
    set_file: Vec<String>,

    /// Set values to JSON: `a.b={"c":1}`, or a whole object: `{"a":{"b":1}}`
    #[arg(long, value_name = "LINE")]
    set_json: Vec<String>,

    /// Set a value to the text behind `=`, whatever it holds
    #[arg(long, value_name = "LINE")]
    set_literal: Vec<String>,

    /// Do not hold the values against the schemas of the charts
    #[arg(long)]
    skip_schema_validation: bool,
}

/// What the release is called, and where it goes.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Release")]
struct ReleaseArgs {
    /// The namespace of the release
    #[arg(long, short, value_name = "NAME", default_value = "default")]
    namespace: String,

    /// A template for the name of the release: `{{ "Web" | lower }}`
    #[arg(long, value_name = "TEMPLATE")]
    name_template: Option<String>,

    /// Call the release by its chart and the time: `web-1764000000`
    #[arg(long, short)]
    generate_name: bool,

    /// Set .Release.IsUpgrade instead of .Release.IsInstall
    #[arg(long)]
    is_upgrade: bool,

    /// The version of Kubernetes that the chart is told of: 1.37, v1.37.0
    #[arg(long, value_name = "VERSION")]
    kube_version: Option<String>,

    /// An API version that the cluster serves besides those that Helm knows (repeatable)
    #[arg(
        long,
        short = 'a',
        value_name = "GROUP/VERSION[/KIND]",
        value_delimiter = ','
    )]
    api_versions: Vec<String>,
}

/// What is printed, and where to.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Output")]
struct SelectionArgs {
    /// Only what these templates wrote: `templates/x.yaml`, with `*` if need be (repeatable)
    #[arg(long, short, value_name = "TEMPLATE")]
    show_only: Vec<String>,

    /// Print the definitions in crds/ as well, before everything else
    #[arg(long)]
    include_crds: bool,

    /// Leave out the definitions in crds/: so without --include-crds
    #[arg(long)]
    skip_crds: bool,

    /// Leave out hooks that are tests
    #[arg(long)]
    skip_tests: bool,

    /// Leave out all hooks
    #[arg(long)]
    no_hooks: bool,

    /// Write what each template gives to a file in this folder
    #[arg(long, value_name = "DIR")]
    output_dir: Option<PathBuf>,

    /// Put the files into a folder with the name of the release
    #[arg(long, requires = "output_dir")]
    release_name: bool,

    /// Print what the templates wrote even where it is no YAML
    #[arg(long)]
    debug: bool,
}

/// Options of Helm that are refused, or mean nothing here.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Options of Helm without effect")]
struct IgnoredArgs {
    /// Refused: no program is run
    #[arg(long, value_name = "NAME")]
    post_renderer: Option<String>,

    /// Refused: no program is run
    #[arg(long, value_name = "ARG", allow_hyphen_values = true)]
    post_renderer_args: Vec<String>,

    /// Refused: nothing is fetched
    #[arg(long)]
    dependency_update: bool,

    /// Refused: nothing is fetched
    #[arg(long, value_name = "URL")]
    repo: Option<String>,

    /// Refused: there is no cluster to ask
    #[arg(long)]
    validate: bool,

    /// Refused: no name is looked up
    #[arg(long)]
    enable_dns: bool,

    /// `client` is taken for scripts; `server` is refused, there is no cluster to ask
    #[arg(long, value_name = "WHERE", num_args = 0..=1, require_equals = true, default_missing_value = "client")]
    dry_run: Option<String>,

    /// Taken for scripts: a chart on this machine has one version
    #[arg(long = "version", value_name = "VERSION")]
    chart_version: Option<String>,

    /// Taken for scripts
    #[arg(long)]
    devel: bool,

    /// Taken for scripts
    #[arg(long)]
    create_namespace: bool,

    /// Taken for scripts
    #[arg(long)]
    disable_openapi_validation: bool,

    /// Taken for scripts
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,

    /// Taken for scripts
    #[arg(long)]
    hide_notes: bool,

    /// Taken for scripts
    #[arg(long)]
    render_subchart_notes: bool,

    /// Taken for scripts
    #[arg(long)]
    replace: bool,

    /// Taken for scripts
    #[arg(long, value_name = "DURATION")]
    timeout: Option<String>,

    /// Taken for scripts
    #[arg(long, value_name = "HOW", num_args = 0..=1, require_equals = true, default_missing_value = "watcher")]
    wait: Option<String>,
}

/// The most that a values file, or an archive, may hold.
const MAX_FILE_BYTES: usize = 256 << 20;

fn usage(message: impl Into<String>) -> Error {
    Error::new("usage/invalid", message)
}

impl Args {
    pub(super) fn run(self) -> io::Result<Exit> {
        let sources = SourceMap::new();
        let (name, mut rendered) = match self.render(&sources) {
            Ok(rendered) => rendered,
            Err(error) => {
                output::error_at(&error, &sources);
                return Ok(Exit::Failed);
            }
        };
        let findings = std::mem::take(&mut rendered.findings);
        for finding in findings.into_sorted() {
            // What is only good to know would drown the rest, and who asks for
            // randomness knows of it.
            let is_asked_for = self.random && &*finding.rule == "render/random";
            if !is_asked_for && (finding.severity != Severity::Info || self.selection.debug) {
                output::finding(&finding, &sources);
            }
        }
        if let Some(invalid) = &rendered.invalid {
            output::stdout(invalid.text.as_bytes())?;
            output::error_at(&invalid.error, &sources);
            return Ok(Exit::Failed);
        }
        match self.print(&name, &rendered) {
            Ok(text) => {
                output::stdout(text.as_bytes())?;
                // The process ends here: freeing this piece by piece would take
                // as long as a tenth of the work.
                std::mem::forget((rendered, text));
                Ok(Exit::Done)
            }
            Err(error) => {
                output::error_at(&error, &sources);
                Ok(Exit::Failed)
            }
        }
    }

    fn render(&self, sources: &SourceMap) -> Result<(String, Rendered)> {
        self.ignored.check()?;
        let (name, chart) = match &self.name_and_chart[..] {
            [name, chart] => (Some(name.as_str()), chart),
            [chart] => (None, chart),
            _ => return Err(usage("a name and a chart are wanted")),
        };
        let mut options = self.options()?;
        let name = self.release.name(name, chart, options.world.now_nanos)?;
        let chart = load(Path::new(chart), sources)?;
        let values = self.values.read(sources)?;
        let release = ReleaseOptions {
            is_upgrade: self.release.is_upgrade,
            ..ReleaseOptions::new(name.as_str(), self.release.namespace.as_str())
        };
        let mut capabilities = Capabilities::default();
        // Compat: an empty version is none.
        if let Some(version) = self.release.kube_version.as_ref().filter(|v| !v.is_empty()) {
            capabilities.kube_version = KubeVersion::parse(version)?;
        }
        capabilities.api_versions = (self.release.api_versions.iter())
            .map(|version| Arc::from(version.as_str()))
            .collect();
        options.skip_schema_validation = self.values.skip_schema_validation;
        options.keep_invalid = self.selection.debug;
        options.as_text = true;
        let capabilities = Arc::new(capabilities);
        let rendered = render(&chart, &values, &release, &capabilities, &options, sources)?;
        Ok((name, rendered))
    }

    /// What the chart is rendered with.
    fn options(&self) -> Result<RenderOptions> {
        let now = self.now.map_or(0, Moment::unix_nanoseconds);
        let mut options = self.world.options(now)?;
        if self.random {
            let mut bytes = [0; 32];
            fill_random(&mut bytes)?;
            options.world.seed = Seed::Secret(bytes);
            options.world.now_nanos = clock();
        }
        let objects = self.world.lookup_objects()?;
        if !objects.is_empty() {
            options.world.lookup = Some(helm::lookup_in(objects));
        }
        Ok(options)
    }

    /// What goes to standard output.
    fn print(&self, name: &str, rendered: &Rendered) -> Result<String> {
        let selection = &self.selection;
        let mut folder = selection.output_dir.as_deref().map(Folder::new);
        if let Some(folder) = folder.as_mut()
            && selection.release_name
        {
            folder.path.push(name);
        }
        let mut whole = String::new();
        let mut said = String::new();
        let mut put = |path: &str, content: &str| -> Result<()> {
            let text = format!("---\n# Source: {path}\n{content}\n");
            match &mut folder {
                Some(folder) => said.push_str(&folder.write(path, &text)?),
                None => whole.push_str(&text),
            }
            Ok(())
        };
        if selection.include_crds {
            for definition in &rendered.definitions {
                let bytes = definition.file.bytes()?;
                put(&definition.path, &String::from_utf8_lossy(&bytes))?;
            }
        }
        for manifest in &rendered.manifests {
            put(&manifest.path, &manifest.content)?;
        }
        // Hooks stand behind the trimmed text of everything else.
        let hooks = (rendered.hooks.iter())
            .filter(|hook| !(selection.no_hooks || selection.skip_tests && hook.is_test()));
        let mut after = String::new();
        for hook in hooks {
            let (path, content) = (&hook.manifest.path, &hook.manifest.content);
            let text = format!("---\n# Source: {path}\n{content}\n");
            match &mut folder {
                Some(folder) => said.push_str(&folder.write(path, &text)?),
                None => after.push_str(&text),
            }
        }
        let text = format!("{}\n{after}", whole.trim());
        if selection.show_only.is_empty() {
            return Ok(said + &text);
        }
        Ok(said + &only(&text, &selection.show_only)?)
    }
}

/// What templates of these names wrote.
///
/// Compat: the printed text is cut again, and a document belongs to the
/// template that the comment in it names.
fn only(text: &str, wanted: &[String]) -> Result<String> {
    let documents: Vec<(&str, &str)> = helm::documents(text)
        .filter_map(|document| {
            let at = document.find("# Source: ")?;
            let line = document.get(at + "# Source: ".len()..)?.lines().next()?;
            Some((line.split_once('/')?.1, document))
        })
        .collect();
    let mut out = String::new();
    for wanted in wanted {
        let before = out.len();
        for (name, document) in &documents {
            if path::is_match(wanted, name).unwrap_or(false) {
                out.push_str("---\n");
                out.push_str(document);
                out.push('\n');
            }
        }
        if out.len() == before {
            let known = documents.iter().map(|(name, _)| *name);
            let mut error = Error::new(
                "helm/template-missing",
                format!("could not find template {wanted} in chart"),
            );
            if let Some(near) = crate::diag::nearest(wanted, known) {
                error = error.help(format!("did you mean `{near}`?"));
            } else {
                error = error.help("name a template that writes something: `templates/x.yaml`");
            }
            return Err(error);
        }
    }
    Ok(out)
}

/// A folder that files are written to.
struct Folder {
    path: PathBuf,
    written: BTreeSet<String>,
}

impl Folder {
    fn new(path: &Path) -> Folder {
        Folder {
            path: path.to_owned(),
            written: BTreeSet::new(),
        }
    }

    /// Writes a file, or adds to one of this run; gives what is said of it.
    fn write(&mut self, name: &str, text: &str) -> Result<String> {
        use std::io::Write as _;
        let path = self.path.join(name);
        let is_new = self.written.insert(name.to_owned());
        let write = || -> io::Result<()> {
            if let Some(folder) = path.parent() {
                std::fs::create_dir_all(folder)?;
            }
            let mut file = std::fs::OpenOptions::new()
                .create(true)
                .write(true)
                .truncate(is_new)
                .append(!is_new)
                .open(&path)?;
            file.write_all(text.as_bytes())
        };
        write().map_err(|e| {
            let shown = path.display();
            Error::new(
                "output/failed",
                format!("cannot write `{shown}`: {}", e.kind()),
            )
            .help("name a folder that can be written to")
        })?;
        Ok(format!("wrote {}\n", path.display()))
    }
}

impl ReleaseArgs {
    /// The name of the release.
    fn name(&self, given: Option<&str>, chart: &str, now_nanos: i128) -> Result<String> {
        let flag = match (&self.name_template, self.generate_name) {
            (Some(_), _) => "--name-template",
            (None, true) => "--generate-name",
            (None, false) => "",
        };
        if given.is_some() && !flag.is_empty() {
            return Err(usage(format!("cannot set {flag} and also specify a name")));
        }
        let name = match (&self.name_template, given) {
            (Some(template), _) => named(template)?,
            (None, Some(given)) => given.to_owned(),
            (None, None) if self.generate_name => {
                let base = path::base(chart);
                let base = base.strip_suffix(".tgz").unwrap_or(base);
                let base = if matches!(base, "." | "") {
                    "chart"
                } else {
                    base
                };
                format!("{base}-{}", now_nanos / 1_000_000_000)
            }
            (None, None) => "release-name".to_owned(),
        };
        if !helm::is_release_name(&name) {
            return Err(Error::new(
                "helm/release-name",
                format!(
                    "release name check failed: release name \"{name}\": invalid release name, \
                     must match regex ^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$ \
                     and the length must not be longer than 53"
                ),
            )
            .help("use lower-case letters, digits and `-`"));
        }
        Ok(name)
    }
}

/// The name that a template gives.
fn named(template: &str) -> Result<String> {
    const NAME: &str = "name-template";
    let wrong = |message: String| {
        Error::new("helm/template-error", message).help("mend the template of --name-template")
    };
    let functions = gotmpl::functions::all();
    let source = gotmpl::parse(Arc::<str>::from(template), functions).map_err(|e| {
        wrong(format!(
            "template: {NAME}:{}: {}",
            e.line,
            e.message_in(NAME)
        ))
    })?;
    let mut set = Set::new();
    set.add(Arc::<str>::from(NAME), Arc::new(source))
        .map_err(|e| {
            wrong(format!(
                "template: {NAME}:{}: {}",
                e.line,
                e.message_in(NAME)
            ))
        })?;
    let mut machine = Machine::new(Environment {
        missing_key: MissingKey::Invalid,
        functions: functions.clone(),
        limits: Limits::default(),
        world: World::default(),
    });
    let rendering = machine
        .render(&Arc::new(set), NAME, Value::Nil)
        .map_err(|failure| wrong(failure.helm_message()))?;
    Ok(rendering.text.to_string())
}

impl ValuesArgs {
    /// All values, in the order in which Helm takes them.
    fn read(&self, sources: &SourceMap) -> Result<UserValues> {
        let mut values = UserValues::new();
        for path in &self.files {
            let (name, text) = if path.as_os_str() == "-" {
                ("standard input".to_owned(), read::stdin()?)
            } else {
                let shown = path.display().to_string();
                if shown.contains("://") {
                    return Err(usage(format!("`{shown}` is not fetched"))
                        .help("download the file and name it by its path"));
                }
                (shown, read::text_file(path, MAX_FILE_BYTES)?)
            };
            let text: Arc<str> = text.into();
            let file = sources.add(name.clone(), text.clone());
            values
                .add_file(text, file)
                .map_err(|e| e.context(format!("failed to parse {name}")))?;
        }
        let wrong = |flag: &str| {
            let flag = flag.to_owned();
            move |message: String| {
                Error::new(
                    "helm/values-invalid",
                    format!("failed parsing --{flag} data: {message}"),
                )
                .help("write it as `name.of.value=value`, a backslash before `,`, `.` and `[` in names")
            }
        };
        for line in &self.set_json {
            // Compat: Helm names the line, and not what is wrong with it.
            values
                .set_by("--set-json", |map| strvals::set_json(map, line))
                .map_err(|message| {
                    Error::new(
                        "helm/values-invalid",
                        format!("failed parsing --set-json data {line}: {message}"),
                    )
                    .help("write it as `a.b={\"c\":1}`, or as a whole object: `{\"a\":{\"b\":1}}`")
                })?;
        }
        for line in &self.set {
            values
                .set_by("--set", |map| strvals::set(map, line, Kind::Typed))
                .map_err(wrong("set"))?;
        }
        for line in &self.set_string {
            values
                .set_by("--set-string", |map| strvals::set(map, line, Kind::Text))
                .map_err(wrong("set-string"))?;
        }
        let read_file = |path: &str| {
            let content = read::text_file(Path::new(path), MAX_FILE_BYTES);
            content.map_err(|e| e.message().to_owned())
        };
        for line in &self.set_file {
            let set = |map: &mut _| strvals::set(map, line, Kind::File(&read_file));
            values
                .set_by("--set-file", set)
                .map_err(wrong("set-file"))?;
        }
        for line in &self.set_literal {
            values
                .set_by("--set-literal", |map| {
                    strvals::set(map, line, Kind::Literal)
                })
                .map_err(wrong("set-literal"))?;
        }
        Ok(values)
    }
}

fn fill_random(bytes: &mut [u8]) -> Result<()> {
    use std::io::Read as _;
    std::fs::File::open("/dev/urandom")
        .and_then(|mut file| file.read_exact(bytes))
        .map_err(|e| {
            Error::new(
                "file/unreadable",
                format!("no random bytes from the operating system: {}", e.kind()),
            )
            .help("pass --seed-file instead of --random")
        })
}

#[expect(clippy::disallowed_methods, reason = "--random asks for the real time")]
fn clock() -> i128 {
    use std::time::{SystemTime, UNIX_EPOCH};
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |d| i128::try_from(d.as_nanos()).unwrap_or_default())
}

impl IgnoredArgs {
    fn check(&self) -> Result<()> {
        let refused = |option: &str, why: &str, help: &str| {
            Err(Error::new("usage/refused", format!("`{option}` is refused: {why}")).help(help))
        };
        if self.post_renderer.is_some() || !self.post_renderer_args.is_empty() {
            return refused(
                "--post-renderer",
                "no program is run",
                "pipe the output into the program, or render the chart by a HelmRelease with postRenderers",
            );
        }
        if self.dependency_update {
            return refused(
                "--dependency-update",
                "nothing is fetched",
                "run `helm dependency build` once and keep charts/, or lock the chart and use `fluxwright build`",
            );
        }
        if self.repo.is_some() {
            return refused(
                "--repo",
                "nothing is fetched",
                "name a folder or an archive, or lock the chart and use `fluxwright build`",
            );
        }
        if self.validate || self.dry_run.as_deref().is_some_and(|at| at == "server") {
            return refused(
                "--validate",
                "there is no cluster to ask",
                "pipe the output into `fluxwright check schema -`",
            );
        }
        if self.enable_dns {
            return refused(
                "--enable-dns",
                "no name is looked up",
                "set the address in the chart's values",
            );
        }
        Ok(())
    }
}

/// Loads a chart from disk.
fn load(path: &Path, sources: &SourceMap) -> Result<Arc<Chart>> {
    let shown = path.display().to_string();
    if path.is_dir() {
        // Compat: Helm `sympath.Walk`: links are followed, wherever they lead.
        let tree = DiskTree::open(path)?.named(shown).following_links();
        let tree: Arc<dyn Tree> = Arc::new(tree);
        return Chart::load(&tree, "", sources);
    }
    if shown.contains("://") || !path.exists() {
        let why = if shown.contains("://") {
            "is not fetched"
        } else {
            "is neither a folder nor an archive"
        };
        return Err(
            Error::new("ref/missing", format!("the chart `{shown}` {why}"))
                .help("name a chart's folder or .tgz on this machine; `helm pull` fetches one"),
        );
    }
    let bytes = read::file(path, MAX_FILE_BYTES)?;
    Chart::from_archive(&bytes, &shown, sources)
}
