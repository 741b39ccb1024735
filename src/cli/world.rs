//! What templates of charts learn of the world, and what they may cost: the
//! arguments of every command that renders charts.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::read;
use crate::artifact::{DiskTree, Kind, Tree};
use crate::diag::{Error, FileId, Result};
use crate::gotmpl::{Limits, Seed, World};
use crate::helm::RenderOptions;
use crate::pipeline::Lookups;
use crate::yaml;

/// The most that a file that is given may hold.
const MAX_FILE_BYTES: usize = 256 << 20;

/// The word that stands for what the rest of the repository renders.
const REPOSITORY: &str = "repository";

/// What the templates learn of the world, and what they may cost.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "The world of the templates")]
pub(super) struct WorldArgs {
    /// Answer `lookup` from the objects in this file or folder; in a build, `repository` stands
    /// for what the rest of the repository renders (repeatable)
    #[arg(long, value_name = "FILE|DIR")]
    lookup_from: Vec<PathBuf>,

    /// Make random values from what is in this file, which nobody else should have
    #[arg(long, value_name = "FILE")]
    seed_file: Option<PathBuf>,

    /// How many steps all templates of a chart together may take
    #[arg(long, value_name = "N", default_value_t = Limits::default().steps)]
    max_steps: u64,

    /// How many bytes all templates of a chart together may make
    #[arg(long, value_name = "N", default_value_t = Limits::default().bytes)]
    max_bytes: u64,
}

impl WorldArgs {
    /// What charts are rendered with; `now_nanos` is the time that they see.
    ///
    /// # Errors
    ///
    /// Where the seed file cannot be read, or is empty.
    pub(super) fn options(&self, now_nanos: i128) -> Result<RenderOptions> {
        Ok(RenderOptions {
            limits: Limits {
                steps: self.max_steps,
                bytes: self.max_bytes,
                ..Limits::default()
            },
            world: World {
                now_nanos,
                seed: self.seed()?,
                ..World::default()
            },
            ..RenderOptions::default()
        })
    }

    /// Whether random values are made of a secret.
    pub(super) fn has_seed(&self) -> bool {
        self.seed_file.is_some()
    }

    /// What `lookup` is answered from.
    pub(super) fn lookup_from(&self) -> &[PathBuf] {
        &self.lookup_from
    }

    /// The file with the secret.
    pub(super) fn seed_file(&self) -> Option<&Path> {
        self.seed_file.as_deref()
    }

    /// Whether any of it is read from files.
    pub(super) fn reads_files(&self) -> bool {
        let is_word = |path: &PathBuf| path.as_os_str() == REPOSITORY;
        self.seed_file.is_some() || !self.lookup_from.iter().all(is_word)
    }

    fn seed(&self) -> Result<Seed> {
        let Some(path) = &self.seed_file else {
            return Ok(Seed::default());
        };
        let content = read::file(path, MAX_FILE_BYTES)?;
        if content.is_empty() {
            return Err(Error::new(
                "file/unreadable",
                format!("the seed file `{}` is empty", path.display()),
            )
            .help("fill it with random bytes: `head -c 32 /dev/urandom > FILE`"));
        }
        Ok(Seed::secret(&content))
    }

    /// What `lookup` is answered from in a build.
    ///
    /// # Errors
    ///
    /// Where a file cannot be read, or holds no objects.
    pub(super) fn lookups(&self) -> Result<Lookups> {
        let is_word = |path: &&PathBuf| path.as_os_str() == REPOSITORY;
        let given = self.lookup_from.iter().filter(|path| !is_word(path));
        Ok(Lookups {
            given: Arc::new(objects(given)?),
            rendered: self.lookup_from.iter().any(|path| is_word(&path)),
        })
    }

    /// The objects that are given for `lookup`.
    ///
    /// # Errors
    ///
    /// Where a file cannot be read, or holds no objects.
    pub(super) fn lookup_objects(&self) -> Result<Vec<yaml::Value>> {
        objects(&self.lookup_from)
    }
}

fn objects<'p>(paths: impl IntoIterator<Item = &'p PathBuf>) -> Result<Vec<yaml::Value>> {
    let mut objects = Vec::new();
    for path in paths {
        let shown = path.display().to_string();
        if Path::is_dir(path) {
            let tree = DiskTree::open(path)?.named(shown);
            collect_objects(&tree, "", &mut objects, 0)?;
        } else {
            let text = read::text_file(path, MAX_FILE_BYTES)?;
            objects_of(&text, &shown, &mut objects)?;
        }
    }
    Ok(objects)
}

/// How deep folders of objects may nest.
const MAX_FOLDERS: usize = 64;

/// The objects in the YAML and JSON files of a folder and those below.
fn collect_objects(
    tree: &dyn Tree,
    folder: &str,
    objects: &mut Vec<yaml::Value>,
    depth: usize,
) -> Result<()> {
    for entry in tree.list(folder)? {
        let path = crate::artifact::path::join(folder, &entry.name).unwrap_or_default();
        let is_objects = [".yaml", ".yml", ".json"]
            .iter()
            .any(|end| entry.name.ends_with(end));
        match entry.kind {
            Kind::Directory if depth < MAX_FOLDERS => {
                collect_objects(tree, &path, objects, depth + 1)?;
            }
            Kind::File if is_objects => {
                let bytes = tree.read(&path)?;
                let text = yaml::text::decode(&bytes)?;
                objects_of(&text, &tree.display(&path), objects)?;
            }
            _ => {}
        }
    }
    Ok(())
}

fn objects_of(text: &str, shown: &str, objects: &mut Vec<yaml::Value>) -> Result<()> {
    for document in
        yaml::parse(text, FileId::default()).map_err(|e| e.context(format!("`{shown}`")))?
    {
        let value = yaml::decode(&document.root, yaml::resolve::Version::V2)
            .map_err(|e| e.context(format!("`{shown}`")))?;
        match (value.get("kind"), value.get("items")) {
            (Some(_), Some(yaml::Value::Sequence(items))) => objects.extend(items.iter().cloned()),
            (Some(_), _) => objects.push(value),
            _ => {}
        }
    }
    Ok(())
}
