//! Text to [`Lockfile`].

use std::collections::BTreeMap;

use super::{ChartPin, ChartRequest, FILE_NAME, Locked, Lockfile, Pin, Request, Signed, VERSION};
use crate::artifact::Digest;
use crate::diag::{Error, FileId, Result, Span, nearest};
use crate::flux::api::SourceRef;
use crate::yaml::{self, Node, check_unique};

impl Lockfile {
    /// Reads the text of the file.
    ///
    /// # Errors
    ///
    /// `lock/conflict` for a merge that is not finished, `lock/version` for a
    /// file of a newer program, `lock/invalid` for everything else that
    /// [`Lockfile::to_text`] does not write; all with the place.
    pub fn parse(text: &str, file: FileId) -> Result<Lockfile> {
        refuse_conflicts(text, file)?;
        let documents = yaml::parse(text, file)?;
        let root = match documents.as_slice() {
            [] => return Ok(Lockfile::default()),
            [one] => &one.root,
            [_, second, ..] => {
                return Err(invalid("a lockfile is one document").at(second.root.span()));
            }
        };
        version(root)?;
        known(root, &["version", "sources", "dependencies", "remotes"])?;
        let mut lockfile = Lockfile::default();
        for block in list(root, "sources")? {
            let (request, locked) = source(block)?;
            if lockfile.sources.contains_key(&request) {
                return Err(twice(block, &request.source.to_string()));
            }
            lockfile.sources.insert(request, locked);
        }
        for block in list(root, "dependencies")? {
            known(block, &["url", "charts"])?;
            let url = text_of(block, "url")?;
            if lockfile.dependencies.contains_key(&url) {
                return Err(twice(block, &url));
            }
            lockfile.dependencies.insert(url, charts(block)?);
        }
        for block in list(root, "remotes")? {
            known(block, &["url", "revision", "digest"])?;
            let url = text_of(block, "url")?;
            if lockfile.remotes.contains_key(&url) {
                return Err(twice(block, &url));
            }
            lockfile.remotes.insert(url, pin(block)?);
        }
        Ok(lockfile)
    }
}

/// Refuses what a merge leaves for people to decide.
fn refuse_conflicts(text: &str, file: FileId) -> Result<()> {
    const MARKS: [&str; 3] = ["<<<<<<< ", ">>>>>>> ", "||||||| "];
    let found = text
        .lines()
        .position(|line| MARKS.iter().any(|mark| line.starts_with(mark)) || line == "=======");
    let Some(at) = found else { return Ok(()) };
    let line = u32::try_from(at + 1).unwrap_or(u32::MAX);
    Err(Error::new(
        "lock/conflict",
        format!("{FILE_NAME} holds the marks of a merge that is not finished"),
    )
    .at(Span::new(file, line, 1))
    .help(
        "take one side (`git checkout --ours fluxwright.lock`), then run `fluxwright lock`: it \
         adds what the other side brought",
    ))
}

fn version(root: &Node) -> Result<()> {
    const HELP: &str = "run `fluxwright lock` to write the file anew";
    if !root.is_mapping() {
        return Err(invalid("this is no lockfile").at(root.span()).help(HELP));
    }
    let Some(written) = root.get("version") else {
        return Err(invalid("`version` is missing").at(root.span()).help(HELP));
    };
    match written.text().and_then(|text| text.parse().ok()) {
        Some(VERSION) => Ok(()),
        Some(newer) if newer > VERSION => Err(Error::new(
            "lock/version",
            format!("the lockfile has version {newer}, and this program knows {VERSION}"),
        )
        .at(written.span())
        .help("use a newer fluxwright")),
        _ => Err(invalid("`version` is no version of a lockfile")
            .at(written.span())
            .help(HELP)),
    }
}

fn source(block: &Node) -> Result<(Request, Locked)> {
    known(
        block,
        &[
            "name",
            "url",
            "ref",
            "revision",
            "digest",
            "charts",
            "signatures",
            "verified",
        ],
    )?;
    let mut reference = BTreeMap::new();
    if let Some(node) = block.get("ref") {
        mapping(node, "ref")?;
        for entry in node.entries() {
            let value = string(&entry.value, "ref")?;
            reference.insert(string(&entry.key, "ref")?, value);
        }
    }
    let request = Request {
        source: source_ref(block)?,
        url: text_of(block, "url")?,
        reference,
    };
    let mut locked = Locked {
        pin: block.get("digest").map(|_| pin(block)).transpose()?,
        charts: charts(block)?,
        ..Locked::default()
    };
    for chart in list(block, "charts")? {
        if let Some(signed) = signed(chart)? {
            locked.signed.insert(digest(chart)?, signed);
        }
    }
    if let Some(signed) = signed(block)?
        && let Some(pin) = &locked.pin
    {
        locked.signed.insert(pin.digest, signed);
    }
    Ok((request, locked))
}

