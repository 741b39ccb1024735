//! Helm repositories: an index over HTTP, or tags in an OCI registry.
//!
//! The index is read as it comes, line by line, and only the entries that are
//! asked for are kept: the largest indexes have a hundred thousand versions.
//!
//! Compat: source-controller `internal/helm/repository/chart_repository.go`,
//! `oci_chart_repository.go`.

use std::collections::BTreeMap;
use std::io::{BufRead, Read};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use super::http::Http;
use super::oci::{Protocol, Registry};
use super::{Access, view};
use crate::artifact::{Digest, archive};
use crate::diag::{Error, FileId, Result};
use crate::gostd::semver::{Constraints, latest, parse_three_parts};
use crate::lock::{ChartPin, ChartRequest};
use crate::store::Store;
use crate::yaml::{self, Node};

/// The largest index that is read whole, in bytes: one that is not written
/// line by line.
const MAX_INDEX_BYTES: u64 = 256 << 20;

/// The largest provenance file that is taken, in bytes.
const MAX_PROVENANCE_BYTES: u64 = 4 << 20;

/// A chart that is asked for, and what it came to when it was locked.
pub(super) type Asked = (ChartRequest, Option<ChartPin>);

/// A repository of charts.
pub(super) struct Repository<'r> {
    /// Its address.
    pub(super) url: &'r str,
    /// Whether plain HTTP is meant, for a registry.
    pub(super) insecure: bool,
    /// Whether it is one in a registry.
    pub(super) is_oci: bool,
    /// Whether credentials go to the hosts of its archives, too.
    pub(super) pass_credentials: bool,
}

/// What charts of a repository come to.
pub(super) fn resolve(
    access: &Access<'_>,
    repository: &Repository<'_>,
    asked: &[Asked],
) -> Vec<Result<ChartPin>> {
    if repository.is_oci {
        return at_once(asked, |(chart, pin)| {
            from_registry(access, repository, chart, pin.as_ref())
        });
    }
    let base = access.address(repository.url.trim_end_matches('/'));
    let index = Http::new(&base, &access.credentials, repository.pass_credentials)
        .and_then(|http| Ok((Index::read(&http, &base, asked)?, http)));
    let (index, http) = match index {
        Ok(read) => read,
        Err(e) => return asked.iter().map(|_| Err(e.clone())).collect(),
    };
    at_once(asked, |(chart, pin)| {
        let version = match pin {
            Some(pin) => index.version(chart, &pin.version)?,
            None => index.choose(chart)?,
        };
        let url = access.address(&version.address(&base)?);
        let expected = match (pin, &version.digest) {
            (Some(pin), _) => Some(pin.digest),
            (None, digest) => *digest,
        };
        let digest = http
            .download(&url, access.store, expected)
            .and_then(|digest| match pin {
                Some(_) => Ok(digest),
                None => whole(access.store, digest, &url).map(|()| digest),
            })
            .map_err(|e| match (e.rule(), pin) {
                ("store/digest", None) => e.helped(
                    "find out why: the index of the repository names this digest; a cache on the \
                     way may be out of date, or the archive was changed behind it",
                ),
                _ => e,
            })
            .map_err(|e| e.context(format!("chart `{}` {}", chart.name, version.number)))?;
        Ok(ChartPin {
            version: version.number.clone(),
            digest,
        })
    })
}

/// How many charts of one repository are waited for at once.
const AT_ONCE: usize = 16;

/// What each of these comes to, several at the same time; in their order.
fn at_once<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let results: Vec<Mutex<Option<R>>> = items.iter().map(|_| Mutex::new(None)).collect();
    let run = || {
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let (Some(item), Some(result)) = (items.get(at), results.get(at)) else {
                return;
            };
            let done = work(item);
            *result.lock().unwrap_or_else(PoisonError::into_inner) = Some(done);
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..items.len().min(AT_ONCE) {
            scope.spawn(run);
        }
        run();
    });
    let results = results.into_iter();
    results
        .filter_map(|result| result.into_inner().unwrap_or_else(PoisonError::into_inner))
        .collect()
}

/// The provenance file of a chart, in the store; empty where there is none.
///
/// Compat: helm's chart_downloader.go: it lies beside the archive, under its
/// address with `.prov` behind it.
pub(super) fn provenance(
    access: &Access<'_>,
    url: &str,
    pass_credentials: bool,
    chart: &ChartRequest,
    version: &str,
) -> Result<Vec<Digest>> {
    let base = access.address(url.trim_end_matches('/'));
    let http = Http::new(&base, &access.credentials, pass_credentials)?;
    let index = Index::read(&http, &base, &[(chart.clone(), None)])?;
    let address = index.version(chart, version)?.address(&base)?;
    let (path, query) = address.split_once('?').unwrap_or((&address, ""));
    let mut url = format!("{path}.prov");
    if !query.is_empty() {
        url.push('?');
        url.push_str(query);
    }
    match http.read(&access.address(&url), MAX_PROVENANCE_BYTES) {
        Ok(content) => Ok(vec![access.store.put(&content)?]),
        Err(e) if e.rule() == "source/missing" => Ok(Vec::new()),
        Err(e) => Err(e),
    }
}

