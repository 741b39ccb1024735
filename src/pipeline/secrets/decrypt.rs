//! Decryption of what a Kustomization builds.
//!
//! Compat: kustomize-controller `internal/decryptor`: before the build, inputs
//! of secret generators and patches are decrypted where they lie, in the
//! folder and those that its `resources` and `components` name; after it, the
//! objects, before variables are substituted. Beyond what it does, the MAC of
//! an object is checked, on the file as it lies in the repository.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use foldhash::HashMap;

use super::Unsealed;
use crate::artifact::{Kind, path};
use crate::diag::{Error, FileId, Finding, Findings, Result, Severity, Span};
use crate::pipeline::render::Options;
use crate::resource::{Files, ResId};
use crate::sops::{self, Decryptor, Format, Outcome};
use crate::yaml::secret::has_secret;
use crate::yaml::{Entry, Node};

/// The names that a kustomization file may have.
const KUSTOMIZATION_FILES: [&str; 3] = ["kustomization.yaml", "kustomization.yml", "Kustomization"];

/// Opens files and objects with the same keys.
#[derive(Debug, Default)]
pub(super) struct Opener {
    decryptor: Decryptor,
    is_required: bool,
    /// Whether the MAC of a file holds.
    macs: Mutex<HashMap<FileId, Result<()>>>,
}

impl Opener {
    pub(super) fn new(decryptor: Decryptor, is_required: bool) -> Opener {
        Opener {
            decryptor,
            is_required,
            macs: Mutex::default(),
        }
    }

    pub(super) fn sources(
        &self,
        files: &Files,
        folder: &str,
        kustomization: &Node,
        options: &Options,
        findings: &mut Findings,
    ) -> Result<Option<Unsealed>> {
        let mut visit = Visit {
            opener: self,
            files,
            options,
            findings,
            seen: BTreeSet::new(),
            plain: Vec::new(),
            shadows: Vec::new(),
        };
        visit.all(folder, kustomization)?;
        let (plain, shadows) = (visit.plain, visit.shadows);
        if plain.is_empty() {
            return Ok(None);
        }
        let has_placeholders = plain.len() > shadows.len();
        let with = |contents: &[(String, Arc<[u8]>)]| {
            files.replacing(contents.iter().map(|(p, b)| (p.as_str(), b.clone())))
        };
        let unsealed = with(&plain)?;
        let shadows = if shadows.is_empty() {
            None
        } else {
            Some(unsealed.replacing(shadows.iter().map(|(p, b)| (p.as_str(), b.clone())))?)
        };
        Ok(Some(Unsealed {
            files: unsealed,
            shadows,
            has_placeholders,
        }))
    }

    pub(super) fn objects(
        &self,
        objects: &mut [Node],
        has_placeholders: bool,
        options: &Options,
        findings: &mut Findings,
    ) -> Result<()> {
        for object in objects {
            if has_placeholders {
                sops::mark_placeholders(object);
            }
            let sealed = object.entry("sops").map(|entry| entry.key.span());
            let of_file = sealed.filter(|_| sops::is_encrypted(object));
            let id = ResId::of(object).to_object_ref();
            let opened = self.decryptor.decrypt_object(object).and_then(|outcome| {
                if let (Outcome::Decrypted, Some(span)) = (outcome, of_file) {
                    self.check_mac(span, options)?;
                }
                Ok(())
            });
            match opened {
                Ok(()) => {}
                Err(e) if self.may_stand_in(&e) => {
                    let span = e.span().or(object.span());
                    findings.push(self.sealed(&id.to_string(), &e, span, options).object(id));
                    if options.keeps_sealed {
                        sops::mark_sealed(object);
                    } else {
                        sops::placeholders(object);
                    }
                }
                Err(e) => return Err(e.at(object.span()).object(id)),
            }
        }
        Ok(())
    }

    /// Checks the MAC of the file that an object was read from, once for all
    /// objects in it.
    fn check_mac(&self, span: Span, options: &Options) -> Result<()> {
        let lock = || self.macs.lock().unwrap_or_else(PoisonError::into_inner);
        let known = lock().get(&span.file).cloned();
        known
            .unwrap_or_else(|| {
                let result = match options.source_map.get(span.file) {
                    Some(file) => self
                        .decryptor
                        .check_file(file.text.as_bytes(), Format::of_path(&file.path)),
                    None => Err(Error::new(
                        "sops/mac",
                        "its MAC cannot be checked: the object is of no file",
                    )
                    .help("put the encrypted object into a file of its own")),
                };
                lock().insert(span.file, result.clone());
                result
            })
            .map_err(|e| e.at(span))
    }

    /// Whether placeholders may stand in for what could not be decrypted.
    fn may_stand_in(&self, error: &Error) -> bool {
        error.rule() == "sops/key" && !self.is_required
    }

    fn sealed(&self, what: &str, error: &Error, span: Span, options: &Options) -> Finding {
        let severity = if self.decryptor.has_keys() {
            Severity::Warning
        } else {
            Severity::Info
        };
        let becomes = if options.keeps_sealed {
            "stays encrypted"
        } else {
            "is not decrypted, placeholders stand in for its values"
        };
        let message = format!("{what} {becomes}: {}", error.message());
        Finding::new("sops/key", severity, message)
            .at(span, &options.source_map)
            .help(error.help_text().unwrap_or_default())
    }

