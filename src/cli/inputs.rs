//! The inputs of a repository: the lockfile, and what `lock`, `fetch` and
//! `vendor` have in common.
//!
//! They render the repository and see what it asks for, fetch that, and render
//! again, until nothing new is asked for: sources may stand in what other
//! sources hold.

use crate::diag::Result;
use crate::kustomize::HelmChart;
use crate::lock::{ChartRequest, FILE_NAME, Lockfile};
use crate::resource::Files;

#[cfg(feature = "network")]
pub(super) use fetching::{Settled, settings, settle};

/// What a kustomization asks for by naming a chart.
pub(super) fn asked_of(chart: &HelmChart) -> ChartRequest {
    let range = match &*chart.version {
        "" => "*",
        version => version,
    };
    ChartRequest {
        name: chart.name.to_string(),
        range: range.to_owned(),
    }
}

/// Reads the lockfile; none where there is none.
///
/// # Errors
///
/// As [`Lockfile::parse`].
pub(super) fn read_lockfile(files: &Files) -> Result<Option<Lockfile>> {
    if files.kind(FILE_NAME)?.is_none() {
        return Ok(None);
    }
    let text = files.text(FILE_NAME)?;
    Lockfile::parse(&text.text, text.file).map(Some)
}

#[cfg(feature = "network")]
mod fetching {
    use std::collections::BTreeMap;
    use std::path::Path;
    use std::sync::Arc;

    use indicatif::{ProgressBar, ProgressStyle};

    use super::asked_of;
    use crate::cli::settings::{Extent, Repository, RepositoryArgs};
    use crate::config::{Config, Helper};
    use crate::diag::{Error, Findings, Result};
    use crate::flux::api::{Source, SourceSpec};
    use crate::kustomize::named_charts;
    use crate::lock::ChartRequest;
    use crate::pipeline::Sources;
    use crate::pipeline::cluster::Cluster;
    use crate::source::vendor;
    use crate::source::{Entries, Key, Locked, Order, Settings, entries_of, fetch};
    use crate::yaml::Node;

    /// How often a repository is rendered before it is given up: as deep as
    /// sources may stand in what other sources hold.
    const MAX_PASSES: usize = 32;

    /// A repository whose inputs are all at hand, or could not be had.
    pub(in crate::cli) struct Settled {
        /// The inputs.
        pub(in crate::cli) locked: Locked,
        /// What it renders to.
        pub(in crate::cli) clusters: Vec<Cluster>,
        /// What was noticed when it was rendered last.
        pub(in crate::cli) findings: Findings,
        /// What could not be fetched.
        pub(in crate::cli) failures: Vec<Error>,
        /// What is declared, used or not, and not at hand.
        pub(in crate::cli) missing: Vec<Error>,
    }

    /// Fetches what a repository asks for, as far as `wants` agrees.
    ///
    /// # Errors
    ///
    /// Where the repository cannot be rendered at all, and for credentials in
    /// `.fluxwright.yaml` that are not there.
    pub(in crate::cli) fn settle(
        args: &RepositoryArgs,
        repository: &mut Repository,
        mut locked: Locked,
        wants: &dyn Fn(&Order) -> bool,
    ) -> Result<Settled> {
        let progress = ProgressBar::new(0).with_style(style());
        for _ in 0..MAX_PASSES {
            let Rendered {
                locked: rendered,
                clusters,
                findings,
                missing,
            } = render(args, repository, locked)?;
            locked = rendered;
            let orders: BTreeMap<Key, Order> = locked
                .take_orders()
                .into_iter()
                .filter(|(_, order)| wants(order))
                .collect();
            if orders.is_empty() {
                progress.finish_and_clear();
                return Ok(Settled {
                    failures: locked.failures().cloned().collect(),
                    locked,
                    clusters,
                    findings,
                    missing,
                });
            }
            let settings = settings(&repository.config, &repository.root, &clusters)?;
            progress.inc_length(orders.len() as u64);
            let done = |key: &Key| {
                progress.set_message(key.to_string());
                progress.inc(1);
            };
            for (key, result) in fetch::fulfil(orders, &settings, locked.store(), &done) {
                locked.fill(key, result);
            }
        }
        Err(Error::new(
            "lock/endless",
            format!("sources were still turning up after {MAX_PASSES} passes"),
        )
        .help("does a source hold another version of itself?"))
    }

    /// A repository that was rendered once.
    struct Rendered {
        locked: Locked,
        clusters: Vec<Cluster>,
        findings: Findings,
        missing: Vec<Error>,
    }