/// Refuses an archive that is damaged, and takes it out of the store again.
fn whole(store: &Store, digest: Digest, url: &str) -> Result<()> {
    let Err(e) = archive::check(&store.read(digest)?) else {
        return Ok(());
    };
    store.forget(digest)?;
    let url = super::http::shown(url);
    Err(
        Error::new("source/broken", format!("`{url}`: {}", e.message())).help(
            "try again; if it stays so, tell who keeps the repository, or name a mirror under \
         `mirrors` in .fluxwright.yaml",
        ),
    )
}

fn from_registry(
    access: &Access<'_>,
    repository: &Repository<'_>,
    chart: &ChartRequest,
    pin: Option<&ChartPin>,
) -> Result<ChartPin> {
    let url = format!("{}/{}", repository.url.trim_end_matches('/'), chart.name);
    let registry = Registry::connect(access, &url, Protocol::of(repository.insecure))?;
    let version = if let Some(pin) = pin {
        pin.version.clone()
    } else if parse_three_parts(&chart.range).is_ok() {
        // Compat: a version is asked for by its tag, whatever tags there are.
        chart.range.clone()
    } else {
        // A version is a tag, with `_` for the `+` that tags cannot have.
        let tags = registry.tags()?;
        let mut versions: Vec<String> = tags.iter().map(|t| t.replace('_', "+")).collect();
        let chosen = choose(&chart.range, &versions, |_| ())
            .map_err(|e| e.context(format!("chart `{}`", chart.name)))?;
        versions.swap_remove(chosen)
    };
    let reference = match pin {
        Some(pin) => pin.digest.to_string(),
        None => version.replace('+', "_"),
    };
    let digest = registry.fetch(access.store, &reference, &view::Layer::Chart)?;
    Ok(ChartPin { version, digest })
}

/// The entries of an index that are asked for.
#[derive(Debug, Default)]
struct Index {
    charts: BTreeMap<String, Vec<Version>>,
}

/// A version of a chart in an index.
#[derive(Clone, Debug)]
struct Version {
    number: String,
    created: String,
    urls: Vec<String>,
    digest: Option<Digest>,
}

impl Version {
    /// The address of its archive.
    fn address(&self, base: &str) -> Result<String> {
        let Some(url) = self.urls.first() else {
            return Err(Error::new(
                "source/failed",
                format!("the index has no address for version {}", self.number),
            )
            .help("tell who keeps the repository, or take another version"));
        };
        if url.contains("://") {
            return Ok(url.clone());
        }
        // Compat: repo.ResolveReferenceURL: relative to the repository, whose
        // query is kept.
        let mut whole = below(base, "")?;
        let query = whole.query().map(str::to_owned);
        whole = whole.join(url).map_err(|e| {
            Error::new(
                "source/failed",
                format!("the index has the address `{url}`: {e}"),
            )
        })?;
        if whole.query().is_none() {
            whole.set_query(query.as_deref());
        }
        Ok(whole.to_string())
    }
}

/// The address of something in a repository, whose query is kept.
///
/// Compat: source-controller `chart_repository.go` `DownloadIndex`.
fn below(base: &str, name: &str) -> Result<reqwest::Url> {
    let mut url = super::http::parse(base)?;
    let path = format!("{}/{name}", url.path().trim_end_matches('/'));
    url.set_path(&path);
    Ok(url)
}

impl Index {
    fn read(http: &Http, base: &str, asked: &[Asked]) -> Result<Index> {
        let names: Vec<&str> = asked.iter().map(|(chart, _)| chart.name.as_str()).collect();
        let url = below(base, "index.yaml")?.to_string();
        let text = http.stream(&url, &|reader| entries(reader, &names));
        let text = text.map_err(|e| match e.rule() {
            "source/missing" => e.helped(
                "is the address right? it is that of the folder which holds index.yaml; private \
                 repositories answer so without credentials",
            ),
            _ => e,
        })?;
        Index::parse(&text, &names)
            .map_err(|e| e.context(format!("the index `{}`", super::http::shown(&url))))
    }