/// Charts that are locked.
fn charts(block: &Node) -> Result<BTreeMap<ChartRequest, ChartPin>> {
    let mut charts = BTreeMap::new();
    for chart in list(block, "charts")? {
        known(
            chart,
            &[
                "chart",
                "range",
                "version",
                "digest",
                "signatures",
                "verified",
            ],
        )?;
        let request = ChartRequest {
            name: text_of(chart, "chart")?,
            range: text_of(chart, "range")?,
        };
        if charts.contains_key(&request) {
            return Err(twice(chart, &request.name));
        }
        let pin = ChartPin {
            version: text_of(chart, "version")?,
            digest: digest(chart)?,
        };
        charts.insert(request, pin);
    }
    Ok(charts)
}

/// Who signed what a block is about; none where it does not say.
fn signed(block: &Node) -> Result<Option<Signed>> {
    let mut signed = Signed::default();
    for node in list(block, "signatures")? {
        let text = string(node, "signatures")?;
        let digest = Digest::parse(&text).map_err(|e| invalid(e.message()).at(node.span()))?;
        signed.signatures.push(digest);
    }
    for signer in list(block, "verified")? {
        signed.verified.push(string(signer, "verified")?);
    }
    signed.verified.sort();
    signed.verified.dedup();
    Ok((signed != Signed::default()).then_some(signed))
}

fn source_ref(block: &Node) -> Result<SourceRef> {
    let name = text_of(block, "name")?;
    let parts: Vec<&str> = name.split('/').collect();
    let [kind, namespace, name] = parts[..] else {
        let span = block.get("name").map_or(block.span(), Node::span);
        return Err(invalid(format!("`{name}` is not KIND/NAMESPACE/NAME")).at(span));
    };
    Ok(SourceRef {
        kind: kind.into(),
        namespace: namespace.into(),
        name: name.into(),
    })
}

fn pin(block: &Node) -> Result<Pin> {
    Ok(Pin {
        revision: match block.get("revision") {
            Some(node) => string(node, "revision")?,
            None => String::new(),
        },
        digest: digest(block)?,
    })
}

fn digest(block: &Node) -> Result<Digest> {
    let text = text_of(block, "digest")?;
    let span = block.get("digest").map_or(block.span(), Node::span);
    Digest::parse(&text).map_err(|e| invalid(e.message()).at(span))
}

fn text_of(block: &Node, key: &str) -> Result<String> {
    match block.get(key) {
        Some(node) => string(node, key),
        None => Err(invalid(format!("`{key}` is missing")).at(block.span())),
    }
}

fn string(node: &Node, key: &str) -> Result<String> {
    match node.as_str() {
        Some(text) => Ok(text.to_owned()),
        None => Err(
            invalid(format!("`{key}` must be a string, not {}", node.describe())).at(node.span()),
        ),
    }
}

fn list<'a>(node: &'a Node, key: &str) -> Result<&'a [Node]> {
    match node.get(key) {
        None => Ok(&[]),
        Some(list) if list.is_sequence() => Ok(list.items()),
        Some(other) => Err(
            invalid(format!("`{key}` must be a list, not {}", other.describe())).at(other.span()),
        ),
    }
}

fn mapping(node: &Node, what: &str) -> Result<()> {
    if !node.is_mapping() {
        return Err(invalid(format!(
            "`{what}` must be a mapping, not {}",
            node.describe()
        ))
        .at(node.span()));
    }
    check_unique(node.entries()).map_err(|e| invalid(e.message()).at(e.span()))
}

fn known(node: &Node, keys: &[&str]) -> Result<()> {
    mapping(node, "this")?;
    for entry in node.entries() {
        let key = entry.key.text().unwrap_or_default();
        if !keys.contains(&key) {
            let error = invalid(format!("unknown key `{key}`")).at(entry.key.span());
            return Err(match nearest(key, keys.iter().copied()) {
                Some(near) => error.help(format!("did you mean `{near}`?")),
                None => error,
            });
        }
    }
    Ok(())
}

fn twice(block: &Node, what: &str) -> Error {
    invalid(format!("`{what}` is locked twice"))
        .at(block.span())
        .help("delete one of the blocks, then run `fluxwright lock`")
}

fn invalid(message: impl Into<String>) -> Error {
    Error::new("lock/invalid", message)
}