    /// Renders everything once, and asks for every source that is declared.
    fn render(
        args: &RepositoryArgs,
        repository: &mut Repository,
        locked: Locked,
    ) -> Result<Rendered> {
        let shared = Arc::new(locked);
        // Without the charts of the pass before: some may be there now.
        let mut sources = Sources::new(repository.sources.repository.clone());
        sources.local = repository.sources.local.clone();
        sources.locked = Some(shared.clone());
        repository.sources = sources;
        let mut clusters = Vec::new();
        let mut findings = Findings::new();
        let mut missing = Vec::new();
        for entry in &repository.entries {
            let rendered = args.render(repository, entry, Extent::WHOLE, &mut findings);
            let cluster = match rendered {
                Ok((_, cluster)) => cluster,
                // What it lacks may be what was asked for.
                Err(_) if shared.has_orders() => continue,
                Err(error) => return Err(error),
            };
            let declared = cluster.sources();
            for source in &declared {
                if !repository.sources.local.contains_key(&source.id) {
                    missing.extend(shared.require(source).err());
                }
            }
            for chart in cluster.helm_charts() {
                let source = declared.iter().find(|source| source.id == chart.source);
                if let Some(source) = source
                    && matches!(source.spec, SourceSpec::Helm(_))
                    && !repository.sources.local.contains_key(&source.id)
                {
                    let request = ChartRequest::of(&chart);
                    let found = shared.chart(source, &request, chart.chart.span());
                    missing.extend(found.err());
                }
            }
            clusters.push(cluster);
        }
        repository.sources.locked = None;
        ask_for_charts(repository, &shared, &clusters, &mut missing)?;
        match Arc::into_inner(shared) {
            Some(locked) => Ok(Rendered {
                locked,
                clusters,
                findings,
                missing,
            }),
            None => Err(Error::new("lock/busy", "the lockfile is still in use")),
        }
    }

    /// Asks for the charts that kustomizations of the repository name by their
    /// address, for `fluxwright kustomize --enable-helm`: Flux renders none.
    fn ask_for_charts(
        repository: &Repository,
        locked: &Locked,
        clusters: &[Cluster],
        missing: &mut Vec<Error>,
    ) -> Result<()> {
        let files = &repository.sources.repository;
        let declared: Vec<Source> = clusters.iter().flat_map(Cluster::sources).collect();
        let vendored = repository.config.vendor.as_deref();
        for named in named_charts(files, vendored.unwrap_or(vendor::FOLDER))? {
            let place = named.place();
            let is_there = place.is_none_or(|place| files.kind(&place).is_ok_and(|k| k.is_some()));
            if is_there {
                continue;
            }
            let chart = &named.chart;
            let address = chart.repo.trim_end_matches('/');
            // Its login counts for the address.
            let source = declared.iter().find(|source| {
                matches!(source.spec, SourceSpec::Helm(_))
                    && source.url.trim_end_matches('/') == address
            });
            let found = locked.dependency(address, source, &asked_of(chart), chart.span);
            missing.extend(found.err());
        }
        Ok(())
    }

    fn style() -> ProgressStyle {
        ProgressStyle::with_template("{spinner} {pos}/{len} {msg}")
            .unwrap_or_else(|_| ProgressStyle::default_bar())
    }

