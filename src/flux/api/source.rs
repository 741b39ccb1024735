//! Sources: GitRepository, HelmRepository, OCIRepository and Bucket, in every
//! version of their API.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{SourceRef, Verification};
use crate::diag::{Error, Result, Span};
use crate::flux::fields::Fields;
use crate::resource::{Gvk, ResId};
use crate::yaml::Node;

/// A source, typed.
#[derive(Clone, Debug)]
pub struct Source {
    /// Which it is.
    pub id: SourceRef,
    /// Where the object begins.
    pub span: Span,
    /// `spec.url`; of a Bucket its `endpoint`.
    pub url: Arc<str>,
    /// Where the address stands.
    pub url_span: Span,
    /// The Secret with credentials.
    pub secret: Option<Arc<str>>,
    /// The Secret with certificates.
    pub cert_secret: Option<Arc<str>>,
    /// The Secret with the proxy.
    pub proxy_secret: Option<Arc<str>>,
    /// The service account whose pull secrets count, of an OCIRepository.
    pub service_account: Option<Arc<str>>,
    /// Who vouches for the machine: `generic` for nobody.
    pub provider: Arc<str>,
    /// Whether plain HTTP is meant.
    pub insecure: bool,
    /// `spec.ignore`.
    pub ignore: Option<Arc<str>>,
    /// `spec.verify`: who must have signed it.
    pub verify: Option<Arc<Result<Verification>>>,
    /// What is particular to its kind.
    pub spec: SourceSpec,
}

/// What is particular to a kind of source.
#[derive(Clone, Debug)]
pub enum SourceSpec {
    /// A GitRepository.
    Git(GitSpec),
    /// A HelmRepository.
    Helm(HelmSpec),
    /// An OCIRepository.
    Oci(OciSpec),
    /// A Bucket.
    Bucket(BucketSpec),
}

/// What a GitRepository has.
#[derive(Clone, Debug, Default)]
pub struct GitSpec {
    /// `spec.ref`: branch, tag, semver, name, commit, as they are written.
    pub reference: BTreeMap<String, String>,
    /// `spec.recurseSubmodules`.
    pub recurse_submodules: bool,
    /// `spec.include`.
    pub include: Vec<Include>,
    /// `spec.sparseCheckout`: folders; none for the whole tree.
    pub sparse_checkout: Vec<Arc<str>>,
}

impl GitSpec {
    /// What is checked out: the field that counts, and its value.
    ///
    /// Compat: of several fields commit counts before name, semver, tag and
    /// branch, and none means the branch `master`.
    fn revision(&self) -> (&str, &str) {
        let order = ["commit", "name", "semver", "tag", "branch"];
        let mut set = order
            .into_iter()
            .filter_map(|field| Some((field, self.reference.get(field)?.as_str())));
        match set.next() {
            Some(("name", name)) => match name.strip_prefix("refs/heads/") {
                Some(branch) => ("branch", branch),
                None => ("name", name),
            },
            Some(revision) => revision,
            None => ("branch", "master"),
        }
    }

    /// Whether the reference names a tag.
    pub fn is_tag(&self) -> bool {
        match (self.reference.get("commit"), self.reference.get("name")) {
            (Some(_), _) => false,
            (None, Some(name)) => name.starts_with("refs/tags/"),
            (None, None) => {
                self.reference.contains_key("semver") || self.reference.contains_key("tag")
            }
        }
    }
}

/// An entry of `spec.include`: files of another GitRepository.
#[derive(Clone, Debug)]
pub struct Include {
    /// The other, in the same namespace.
    pub repository: Arc<str>,
    /// The folder in it.
    pub from: Arc<str>,
    /// The folder here.
    pub to: Arc<str>,
    /// Where it stands.
    pub span: Span,
}

/// What a HelmRepository has.
#[derive(Clone, Debug, Default)]
pub struct HelmSpec {
    /// `spec.type: oci`.
    pub is_oci: bool,
    /// `spec.passCredentials`.
    pub pass_credentials: bool,
}