    fn parse(text: &str, names: &[&str]) -> Result<Index> {
        let documents = yaml::parse(text, FileId::default())?;
        let root = documents.first().map(|d| &d.root);
        let Some(entries) = root.and_then(|r| r.get("entries")) else {
            return Err(Error::new("source/failed", "it has no `entries`")
                .help("is the address that of a Helm repository?"));
        };
        let mut index = Index::default();
        for name in names {
            if let Some(versions) = entries.get(name) {
                let versions = versions.target().items().iter().map(version).collect();
                index.charts.insert((*name).to_owned(), versions);
            }
        }
        Ok(index)
    }

    fn of(&self, chart: &ChartRequest) -> Result<&[Version]> {
        self.charts
            .get(&chart.name)
            .map(Vec::as_slice)
            .ok_or_else(|| {
                Error::new(
                    "ref/missing",
                    format!("the repository has no chart `{}`", chart.name),
                )
                .help("is its name spelled right, and is this the repository that has it?")
            })
    }

    fn version(&self, chart: &ChartRequest, wanted: &str) -> Result<&Version> {
        let found = self.of(chart)?.iter().find(|v| v.number == wanted);
        found.ok_or_else(|| {
            Error::new(
                "ref/missing",
                format!("the repository no longer has version {wanted} of chart `{}`", chart.name),
            )
            .help("take another with `fluxwright lock --update NAME`, or `vendor` what others still have")
        })
    }

    fn choose(&self, chart: &ChartRequest) -> Result<&Version> {
        let versions = self.of(chart)?;
        let names: Vec<String> = versions.iter().map(|v| v.number.clone()).collect();
        let created = |i: usize| {
            let text = versions
                .get(i)
                .map(|v| v.created.as_str())
                .unwrap_or_default();
            text.parse::<jiff::Timestamp>().ok()
        };
        let chosen = choose(&chart.range, &names, created)
            .map_err(|e| e.context(format!("chart `{}`", chart.name)))?;
        versions
            .get(chosen)
            .ok_or_else(|| Error::new("source/version", "no version"))
    }
}

/// The place of the version that a range chooses: that very version, else the
/// latest in the range.
fn choose<T: Ord>(range: &str, versions: &[String], tie: impl Fn(usize) -> T) -> Result<usize> {
    if let Some(exact) = versions.iter().position(|v| v == range) {
        return Ok(exact);
    }
    let constraints =
        Constraints::parse(if range.is_empty() { "*" } else { range }).map_err(|e| {
            Error::new(
                "source/version",
                format!("`{range}` is no range of versions: {e}"),
            )
            .help("write a range such as `>=1.2.0 <2.0.0`, `^1.2.0` or `1.2.x`")
        })?;
    latest(versions.iter().map(String::as_str), &constraints, tie).ok_or_else(|| {
        let newest = match newest(versions) {
            Some(newest) => format!(", the newest is {newest}"),
            None => String::new(),
        };
        Error::new(
            "source/version",
            format!("no version is in the range `{range}`"),
        )
        .help(format!(
            "none of its {} versions will do{newest}; prereleases need a range with one, such as \
             `>=1.0.0-0`",
            versions.len()
        ))
    })
}

/// The newest version that is no prerelease.
fn newest(versions: &[String]) -> Option<&str> {
    let any = Constraints::parse("*").ok()?;
    let newest = latest(versions.iter().map(String::as_str), &any, |_| ())?;
    versions.get(newest).map(String::as_str)
}

fn version(node: &Node) -> Version {
    let text = |key: &str| {
        node.get(key)
            .and_then(Node::text)
            .unwrap_or_default()
            .to_owned()
    };
    let urls = node.get("urls").map(Node::items).unwrap_or_default();
    Version {
        number: text("version"),
        created: text("created"),
        urls: urls
            .iter()
            .filter_map(Node::text)
            .map(str::to_owned)
            .collect(),
        digest: {
            let hex = text("digest");
            let hex = hex.strip_prefix("sha256:").unwrap_or(&hex);
            Digest::parse(&format!("sha256:{hex}")).ok()
        },
    }
}

