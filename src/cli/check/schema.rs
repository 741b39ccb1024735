//! `fluxwright check schema FILE…`

use std::collections::BTreeSet;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rayon::prelude::*;

use crate::artifact::{DiskTree, Kind, Tree};
use crate::check::schemas::{Checked, check};
use crate::cli::output::{self, Exit, Format};
use crate::diag::{Error, Finding, Result, Severity, SourceMap};
use crate::flux::FluxVersion;
use crate::schema::{KubernetesVersion, Location, Origin, Schemas, crd};
use crate::yaml::{self, Document, Node};

/// Validate manifests against the schemas of their kinds
///
/// Every object is held to what the API server would say: unknown fields,
/// types, formats, the rules of CustomResourceDefinitions. The kinds of
/// Kubernetes and Flux are built in; definitions among the files are used too.
///
/// Examples:
///   fluxwright check schema clusters/ apps/
///   kustomize build . | fluxwright check schema - --kube-version 1.34
///   fluxwright check schema release.yaml --crds crds/ --require-schemas
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Args {
    /// Manifests, or folders of them; `-` for standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,

    /// The version of Kubernetes that the manifests are for
    #[arg(long, default_value_t)]
    kube_version: KubernetesVersion,

    /// The version of Flux that the manifests are for
    #[arg(long, default_value_t = FluxVersion::NEWEST)]
    flux_version: FluxVersion,

    /// CustomResourceDefinitions: a file, or a folder of them
    #[arg(long, value_name = "DIR")]
    crds: Vec<PathBuf>,

    /// JSON schemas of further kinds: a path such as
    /// `schemas/{{ .Group }}/{{ .ResourceKind }}_{{ .ResourceAPIVersion }}.json`
    #[arg(long, value_name = "TEMPLATE")]
    schema_location: Vec<Location>,

    /// Fail where a kind has no schema
    #[arg(long)]
    require_schemas: bool,

    /// The form of the findings
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    output: Format,

    /// How many threads to use; all processors without it
    #[arg(long, value_name = "N")]
    jobs: Option<usize>,
}

impl Args {
    pub(super) fn run(self) -> io::Result<Exit> {
        if let Some(jobs) = self.jobs {
            // The pool is made once; there is none yet.
            let _ = rayon::ThreadPoolBuilder::new()
                .num_threads(jobs)
                .build_global();
        }
        let sources = SourceMap::new();
        match self.check(&sources) {
            Ok(checked) => self.print(checked, &sources),
            Err(e) => {
                output::error_at(&e, &sources);
                Ok(Exit::Failed)
            }
        }
    }

    fn check(&self, sources: &SourceMap) -> Result<Checked> {
        let crds = read_all(&self.crds, sources)?;
        let files = read_all(&self.files, sources)?;
        // A definition that cannot be read is no definition.
        if let Some(e) = crds.iter().find_map(|file| file.documents.as_ref().err()) {
            return Err(e.clone());
        }
        let mut schemas = Schemas::new(self.kube_version.minor(), self.flux_version.minor());
        if let Some(e) = schemas.add_definitions(definitions(&crds)).pop() {
            return Err(e);
        }
        // What is wrong with these is told when they are validated themselves.
        schemas.add_definitions(definitions(&files));
        self.add_located(&mut schemas, &files, sources)?;
        let results: Vec<Checked> = files
            .par_iter()
            .map(|file| match &file.documents {
                Ok(documents) => documents
                    .par_iter()
                    .map(|document| check(&schemas, std::slice::from_ref(document), sources))
                    .collect::<Vec<_>>(),
                Err(e) => {
                    let mut checked = Checked::default();
                    checked.findings.push(e.to_finding(sources));
                    vec![checked]
                }
            })
            .flatten()
            .collect();
        let mut all = Checked::default();
        for checked in results {
            all.extend(checked);
        }
        Ok(all)
    }

    /// Adds the schemas of kinds that occur and are not known, from where the
    /// user has them.
    fn add_located(
        &self,
        schemas: &mut Schemas,
        files: &[File],
        sources: &SourceMap,
    ) -> Result<()> {
        if self.schema_location.is_empty() {
            return Ok(());
        }
        let mut found = Vec::new();
        for (api_version, kind) in kinds(files) {
            if schemas
                .kind(&api_version, &kind)
                .is_some_and(|(origin, _)| origin != Origin::Catalog)
            {
                continue;
            }
            let paths = self.schema_location.iter();
            let paths = paths.map(|l| l.path(&api_version, &kind, self.kube_version));
            let Some(path) = paths.into_iter().find(|path| Path::new(path).is_file()) else {
                continue;
            };
            let file = Input::of_file(Path::new(&path), &path)?.read(sources);
            if let Some(document) = file.documents?.into_iter().next() {
                found.push((api_version, kind, document.root));
            }
        }
        let each = found.iter();
        let mut errors = schemas.add_schemas(each.map(|(v, k, node)| (&**v, &**k, node)));
        errors.pop().map_or(Ok(()), Err)
    }

    fn print(&self, checked: Checked, sources: &SourceMap) -> io::Result<Exit> {
        let objects = checked.objects;
        let findings = checked.into_findings(self.require_schemas).into_sorted();
        let errors = count(&findings, Severity::Error);
        match output::report_text(&findings, sources, self.output, None) {
            Ok(text) => output::stdout(text.as_bytes())?,
            Err(e) => {
                output::error(&e);
                return Ok(Exit::Failed);
            }
        }
        if self.output == Format::Human {
            output::stderr(&summary(objects, &findings));
        }
        Ok(if errors == 0 { Exit::Done } else { Exit::No })
    }
}