/// What an OCIRepository has.
#[derive(Clone, Debug, Default)]
pub struct OciSpec {
    /// `spec.ref`: tag, semver, semverFilter, digest, as they are written.
    pub reference: BTreeMap<String, String>,
    /// The media type of the layer that is taken; none for the first one.
    pub layer_media_type: Option<Arc<str>>,
    /// Whether the layer is taken as it is, and not unpacked.
    pub copies_layer: bool,
}

/// What a Bucket has.
#[derive(Clone, Debug, Default)]
pub struct BucketSpec {
    /// `spec.bucketName`.
    pub bucket: Arc<str>,
    /// `spec.region`.
    pub region: Arc<str>,
    /// `spec.prefix`.
    pub prefix: Arc<str>,
    /// Whether a service of tokens gives the login, `spec.sts`.
    pub has_sts: bool,
}

/// Whether an object is a source that is read here.
pub fn is_source(gvk: &Gvk) -> bool {
    const KINDS: [&str; 4] = ["GitRepository", "HelmRepository", "OCIRepository", "Bucket"];
    &*gvk.group == super::SOURCE && KINDS.contains(&&*gvk.kind)
}

impl SourceRef {
    /// What names an object.
    pub fn of(object: &Node) -> SourceRef {
        let id = ResId::of(object);
        SourceRef {
            kind: id.gvk.kind,
            namespace: if id.namespace.is_empty() {
                "default".into()
            } else {
                id.namespace
            },
            name: id.name,
        }
    }
}

impl Source {
    /// Whether two GitRepositories hold the same files: of one repository,
    /// however it is reached, the same revision and the same part of it. What
    /// must be signed is never the same as what need not be.
    pub fn is_same_content(&self, other: &Source) -> bool {
        let (SourceSpec::Git(one), SourceSpec::Git(two)) = (&self.spec, &other.spec) else {
            return false;
        };
        let is_signed = |source: &Source| source.verify.is_some();
        let included = |spec: &GitSpec| -> Vec<_> {
            let each = spec.include.iter();
            each.map(|i| (i.repository.clone(), i.from.clone(), i.to.clone()))
                .collect()
        };
        let same_includes = included(one) == included(two)
            && (one.include.is_empty() || self.id.namespace == other.id.namespace);
        place(&self.url).is_some_and(|at| place(&other.url) == Some(at))
            && one.revision() == two.revision()
            && self.ignore == other.ignore
            && one.recurse_submodules == two.recurse_submodules
            && one.sparse_checkout == two.sparse_checkout
            && same_includes
            && !is_signed(self)
            && !is_signed(other)
    }

    /// Reads a source; none for objects of other kinds.
    ///
    /// # Errors
    ///
    /// `schema/invalid`, with the place, for fields of the wrong kind and for
    /// those that must be there.
    pub fn read(object: &Node) -> Result<Option<Source>> {
        let id = ResId::of(object);
        if !is_source(&id.gvk) {
            return Ok(None);
        }
        Source::read_spec(object)
            .map(Some)
            .map_err(|e| e.object(id.to_object_ref()))
    }

    fn read_spec(object: &Node) -> Result<Source> {
        let whole = Fields::of(object);
        let id = SourceRef::of(object);
        let spec = whole
            .mapping("spec")?
            .ok_or_else(|| whole.missing("spec"))?;
        let secret = |field: &str| -> Result<Option<Arc<str>>> {
            match spec.mapping(field)? {
                None => Ok(None),
                Some(reference) => reference.required("name").map(Some),
            }
        };
        let address = if &*id.kind == "Bucket" {
            "endpoint"
        } else {
            "url"
        };
        let url = spec.required(address)?;
        let provider = spec.text("provider")?;
        Ok(Source {
            span: object.span(),
            url,
            url_span: spec.get(address).map_or(object.span(), Node::span),
            secret: secret("secretRef")?,
            cert_secret: secret("certSecretRef")?,
            proxy_secret: secret("proxySecretRef")?,
            service_account: match &*id.kind {
                "OCIRepository" => Some(spec.text("serviceAccountName")?).filter(|a| !a.is_empty()),
                _ => None,
            },
            provider: if provider.is_empty() {
                "generic".into()
            } else {
                provider
            },
            insecure: spec.bool("insecure")?,
            verify: Verification::read(&spec).map(Arc::new),
            ignore: spec.string("ignore")?.and_then(Node::shared_text).cloned(),
            spec: match &*id.kind {
                "GitRepository" => SourceSpec::Git(git(&spec)?),
                "HelmRepository" => SourceSpec::Helm(HelmSpec {
                    is_oci: &*spec.text("type")? == "oci",
                    pass_credentials: spec.bool("passCredentials")?,
                }),
                "OCIRepository" => SourceSpec::Oci(oci(&spec)?),
                _ => SourceSpec::Bucket(BucketSpec {
                    bucket: spec.required("bucketName")?,
                    region: spec.text("region")?,
                    prefix: spec.text("prefix")?,
                    has_sts: spec.get("sts").is_some(),
                }),
            },
            id,
        })
    }
}