/// The text of an index, without the entries that nobody asks for.
///
/// An index in block style is cut by its indentation: below `entries:`, every
/// line that is indented as the first one, and is no item of a list, begins a
/// chart. Any other index is read whole.
fn entries(reader: &mut dyn BufRead, names: &[&str]) -> std::io::Result<String> {
    let mut kept = String::new();
    let mut line = Vec::new();
    let mut is_within = false;
    let mut indent = None;
    let mut is_wanted = false;
    let mut is_first = true;
    loop {
        line.clear();
        let read = reader.take(MAX_INDEX_BYTES).read_until(b'\n', &mut line)?;
        if read == 0 {
            return Ok(kept);
        }
        let text = String::from_utf8_lossy(&line);
        let bare = text.trim_end();
        if is_first && bare.trim_start().starts_with('{') {
            // JSON: one line, or many that are not indented so.
            kept.push_str(&text);
            let mut rest = String::new();
            reader.take(MAX_INDEX_BYTES).read_to_string(&mut rest)?;
            kept.push_str(&rest);
            return Ok(kept);
        }
        is_first &= bare.is_empty() || bare.starts_with('#') || bare == "---";
        let depth = text.len() - text.trim_start_matches(' ').len();
        let is_content = !bare.is_empty() && !bare.trim_start().starts_with('#');
        if is_content && depth == 0 && !bare.starts_with('-') {
            let key = bare.split(" #").next().unwrap_or(bare);
            is_within = key.trim_end() == "entries:";
            indent = None;
            if is_within || bare.starts_with("entries:") {
                kept.push_str(&text);
            }
            continue;
        }
        if !is_within || !is_content {
            continue;
        }
        if depth == *indent.get_or_insert(depth) && !bare.trim_start().starts_with("- ") {
            let key = bare.trim_start();
            let name = key.split_once(':').map_or(key, |(name, _)| name);
            is_wanted = names.contains(&name.trim_matches(['"', '\'']));
        }
        if is_wanted {
            kept.push_str(&text);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INDEX: &str = "apiVersion: v1\n# of two charts\nentries:\n  other:\n  - version: 9.0.0\n    description: |\n      web:\n  web:\n  - created: \"2024-01-02T00:00:00Z\"\n    version: 1.0.0+b\n    urls: [web-1.0.0.tgz]\n    digest: BAD\n  - created: \"2024-01-03T00:00:00Z\"\n    version: 1.0.0+a\n    urls:\n    - https://cdn.example/web.tgz\n  - version: 0.9.0\ngenerated: x\n";

    fn request(range: &str) -> ChartRequest {
        ChartRequest {
            name: "web".into(),
            range: range.into(),
        }
    }

    fn index(text: &str) -> Index {
        let kept = entries(&mut text.as_bytes(), &["web"]).unwrap();
        assert!(!kept.contains("9.0.0") || text.starts_with('{'), "{kept}");
        Index::parse(&kept, &["web"]).unwrap()
    }

    #[test]
    fn only_what_is_asked_for_is_kept() {
        let index = index(INDEX);
        assert_eq!(index.charts["web"].len(), 3);
        // The one made last, of two that differ in metadata alone.
        let chosen = index.choose(&request("1.x")).unwrap();
        assert_eq!(chosen.number, "1.0.0+a");
        assert_eq!(
            chosen.address("https://h/c").unwrap(),
            "https://cdn.example/web.tgz"
        );
        let exact = index.choose(&request("1.0.0+b")).unwrap();
        assert_eq!(
            exact.address("https://h/c").unwrap(),
            "https://h/c/web-1.0.0.tgz"
        );
        assert_eq!(
            index.choose(&request(">2")).unwrap_err().rule(),
            "source/version"
        );
        assert_eq!(
            index.choose(&request("nope!")).unwrap_err().rule(),
            "source/version"
        );
    }

    #[test]
    fn queries_of_repositories_are_kept() {
        let url = |base| below(base, "index.yaml").unwrap().to_string();
        assert_eq!(url("https://h/c?t=1"), "https://h/c/index.yaml?t=1");
        assert_eq!(url("https://h/c/"), "https://h/c/index.yaml");
        assert_eq!(url("https://h"), "https://h/index.yaml");
        let index = index(INDEX);
        let exact = index.choose(&request("1.0.0+b")).unwrap();
        assert_eq!(
            exact.address("https://h/c?t=1").unwrap(),
            "https://h/c/web-1.0.0.tgz?t=1"
        );
    }

    #[test]
    fn other_styles_are_read_too() {
        let commented = "entries: # all\n  web: # this\n  - version: 1.0.0\n  x: []\n";
        assert_eq!(index(commented).charts["web"].len(), 1);
        let json = "\n  {\"entries\": {\"web\": [{\"version\": \"1.0.0\"}]}}";
        assert_eq!(index(json).charts["web"].len(), 1);
        let dashes = "entries:\n  web:\n    - version: 1.0.0\n  x: []\n";
        assert_eq!(index(dashes).charts["web"].len(), 1);
        let json = r#"{"entries": {"web": [{"version": "1.0.0"}], "o": [{"version": "9.0.0"}]}}"#;
        assert_eq!(index(json).charts["web"].len(), 1);
        let empty = Index::parse(
            &entries(&mut "entries: {}\n".as_bytes(), &["web"]).unwrap(),
            &["web"],
        );
        assert_eq!(
            empty.unwrap().of(&request("")).unwrap_err().rule(),
            "ref/missing"
        );
        let error = Index::parse("<html></html>", &["web"]).unwrap_err();
        assert_eq!(error.rule(), "source/failed");
    }
}