/// `12 objects: 1 error, 2 warnings`
fn summary(objects: usize, findings: &[Finding]) -> String {
    let counted = |count: usize, what: &str| {
        let s = if count == 1 { "" } else { "s" };
        format!("{count} {what}{s}")
    };
    let mut parts = Vec::new();
    for (severity, what) in [
        (Severity::Error, "error"),
        (Severity::Warning, "warning"),
        (Severity::Info, "note"),
    ] {
        let count = count(findings, severity);
        if count > 0 {
            parts.push(counted(count, what));
        }
    }
    let found = if parts.is_empty() {
        "nothing is wrong".to_owned()
    } else {
        parts.join(", ")
    };
    format!("{}: {found}", counted(objects, "object"))
}

fn count(findings: &[Finding], severity: Severity) -> usize {
    findings.iter().filter(|f| f.severity == severity).count()
}

fn definitions(files: &[File]) -> impl Iterator<Item = &Node> {
    files
        .iter()
        .filter_map(|file| file.documents.as_ref().ok())
        .flatten()
        .map(|document| &document.root)
        .filter(|root| crd::is_definition(root))
}

/// The `apiVersion` and kind of every object, lists opened.
fn kinds(files: &[File]) -> BTreeSet<(String, String)> {
    let mut kinds = BTreeSet::new();
    let mut open: Vec<&Node> = files
        .iter()
        .filter_map(|file| file.documents.as_ref().ok())
        .flatten()
        .map(|document| &document.root)
        .collect();
    while let Some(node) = open.pop() {
        open.extend(node.get("items").map_or(&[][..], Node::items));
        if let Some((api_version, kind)) = node.str_at("apiVersion").zip(node.str_at("kind")) {
            kinds.insert((api_version.to_owned(), kind.to_owned()));
        }
    }
    kinds
}

/// A file and what is in it.
struct File {
    documents: Result<Vec<Document>>,
}

/// Reads files, and the YAML and JSON files of folders, in their order.
fn read_all(paths: &[PathBuf], sources: &SourceMap) -> Result<Vec<File>> {
    let mut inputs = Vec::new();
    for path in paths {
        if path.as_os_str() == "-" {
            inputs.push(Input::Stdin);
            continue;
        }
        let name = path.display().to_string();
        let name = name.strip_prefix("./").unwrap_or(&name);
        if path.is_dir() {
            let tree = Arc::new(DiskTree::open(path)?.named(name));
            list(&tree, "", &mut inputs)?;
        } else {
            inputs.push(Input::of_file(path, name)?);
        }
    }
    Ok(inputs.par_iter().map(|input| input.read(sources)).collect())
}

enum Input {
    Stdin,
    File {
        tree: Arc<DiskTree>,
        path: String,
        name: String,
    },
}

impl Input {
    fn of_file(path: &Path, name: &str) -> Result<Input> {
        let missing = || {
            Error::new("ref/missing", format!("no such file: `{name}`"))
                .help("name a file, a folder, or `-` for standard input")
        };
        // The file itself may be a link to anywhere: the user has named it.
        let real = path.canonicalize().map_err(|_| missing())?;
        let folder = real.parent().ok_or_else(missing)?;
        let file = real.file_name().ok_or_else(missing)?;
        Ok(Input::File {
            tree: Arc::new(DiskTree::open(folder)?),
            path: file.to_string_lossy().into_owned(),
            name: name.to_owned(),
        })
    }

    fn read(&self, sources: &SourceMap) -> File {
        let (name, bytes) = match self {
            Input::Stdin => {
                let mut bytes = Vec::new();
                let read = io::stdin().lock().read_to_end(&mut bytes);
                let bytes = read.map(|_| Arc::from(bytes)).map_err(|e| {
                    Error::new(
                        "file/unreadable",
                        format!("cannot read standard input: {e}"),
                    )
                });
                ("<stdin>", bytes)
            }
            Input::File { tree, path, name } => (name.as_str(), tree.read(path)),
        };
        File {
            documents: bytes.and_then(|bytes| parse(name, &bytes, sources)),
        }
    }
}

fn parse(name: &str, bytes: &[u8], sources: &SourceMap) -> Result<Vec<Document>> {
    match yaml::text::decode(bytes) {
        Ok(text) => {
            let text: Arc<str> = text.into();
            let file = sources.add(name, text.clone());
            yaml::parse(&text, file)
        }
        Err(e) => {
            let file = sources.add(name, String::from_utf8_lossy(bytes));
            Err(e.in_file(file))
        }
    }
}

/// The manifests below a folder; hidden files and folders are passed over.
fn list(tree: &Arc<DiskTree>, folder: &str, inputs: &mut Vec<Input>) -> Result<()> {
    for entry in tree.list(folder)? {
        if entry.name.starts_with('.') {
            continue;
        }
        let path = if folder.is_empty() {
            entry.name.clone()
        } else {
            format!("{folder}/{}", entry.name)
        };
        match entry.kind {
            Kind::Directory if entry.is_symlink => {}
            Kind::Directory => list(tree, &path, inputs)?,
            Kind::File => {
                let extension = Path::new(&path).extension();
                let manifest = extension.is_some_and(|e| e == "yaml" || e == "yml" || e == "json");
                if manifest {
                    inputs.push(Input::File {
                        tree: tree.clone(),
                        name: tree.display(&path),
                        path,
                    });
                }
            }
        }
    }
    Ok(())
}
