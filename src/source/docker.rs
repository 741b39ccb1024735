//! Docker's configuration files: logins for registries, and the helpers that
//! know them.
//!
//! In: the content of a `config.json` or `.dockerconfigjson`. Out: user and
//! password for a registry. Helpers are run for the user's own file alone:
//! they are how the tools of clouds offer their logins.

use crate::diag::{Error, Result};

/// User and password.
pub(super) type Login = (String, String);

fn invalid() -> Error {
    Error::new(
        "source/credentials",
        "the docker configuration cannot be read",
    )
    .help("it is JSON with `auths`, as `docker login` or `kubectl create secret docker-registry` writes it")
}

fn read(content: &[u8]) -> Result<serde_json::Value> {
    serde_json::from_slice(content).map_err(|_| invalid())
}

/// The host of a registry, and what stands behind it; Docker Hub is written in
/// several ways.
fn split(name: &str) -> (&str, &str) {
    let bare = name
        .trim_start_matches("https://")
        .trim_start_matches("http://");
    let (host, path) = bare.split_once('/').unwrap_or((bare, ""));
    // The version of a registry's interface is no part of its repositories.
    let is_version = |part: &&str| matches!(*part, "v1" | "v2");
    let path = match path.split_once('/') {
        Some((version, rest)) if is_version(&version) => rest,
        None if is_version(&path) => "",
        _ => path,
    };
    match host {
        "index.docker.io" | "registry-1.docker.io" => ("docker.io", path),
        host => (host, path),
    }
}

/// Whether two names are those of one registry.
fn is_same(a: &str, b: &str) -> bool {
    split(a).0 == split(b).0
}

/// Whether what is written in a configuration is for a repository.
///
/// Compat: kubernetes `pkg/credentialprovider/keyring.go` `URLsMatch`: each part
/// of a host may hold `*`, a path is a beginning.
fn is_for(written: &str, place: &str) -> bool {
    let (host, path) = split(written);
    let (registry, repository) = split(place);
    let parts: Vec<&str> = host.split('.').collect();
    let wanted: Vec<&str> = registry.split('.').collect();
    let fits = |(pattern, part): (&&str, &&str)| match pattern.split_once('*') {
        None => pattern == part,
        Some((before, after)) => {
            let rest = part.strip_prefix(before);
            rest.is_some_and(|rest| rest.ends_with(after))
        }
    };
    parts.len() == wanted.len()
        && parts.iter().zip(&wanted).all(fits)
        && repository.starts_with(path)
}

/// The login for a repository, `HOST/PATH`, in the content of a docker
/// configuration file: of several the one that names most of it.
///
/// # Errors
///
/// `source/credentials` for what is no such file.
pub(super) fn login(content: &[u8], place: &str) -> Result<Option<Login>> {
    let config = read(content)?;
    match config.get("auths").and_then(|a| a.as_object()) {
        Some(auths) => login_among(auths, place),
        None => Ok(None),
    }
}

/// The same, in a file of the older form, which is nothing but the logins.
///
/// # Errors
///
/// As [`login`].
pub(super) fn login_in_old_form(content: &[u8], place: &str) -> Result<Option<Login>> {
    let config = read(content)?;
    login_among(config.as_object().ok_or_else(invalid)?, place)
}

fn login_among(
    auths: &serde_json::Map<String, serde_json::Value>,
    place: &str,
) -> Result<Option<Login>> {
    use base64::Engine as _;
    let fitting = auths.iter().filter(|(written, _)| is_for(written, place));
    let Some((_, auth)) = fitting.max_by_key(|(written, _)| split(written).1.len()) else {
        return Ok(None);
    };
    let field = |name: &str| auth.get(name).and_then(|v| v.as_str()).unwrap_or_default();
    if !field("username").is_empty() {
        return Ok(Some((
            field("username").to_owned(),
            field("password").to_owned(),
        )));
    }
    if field("auth").is_empty() {
        return Ok(None);
    }
    let decoded = base64::engine::general_purpose::STANDARD
        .decode(field("auth"))
        .map_err(|_| invalid())?;
    let decoded = String::from_utf8(decoded).map_err(|_| invalid())?;
    let (user, password) = decoded.split_once(':').ok_or_else(invalid)?;
    Ok(Some((user.to_owned(), password.to_owned())))
}

/// The login that a helper knows for the registry of a repository, `HOST/PATH`,
/// by the user's own configuration.
///
/// Source: docker's `docs/reference/commandline/login.md`, credential helpers.
///
/// # Errors
///
/// As [`login`], and for a helper that cannot be run or answers something else.
#[cfg(feature = "network")]
pub(super) fn helped_login(content: &[u8], place: &str) -> Result<Option<Login>> {
    let config = read(content)?;
    let registry = place.split('/').next().unwrap_or(place);
    let for_registry = config.get("credHelpers").and_then(|h| h.as_object());
    let for_registry = for_registry.and_then(|helpers| {
        let mut helpers = helpers.iter();
        helpers.find(|(host, _)| is_same(host, registry))
    });
    let helper = for_registry
        .map(|(_, helper)| helper)
        .or_else(|| config.get("credsStore"))
        .and_then(|helper| helper.as_str());
    match helper {
        Some(helper) if !helper.is_empty() => ask(helper, registry),
        _ => Ok(None),
    }
}

#[cfg(feature = "network")]
#[expect(clippy::disallowed_methods, reason = "docker's helpers are programs")]
fn ask(helper: &str, registry: &str) -> Result<Option<Login>> {
    use std::io::Write as _;
    use std::process::{Command, Stdio};
    let program = format!("docker-credential-{helper}");
    let failed = |why: &str| {
        Error::new("source/credentials", format!("`{program}` {why}"))
            .help("docker's configuration names it: install it, or log in with `docker login`")
    };
    let is_name = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if !helper.chars().all(is_name) {
        return Err(failed("is no name of a program"));
    }
    let mut child = Command::new(&program)
        .arg("get")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|e| failed(&format!("cannot be run: {e}")))?;
    // Docker Hub goes by the address that `docker login` writes.
    let name = if is_same(registry, "docker.io") {
        "https://index.docker.io/v1/"
    } else {
        registry
    };
    if let Some(mut input) = child.stdin.take() {
        // A helper that does not read says so by its answer.
        let _ = input.write_all(name.as_bytes());
    }
    let output = child
        .wait_with_output()
        .map_err(|e| failed(&format!("cannot be run: {e}")))?;
    let text = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() {
        // What every helper answers for a registry that it does not know.
        if text.contains("credentials not found") {
            return Ok(None);
        }
        return Err(failed("could not give a login"));
    }
    let answer: serde_json::Value =
        serde_json::from_str(&text).map_err(|_| failed("answers what is no login"))?;
    let field = |name: &str| {
        answer
            .get(name)
            .and_then(|v| v.as_str())
            .unwrap_or_default()
    };
    match (field("Username"), field("Secret")) {
        ("", _) | (_, "") => Ok(None),
        ("<token>", _) => Err(failed(
            "gives a token for another service, which is not supported",
        )),
        (user, secret) => Ok(Some((user.to_owned(), secret.to_owned()))),
    }
}