    /// Mirrors and credentials: of the repository's Secrets that can be read,
    /// of `.fluxwright.yaml`, of the user.
    ///
    /// # Errors
    ///
    /// For credentials in `.fluxwright.yaml` that are not there.
    pub(in crate::cli) fn settings(
        config: &Config,
        root: &Path,
        clusters: &[Cluster],
    ) -> Result<Settings> {
        let mut settings = Settings {
            mirrors: config.mirrors.clone(),
            docker_config: docker_config(),
            ..Settings::default()
        };
        for cluster in clusters {
            let applied = cluster.objects().map(|(_, object)| object);
            for object in applied.chain(&cluster.bootstrap) {
                if !object.id.gvk.group.is_empty() {
                    continue;
                }
                let name = (object.id.namespace.to_string(), object.id.name.to_string());
                match &*object.id.gvk.kind {
                    "Secret" => {
                        if let Some(entries) = entries_of(&object.node) {
                            settings.secrets.entry(name).or_insert(entries);
                        }
                    }
                    "ServiceAccount" => {
                        let secrets = object.node.get("imagePullSecrets");
                        let names = secrets.map(Node::items).unwrap_or_default().iter();
                        let names = names.filter_map(|s| Some(s.get("name")?.text()?.to_owned()));
                        settings
                            .service_accounts
                            .entry(name)
                            .or_insert_with(|| names.collect());
                    }
                    _ => {}
                }
            }
        }
        for (i, credential) in config.credentials.iter().enumerate() {
            let of = |e: Error| e.context(format!("`credentials[{i}]` in .fluxwright.yaml"));
            let mut entries = Entries::new();
            for (name, reference) in &credential.entries {
                entries.insert(name.clone(), value(reference, root).map_err(of)?);
            }
            if let Some(Helper::Git) = credential.helper {
                let Some(address) = &credential.address else {
                    return Err(of(Error::new(
                        "config/invalid",
                        "`helper: git` is for an `address`",
                    )));
                };
                for (name, value) in ask_git(address).map_err(of)? {
                    entries.entry(name).or_insert(value);
                }
            }
            match (&credential.secret, &credential.address) {
                (Some(secret), None) => {
                    let Some((namespace, name)) = secret.split_once('/') else {
                        return Err(of(Error::new(
                            "config/invalid",
                            format!("`secret: {secret}` is not NAMESPACE/NAME"),
                        )));
                    };
                    let key = (namespace.to_owned(), name.to_owned());
                    settings.secrets.insert(key, entries);
                }
                (None, Some(address)) => {
                    settings.addresses.insert(address.clone(), entries);
                }
                _ => {
                    return Err(of(Error::new(
                        "config/invalid",
                        "it is for a `secret` or for an `address`, one of them",
                    )));
                }
            }
        }
        Ok(settings)
    }

    /// User and password as git's own helpers know them.
    ///
    /// Source: git's Documentation/git-credential.adoc.
    #[expect(clippy::disallowed_methods, reason = "the user's own git is asked")]
    fn ask_git(address: &str) -> Result<Entries> {
        use std::io::Write as _;
        use std::process::{Command, Stdio};
        let failed = |why: String| {
            Error::new("source/credentials", format!("git knows no login for `{address}`: {why}"))
                .help("does `git credential fill` know it? set `credential.helper` in git's configuration")
        };
        let mut child = Command::new("git")
            .args(["credential", "fill"])
            // Nobody is asked on the terminal.
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_ASKPASS", "true")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|e| failed(e.to_string()))?;
        if let Some(mut input) = child.stdin.take() {
            // A git that does not read says so by its answer.
            let _ = input.write_all(format!("url={address}\n\n").as_bytes());
        }
        let output = child
            .wait_with_output()
            .map_err(|e| failed(e.to_string()))?;
        let text = String::from_utf8_lossy(&output.stdout);
        let mut entries = Entries::new();
        for line in text.lines() {
            if let Some((name @ ("username" | "password"), value)) = line.split_once('=')
                && !value.is_empty()
            {
                entries.insert(name.to_owned(), value.as_bytes().to_vec());
            }
        }
        if !output.status.success() || entries.len() < 2 {
            return Err(failed("it gives none".to_owned()));
        }
        Ok(entries)
    }

    /// A value that the configuration refers to.
    #[expect(clippy::disallowed_methods, reason = "the command line reads it")]
    fn value(reference: &crate::config::Reference, root: &Path) -> Result<Vec<u8>> {
        match (&reference.env, &reference.file) {
            (Some(name), None) => match std::env::var(name) {
                Ok(value) => Ok(value.into_bytes()),
                Err(_) => Err(Error::new(
                    "source/credentials",
                    format!("the environment variable `{name}` is not set"),
                )
                .help("set it, or take it out of .fluxwright.yaml")),
            },
            (None, Some(file)) => {
                let path = root.join(file);
                std::fs::read(&path).map_err(|e| {
                    Error::new(
                        "source/credentials",
                        format!("`{}` cannot be read: {}", path.display(), e.kind()),
                    )
                })
            }
            _ => Err(Error::new(
                "config/invalid",
                "a value is in `env` or in `file`, one of them",
            )),
        }
    }

    /// The user's own docker configuration, where there is one.
    #[expect(clippy::disallowed_methods, reason = "the command line reads it")]
    fn docker_config() -> Option<Vec<u8>> {
        let folder = std::env::var_os("DOCKER_CONFIG").map(std::path::PathBuf::from);
        let home = || Some(Path::new(&std::env::var_os("HOME")?).join(".docker"));
        std::fs::read(folder.or_else(home)?.join("config.json")).ok()
    }
}