/// The host and the path of a repository's address: over HTTPS and SSH it is the
/// same one.
fn place(url: &str) -> Option<String> {
    let (scheme, rest) = url.split_once("://")?;
    let (authority, path) = rest.split_once('/')?;
    let host = authority
        .rsplit_once('@')
        .map_or(authority, |(_, host)| host);
    let port = match scheme {
        "https" => ":443",
        "http" => ":80",
        _ => ":22",
    };
    let host = host.strip_suffix(port).unwrap_or(host);
    let path = path.trim_end_matches('/');
    let path = path.strip_suffix(".git").unwrap_or(path);
    Some(format!("{}/{path}", host.to_ascii_lowercase()))
}

fn git(spec: &Fields<'_>) -> Result<GitSpec> {
    let include = spec.mappings("include")?;
    let include = include.iter().map(|entry| {
        let repository = entry
            .mapping("repository")?
            .ok_or_else(|| entry.missing("repository"))?
            .required("name")?;
        let to = entry.text("toPath")?;
        Ok(Include {
            from: entry.text("fromPath")?,
            // Compat: GitRepositoryInclude.GetToPath: the name of the other.
            to: if to.is_empty() {
                repository.clone()
            } else {
                to
            },
            repository,
            span: entry.node().span(),
        })
    });
    let sparse = spec.strings("sparseCheckout")?;
    Ok(GitSpec {
        reference: reference(spec, &["branch", "tag", "semver", "name", "commit"])?,
        recurse_submodules: spec.bool("recurseSubmodules")?,
        include: include.collect::<Result<_>>()?,
        sparse_checkout: sparse
            .into_iter()
            .filter_map(Node::shared_text)
            .cloned()
            .collect(),
    })
}

fn oci(spec: &Fields<'_>) -> Result<OciSpec> {
    let mut layer_media_type = None;
    let mut copies_layer = false;
    if let Some(selector) = spec.mapping("layerSelector")? {
        let media_type = selector.text("mediaType")?;
        layer_media_type = Some(media_type).filter(|m| !m.is_empty());
        copies_layer = match &*selector.text("operation")? {
            "" | "extract" => false,
            "copy" => true,
            other => {
                let span = selector
                    .get("operation")
                    .map_or(spec.node().span(), Node::span);
                return Err(Error::new(
                    "schema/invalid",
                    format!("`spec.layerSelector.operation` is `extract` or `copy`, not `{other}`"),
                )
                .at(span));
            }
        };
    }
    Ok(OciSpec {
        reference: reference(spec, &["tag", "semver", "semverFilter", "digest"])?,
        layer_media_type,
        copies_layer,
    })
}