    pub(super) fn mask(&self, object: &mut Node) {
        let kind = object.str_at("kind").map(str::to_owned);
        for Entry { key, value } in object.entries_mut().into_iter().flatten() {
            let is_packed = matches!(
                (kind.as_deref(), key.text()),
                (Some("Secret"), Some("data")) | (Some("ConfigMap"), Some("binaryData"))
            );
            self.mask_node(key, false);
            self.mask_node(value, is_packed);
        }
    }

    fn mask_node(&self, node: &mut Node, is_packed: bool) {
        if !has_secret(node) {
            return;
        }
        if node.is_alias() {
            *node = node.target().clone();
        }
        if let Some(items) = node.items_mut() {
            for item in items {
                self.mask_node(item, is_packed);
            }
        } else if let Some(entries) = node.entries_mut() {
            for Entry { key, value } in entries {
                self.mask_node(key, false);
                self.mask_node(value, is_packed);
            }
        } else {
            let mut mask = self.decryptor.mask(node.text().unwrap_or_default());
            if is_packed {
                mask = STANDARD.encode(mask);
            }
            *node = Node::string(mask, node.span());
            node.mark_secret();
        }
    }

    pub(super) fn learn(&self, texts: &[Arc<str>]) {
        self.decryptor.learn(texts);
    }

    pub(super) fn redact(&self, text: &str) -> String {
        self.decryptor.redact(text).into_owned()
    }
}

/// A walk over the kustomizations of a build.
struct Visit<'a> {
    opener: &'a Opener,
    files: &'a Files,
    options: &'a Options,
    findings: &'a mut Findings,
    /// Files and folders that were visited.
    seen: BTreeSet<String>,
    /// Files that were encrypted: in clear, or with placeholders.
    plain: Vec<(String, Arc<[u8]>)>,
    /// The shadows of those that are in clear.
    shadows: Vec<(String, Arc<[u8]>)>,
}

impl Visit<'_> {
    fn all(&mut self, folder: &str, kustomization: &Node) -> Result<()> {
        let mut open = vec![(folder.to_owned(), kustomization.clone())];
        self.seen.insert(folder.to_owned());
        while let Some((folder, kustomization)) = open.pop() {
            self.kustomization(&folder, &kustomization)?;
            for field in ["components", "resources"] {
                for entry in texts(&kustomization, field).rev() {
                    let Some(below) = path::join(&folder, entry) else {
                        continue;
                    };
                    if !matches!(self.files.kind(&below), Ok(Some(Kind::Directory)))
                        || !self.seen.insert(below.clone())
                    {
                        continue;
                    }
                    if let Some(kustomization) = self.load(&below) {
                        open.push((below, kustomization));
                    }
                }
            }
        }
        Ok(())
    }

    /// The kustomization of a folder. What is wrong with it is told by its
    /// build.
    fn load(&self, folder: &str) -> Option<Node> {
        KUSTOMIZATION_FILES.iter().find_map(|name| {
            let documents = self.files.documents(&path::join(folder, name)?).ok()?;
            documents.first().map(|document| document.root.clone())
        })
    }

    fn kustomization(&mut self, folder: &str, kustomization: &Node) -> Result<()> {
        for generator in items(kustomization, "secretGenerator") {
            for source in texts(generator, "files") {
                let (key, name) = source.split_once('=').unwrap_or((source, source));
                self.file(folder, name, sops::source_format(key))?;
            }
            for name in texts(generator, "envs") {
                self.file(folder, name, sops::env_format(name))?;
            }
        }
        for patch in items(kustomization, "patches") {
            if let Some(name) = patch.str_at("path").filter(|name| !name.contains("://")) {
                self.file(folder, name, sops::source_format(name))?;
            }
        }
        Ok(())
    }

    fn file(&mut self, folder: &str, name: &str, format: Format) -> Result<()> {
        let Some(path) = path::join(folder, name) else {
            return Ok(());
        };
        // What is missing is told by the build, too.
        if !matches!(self.files.kind(&path), Ok(Some(Kind::File)))
            || !self.seen.insert(path.clone())
        {
            return Ok(());
        }
        let raw = self.files.raw(&path)?;
        let at = Span::new(raw.file, 1, 1);
        let display = format!("`{}`", self.files.display(&path));
        match self.opener.decryptor.decrypt_source(&raw.bytes, format) {
            Ok(None) => {}
            Ok(Some(opened)) => {
                self.plain.push((path.clone(), Arc::from(&**opened.plain)));
                self.shadows.push((path, opened.shadow.into()));
            }
            Err(e) if self.opener.may_stand_in(&e) => {
                let options = self.options;
                self.findings
                    .push(self.opener.sealed(&display, &e, at, options));
                let stand_in = sops::source_placeholders(&raw.bytes, format)
                    .map_err(|e| e.at(at).context(display))?;
                if let Some(stand_in) = stand_in {
                    self.plain.push((path, stand_in.into()));
                }
            }
            Err(e) => return Err(e.at(at).context(display)),
        }
        Ok(())
    }
}

fn items<'a>(node: &'a Node, field: &str) -> &'a [Node] {
    node.get(field).map_or(&[], |list| list.items())
}

fn texts<'a>(node: &'a Node, field: &str) -> impl DoubleEndedIterator<Item = &'a str> {
    items(node, field).iter().filter_map(Node::text)
}