/// The fields of `spec.ref` that are set.
fn reference(spec: &Fields<'_>, known: &[&str]) -> Result<BTreeMap<String, String>> {
    let mut found = BTreeMap::new();
    let Some(reference) = spec.mapping("ref")? else {
        return Ok(found);
    };
    for field in known {
        let text = reference.text(field)?;
        if !text.is_empty() {
            found.insert((*field).to_owned(), text.to_string());
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::FileId;
    use crate::yaml::parse_one;

    fn read(kind: &str, spec: &str) -> Result<Option<Source>> {
        let text = format!(
            "apiVersion: source.toolkit.fluxcd.io/v1\nkind: {kind}\nmetadata:\n  name: x\nspec:\n{spec}"
        );
        Source::read(&parse_one(&text, FileId::default()).unwrap().unwrap())
    }

    #[test]
    fn two_sources_may_hold_the_same_files() {
        let git = |spec: &str| {
            let spec = format!("  {}\n", spec.replace("; ", "\n  "));
            read("GitRepository", &spec).unwrap().unwrap()
        };
        let own = git("url: ssh://git@git.example.com/org/fleet; ref: {branch: main}");
        for (spec, same) in [
            (
                "url: ssh://git@git.example.com/org/fleet; ref: {branch: main}",
                true,
            ),
            (
                "url: https://Git.example.com:443/org/fleet.git/; ref: {branch: main}",
                true,
            ),
            (
                "url: https://git.example.com/org/fleet; ref: {name: refs/heads/main}",
                true,
            ),
            (
                "url: https://git.example.com/org/fleet; interval: 1h; ref: {branch: main}",
                true,
            ),
            ("url: https://git.example.com/org/fleet", false),
            (
                "url: https://git.example.com/org/fleet; ref: {branch: main, tag: v1}",
                false,
            ),
            (
                "url: https://git.example.com/org/fleet2; ref: {branch: main}",
                false,
            ),
            (
                "url: https://git.example.com:8443/org/fleet; ref: {branch: main}",
                false,
            ),
            (
                "url: https://other.example.com/org/fleet; ref: {branch: main}",
                false,
            ),
            (
                "url: ssh://git@git.example.com/org/fleet; ref: {branch: main}; ignore: a",
                false,
            ),
            (
                "url: ssh://git@git.example.com/org/fleet; ref: {branch: main}; verify: \
                 {secretRef: {name: keys}}",
                false,
            ),
            (
                "url: ssh://git@git.example.com/org/fleet; ref: {branch: main}; include: \
                 [{repository: {name: other}}]",
                false,
            ),
        ] {
            assert_eq!(own.is_same_content(&git(spec)), same, "{spec}");
        }
    }

    #[test]
    fn every_kind_is_read() {
        let git = read(
            "GitRepository",
            "  url: https://a\n  ref: {branch: main, commit: ''}\n  secretRef: {name: s}\n  include: \
             [{repository: {name: other}}]\n",
        );
        let git = git.unwrap().unwrap();
        assert_eq!(git.id.to_string(), "GitRepository/default/x");
        assert_eq!(git.secret.as_deref(), Some("s"));
        let SourceSpec::Git(spec) = git.spec else {
            panic!()
        };
        assert_eq!(
            spec.reference,
            [("branch".to_owned(), "main".to_owned())].into()
        );
        assert_eq!(&*spec.include[0].to, "other");
        let bucket = read(
            "Bucket",
            "  endpoint: e\n  bucketName: b\n  insecure: true\n",
        );
        let bucket = bucket.unwrap().unwrap();
        assert_eq!(
            (&*bucket.url, bucket.insecure, &*bucket.provider),
            ("e", true, "generic")
        );
        let oci = read(
            "OCIRepository",
            "  url: oci://a\n  layerSelector: {operation: copy}\n",
        );
        let SourceSpec::Oci(spec) = oci.unwrap().unwrap().spec else {
            panic!()
        };
        assert!(spec.copies_layer);
        assert!(read("HelmChart", "  chart: x\n").unwrap().is_none());
    }

    #[test]
    fn what_is_wrong_has_a_place() {
        let error = read("GitRepository", "  ref: {tag: 1.0}\n  url: x\n").unwrap_err();
        assert_eq!((error.rule(), error.span().line), ("schema/invalid", 6));
        let error = read("Bucket", "  endpoint: e\n").unwrap_err();
        assert_eq!(error.message(), "`spec.bucketName` is missing");
        let error = read(
            "OCIRepository",
            "  url: x\n  layerSelector:\n    operation: move\n",
        )
        .unwrap_err();
        assert_eq!(error.span().line, 8);
    }
}
