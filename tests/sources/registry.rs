//! OCI registries, started here: Debian's `docker-registry`, with and without a
//! login and TLS; one that lists referrers, in Go.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use fluxwright::artifact::Digest;

use super::charts::{archive, fleet as chart_fleet};
use super::fleet::{Fleet, config_map, source};
use super::http::{Answer, Request, Server};
use super::tls::Authority;
use super::{free_port, program};

/// A registry; it ends with this.
pub(super) struct Registry {
    child: Child,
    folder: tempfile::TempDir,
    port: u16,
    authorization: Option<&'static str>,
    lists_referrers: bool,
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Registry {
    pub(super) fn start(program: PathBuf, with_login: bool) -> Registry {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        Registry::serve(program, folder, &data, with_login, None)
    }

    /// Another server of the same content, that asks for a login and speaks TLS.
    pub(super) fn with_tls(&self, program: PathBuf, authority: &Authority) -> Registry {
        let data = self.folder.path().join("data");
        Registry::serve(
            program,
            tempfile::tempdir().unwrap(),
            &data,
            true,
            Some(authority),
        )
    }

    fn serve(
        program: PathBuf,
        folder: tempfile::TempDir,
        data: &Path,
        with_login: bool,
        tls: Option<&Authority>,
    ) -> Registry {
        let port = free_port();
        let root = folder.path().display().to_string();
        let mut config = format!(
            "version: 0.1\nstorage:\n  filesystem:\n    rootdirectory: {}\nhttp:\n  addr: \
             127.0.0.1:{port}\n",
            data.display()
        );
        if let Some(authority) = tls {
            config.push_str(&format!(
                "  tls:\n    certificate: {}\n    key: {}\n",
                authority.path("server.crt").display(),
                authority.path("server.key").display()
            ));
        }
        if with_login {
            std::fs::write(folder.path().join("htpasswd"), password_file()).unwrap();
            config.push_str(&format!(
                "auth:\n  htpasswd:\n    realm: test\n    path: {root}/htpasswd\n"
            ));
        }
        let path = folder.path().join("config.yml");
        std::fs::write(&path, config).unwrap();
        let mut command = Command::new(program);
        command.arg("serve").arg(path);
        let authorization = with_login.then_some("Basic YWxpY2U6aHVudGVyMg==");
        Registry::run(command, folder, port, authorization)
    }

    fn run(
        mut command: Command,
        folder: tempfile::TempDir,
        port: u16,
        authorization: Option<&'static str>,
    ) -> Registry {
        let child = command
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        for _ in 0..400 {
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return Registry {
                    child,
                    folder,
                    port,
                    authorization,
                    lists_referrers: false,
                };
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("the registry does not listen");
    }

    /// A registry that lists what refers to an artifact: that of the Go module in
    /// testdata/registry, built once. None, said by name, where there is no `go`.
    pub(super) fn with_referrers() -> Option<Registry> {
        static BUILT: OnceLock<Option<PathBuf>> = OnceLock::new();
        let program = BUILT.get_or_init(build_with_referrers).clone()?;
        let port = free_port();
        let mut command = Command::new(program);
        command.arg(format!("127.0.0.1:{port}"));
        let folder = tempfile::tempdir().unwrap();
        let mut registry = Registry::run(command, folder, port, None);
        registry.lists_referrers = true;
        Some(registry)
    }

    /// Whether it lists what refers to an artifact.
    pub(super) fn lists_referrers(&self) -> bool {
        self.lists_referrers
    }

    /// Answers as this registry does.
    pub(super) fn forward(&self) -> impl Fn(&Request) -> Answer + Send + Sync + use<> {
        let port = self.port;
        move |request| {
            let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
            let accept = request.header("accept").unwrap_or("*/*");
            let (method, target) = (&request.method, &request.target);
            let head = format!(
                "{method} {target} HTTP/1.0\r\nhost: 127.0.0.1:{port}\r\naccept: {accept}\r\n\r\n"
            );
            stream.write_all(head.as_bytes()).unwrap();
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer).unwrap();
            let end = answer.windows(4).position(|w| w == b"\r\n\r\n").unwrap();
            let body = answer.split_off(end + 4);
            let head = String::from_utf8(answer).unwrap();
            let mut lines = head.lines();
            let status = lines.next().unwrap().split(' ').nth(1).unwrap();
            let mut given = Answer::ok(body);
            given.status = status.parse().unwrap();
            for (name, value) in lines.filter_map(|line| line.split_once(": ")) {
                if !name.eq_ignore_ascii_case("content-length") {
                    given = given.header(name, value);
                }
            }
            given
        }
    }

    pub(super) fn url(&self) -> String {
        format!("oci://127.0.0.1:{}", self.port)
    }

    /// One request; the whole answer.
    fn send(&self, method: &str, target: &str, content_type: &str, body: &[u8]) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        let login = self
            .authorization
            .map(|a| format!("authorization: {a}\r\n"));
        let head = format!(
            "{method} {target} HTTP/1.1\r\nhost: 127.0.0.1:{}\r\nconnection: close\r\ncontent-type: \
             {content_type}\r\ncontent-length: {}\r\n{}\r\n",
            self.port,
            body.len(),
            login.unwrap_or_default()
        );
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(body).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// What lies at a path of a repository.
    pub(super) fn get(&self, repository: &str, path: &str) -> Vec<u8> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        let head = format!(
            "GET /v2/{repository}/{path} HTTP/1.0\r\nhost: 127.0.0.1:{}\r\naccept: \
             application/vnd.oci.image.manifest.v1+json\r\n\r\n",
            self.port
        );
        stream.write_all(head.as_bytes()).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        let end = answer.windows(4).position(|w| w == b"\r\n\r\n").unwrap();
        assert!(answer.starts_with(b"HTTP/1.0 200"), "{path}");
        answer.split_off(end + 4)
    }

    pub(super) fn push_blob(&self, repository: &str, content: &[u8]) -> Digest {
        let digest = Digest::of(content);
        let answer = self.send("POST", &format!("/v2/{repository}/blobs/uploads/"), "", b"");
        let location = answer
            .lines()
            .find_map(|l| l.strip_prefix("Location: "))
            .unwrap_or_else(|| panic!("{answer}"));
        let location = location.trim();
        let target = location
            .split_once(&format!(":{}", self.port))
            .map_or(location, |(_, path)| path);
        let separator = if target.contains('?') { '&' } else { '?' };
        let answer = self.send(
            "PUT",
            &format!("{target}{separator}digest={digest}"),
            "application/octet-stream",
            content,
        );
        assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
        digest
    }

    /// Pushes an artifact of layers; the manifest's digest.
    pub(super) fn push(&self, repository: &str, tag: &str, layers: &[(&str, &[u8])]) -> Digest {
        let config = self.push_blob(repository, b"{}");
        let layers: Vec<String> = layers
            .iter()
            .map(|(media_type, content)| {
                let digest = self.push_blob(repository, content);
                format!(
                    r#"{{"mediaType":"{media_type}","digest":"{digest}","size":{}}}"#,
                    content.len()
                )
            })
            .collect();
        let manifest = format!(
            r#"{{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{{"mediaType":"application/vnd.cncf.flux.config.v1+json","digest":"{config}","size":2}},"layers":[{}]}}"#,
            layers.join(",")
        );
        self.push_manifest(repository, tag, OCI_MANIFEST, &manifest)
    }

    /// Pushes a manifest as it is; its digest.
    pub(super) fn push_manifest(
        &self,
        repository: &str,
        reference: &str,
        media_type: &str,
        manifest: &str,
    ) -> Digest {
        let answer = self.send(
            "PUT",
            &format!("/v2/{repository}/manifests/{reference}"),
            media_type,
            manifest.as_bytes(),
        );
        assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
        Digest::of(manifest.as_bytes())
    }
}

/// Builds the registry in testdata/registry.
fn build_with_referrers() -> Option<PathBuf> {
    let go = program("go")?;
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/registry");
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("registry-with-referrers");
    // Others may wait for the processor.
    let output = Command::new("nice")
        .args(["-n", "19"])
        .arg(go)
        .args(["build", "-o"])
        .arg(&target)
        .arg(".")
        .current_dir(here)
        .output()
        .unwrap();
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        eprintln!("not run: the registry in testdata/registry cannot be built: {said}");
        return None;
    }
    Some(target)
}

pub(super) const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// A password file that lets alice in with `hunter2`.
fn password_file() -> String {
    let hash = bcrypt::hash_with_salt("hunter2", 5, [7; 16]).unwrap();
    format!("alice:{}\n", hash.format_for_version(bcrypt::Version::TwoY))
}

pub(super) fn layer(files: &[(&str, &str)]) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    for (path, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        header.set_cksum();
        tar.append_data(&mut header, path, content.as_bytes())
            .unwrap();
    }
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&tar.into_inner().unwrap()).unwrap();
    gzip.finish().unwrap()
}

pub(super) const FLUX: &str = "application/vnd.cncf.flux.content.v1.tar+gzip";
pub(super) const CHART: &str = "application/vnd.cncf.helm.chart.content.v1.tar+gzip";

fn fleet(registry: &Registry, reference: &str, more: &str) -> Fleet {
    Fleet::of(&source(
        "OCIRepository",
        &format!(
            "  url: {}/app\n  insecure: true\n  ref: {{{reference}}}\n{more}",
            registry.url()
        ),
    ))
}

#[test]
fn artifacts_by_tag_range_and_digest() {
    let Some(program) = program("docker-registry") else {
        return;
    };
    let registry = Registry::start(program, false);
    let content = |value| layer(&[("deploy/web.yaml", &config_map("web", value))]);
    let other = layer(&[("deploy/other.yaml", &config_map("other", "other"))]);
    let first = registry.push("app", "1.0.0", &[(FLUX, &content("one"))]);
    let second = registry.push(
        "app",
        "1.1.0",
        &[(FLUX, &content("two")), ("application/x-other", &other)],
    );
    registry.push("app", "2.0.0-rc.1", &[(FLUX, &content("rc"))]);
    registry.push("app", "latest", &[(FLUX, &content("latest"))]);
    for (reference, revision, value) in [
        ("tag: 1.0.0", format!("1.0.0@{first}"), "one"),
        ("semver: 1.x", format!("1.1.0@{second}"), "two"),
        (
            "semver: '>=1.0.0', semverFilter: '^1\\.0'",
            format!("1.0.0@{first}"),
            "one",
        ),
        (&format!("digest: '{first}'"), first.to_string(), "one"),
        (
            &format!("tag: 1.1.0, digest: '{first}'"),
            first.to_string(),
            "one",
        ),
        ("", "latest@".to_owned(), "latest"),
    ] {
        let fleet = fleet(&registry, reference, "");
        fleet.done(&["lock"]);
        let lockfile = fleet.lockfile();
        assert!(
            lockfile.contains(&format!("revision: {revision}")),
            "{reference}: {lockfile}"
        );
        let built = fleet.done(&["build"]).stdout;
        assert!(
            built.contains(&format!("value: {value}")),
            "{reference}: {built}"
        );
        std::fs::remove_dir_all(fleet.store()).unwrap();
        fleet.done(&["fetch"]);
        assert_eq!(fleet.done(&["build"]).stdout, built);
    }
    let selecting = fleet(
        &registry,
        "tag: 1.1.0",
        "  layerSelector: {mediaType: application/x-other}\n",
    );
    selecting.done(&["lock"]);
    assert!(selecting.done(&["build"]).stdout.contains("value: other"));
    let missing = fleet(
        &registry,
        "tag: 1.1.0",
        "  layerSelector: {mediaType: a/b}\n",
    );
    let run = missing.run(&["lock"]);
    assert!(run.stderr.contains("oci/layer"), "{}", run.stderr);
    let missing = fleet(&registry, "tag: none", "");
    let run = missing.run(&["lock"]);
    assert!(run.stderr.contains("source/missing"), "{}", run.stderr);
    let missing = fleet(&registry, "semver: '>9'", "");
    let run = missing.run(&["lock"]);
    assert!(run.stderr.contains("source/version"), "{}", run.stderr);
}

#[test]
fn charts_are_tags() {
    let Some(program) = program("docker-registry") else {
        return;
    };
    let registry = Registry::start(program, false);
    registry.push("charts/web", "1.0.0", &[(CHART, &archive("web", "1.0.0"))]);
    registry.push(
        "charts/web",
        "1.2.0_b1",
        &[(CHART, &archive("web", "1.2.0+b1"))],
    );
    let fleet = chart_fleet(
        &format!(
            "  type: oci\n  insecure: true\n  url: {}/charts\n",
            registry.url()
        ),
        "1.x",
    );
    let locked = fleet.done(&["lock"]);
    assert_eq!(
        locked.stdout,
        "HelmRepository/flux-system/app web 1.x  new: 1.2.0+b1\n"
    );
    let built = fleet.done(&["build"]).stdout;
    assert!(built.contains("1.2.0+b1"), "{built}");
    std::fs::remove_dir_all(fleet.store()).unwrap();
    fleet.done(&["fetch"]);
    assert_eq!(fleet.done(&["build"]).stdout, built);
}

#[test]
fn logins_of_secrets_and_of_docker() {
    let Some(program) = program("docker-registry") else {
        return;
    };
    let registry = Registry::start(program, true);
    let content = layer(&[("deploy/web.yaml", &config_map("web", "one"))]);
    registry.push("app", "1.0.0", &[(FLUX, &content)]);
    let anonymous = fleet(&registry, "tag: 1.0.0", "");
    let run = anonymous.run(&["lock"]);
    assert_eq!(run.code, Some(2));
    assert!(run.stderr.contains("source/denied"), "{}", run.stderr);

    let config = format!(
        r#"{{"auths": {{"127.0.0.1:{}": {{"auth": "YWxpY2U6aHVudGVyMg=="}}}}}}"#,
        registry.port
    );
    let secret = fleet(&registry, "tag: 1.0.0", "  secretRef: {name: pull}\n");
    secret.write(
        "clusters/prod/secret.yaml",
        &format!(
            "apiVersion: v1\nkind: Secret\ntype: kubernetes.io/dockerconfigjson\nmetadata:\n  name: \
             pull\n  namespace: flux-system\nstringData:\n  .dockerconfigjson: '{config}'\n"
        ),
    );
    secret.done(&["lock"]);

    anonymous.write("../docker/config.json", &config);
    let folder = anonymous.root().join("../docker");
    let run = anonymous.run_with(&["lock"], &[("DOCKER_CONFIG", folder.to_str().unwrap())]);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
}

#[test]
fn tls_with_a_login_and_the_authority_of_a_secret() {
    let Some(program) = program("docker-registry") else {
        return;
    };
    let Some(authority) = Authority::new() else {
        return;
    };
    let plain = Registry::start(program.clone(), false);
    let content = layer(&[("deploy/web.yaml", &config_map("web", "one"))]);
    plain.push("app", "1.0.0", &[(FLUX, &content)]);
    plain.push("charts/web", "1.0.0", &[(CHART, &archive("web", "1.0.0"))]);
    let registry = plain.with_tls(program, &authority);
    let config = |word: &str| {
        use base64::Engine as _;
        let login = base64::engine::general_purpose::STANDARD.encode(format!("alice:{word}"));
        format!(
            "apiVersion: v1\nkind: Secret\nmetadata:\n  name: pull\n  namespace: \
             flux-system\nstringData:\n  .dockerconfigjson: '{{\"auths\": {{\"127.0.0.1:{}\": {{\"auth\": \
             \"{login}\"}}}}}}'\n",
            registry.port
        )
    };
    let secrets = |word: &str| {
        let tls = authority.secret("tls", &[("ca.crt", "ca.crt")]);
        format!("{}---\n{tls}", config(word))
    };
    let spec = format!(
        "  url: {}/app\n  ref: {{tag: 1.0.0}}\n  secretRef: {{name: pull}}\n  certSecretRef: {{name: \
         tls}}\n",
        registry.url()
    );
    let fleet = Fleet::of(&source("OCIRepository", &spec));
    fleet.write("clusters/prod/secret.yaml", &config("hunter2"));
    let run = fleet.run(&["lock"]);
    assert_eq!(run.code, Some(2));
    for part in [
        "source/certificate",
        "is not trusted",
        "clusters/prod/source.yaml:8",
    ] {
        assert!(run.stderr.contains(part), "{part}: {}", run.stderr);
    }
    fleet.write("clusters/prod/secret.yaml", &secrets("hunter3"));
    let run = fleet.run(&["lock"]);
    assert_eq!(run.code, Some(2));
    for part in [
        "source/denied",
        "are the credentials right",
        "clusters/prod/source.yaml:8",
    ] {
        assert!(run.stderr.contains(part), "{part}: {}", run.stderr);
    }
    assert!(!run.stderr.contains("hunter3"));
    assert!(!fleet.root().join("fluxwright.lock").exists());
    fleet.write("clusters/prod/secret.yaml", &secrets("hunter2"));
    fleet.done(&["lock"]);
    assert!(fleet.done(&["build"]).stdout.contains("value: one"));

    let charts = chart_fleet(
        &format!(
            "  type: oci\n  url: {}/charts\n  secretRef: {{name: pull}}\n  certSecretRef: {{name: tls}}\n",
            registry.url()
        ),
        "1.x",
    );
    charts.write("clusters/prod/secret.yaml", &secrets("hunter2"));
    charts.done(&["lock"]);
    assert!(charts.done(&["build"]).stdout.contains("chart: 1.0.0"));
}

#[test]
fn logins_that_helpers_of_docker_know() {
    let Some(program) = program("docker-registry") else {
        return;
    };
    let registry = Registry::start(program, true);
    let content = layer(&[("deploy/web.yaml", &config_map("web", "one"))]);
    registry.push("app", "1.0.0", &[(FLUX, &content)]);
    let fleet = fleet(&registry, "tag: 1.0.0", "  provider: gcp\n");
    let run = fleet.run(&["lock"]);
    assert_eq!(run.code, Some(2));
    for part in [
        "source/provider",
        "offers no login for the provider `gcp`",
        "`credHelpers`",
    ] {
        assert!(run.stderr.contains(part), "{part}: {}", run.stderr);
    }
    // The helper answers for this registry alone.
    let host = format!("127.0.0.1:{}", registry.port);
    fleet.write(
        "../docker/config.json",
        &format!(r#"{{"credHelpers": {{"{host}": "test"}}}}"#),
    );
    let helper = fleet.root().join("../bin/docker-credential-test");
    fleet.write(
        "../bin/docker-credential-test",
        &format!(
            "#!/bin/sh\nif [ \"$1 $(cat)\" = 'get {host}' ]; then\n  echo '{{\"Username\": \"alice\", \
             \"Secret\": \"hunter2\"}}'\nelse\n  echo 'credentials not found'\n  exit 1\nfi\n"
        ),
    );
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(&helper, std::fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!(
        "{}:{}",
        helper.parent().unwrap().display(),
        std::env::var("PATH").unwrap()
    );
    let docker = fleet.root().join("../docker");
    let environment = [
        ("DOCKER_CONFIG", docker.to_str().unwrap()),
        ("PATH", &*path),
    ];
    let run = fleet.run_with(&["lock"], &environment);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    std::fs::remove_file(helper).unwrap();
    let run = fleet.run_with(&["lock", "--update"], &environment);
    assert_eq!(run.code, Some(2));
    assert!(
        run.stderr
            .contains("`docker-credential-test` cannot be run"),
        "{}",
        run.stderr
    );
}

#[test]
fn pull_secrets_of_service_accounts() {
    let Some(program) = program("docker-registry") else {
        return;
    };
    let registry = Registry::start(program, true);
    let content = layer(&[("deploy/web.yaml", &config_map("web", "one"))]);
    registry.push("app", "1.0.0", &[(FLUX, &content)]);
    let fleet = fleet(&registry, "tag: 1.0.0", "  serviceAccountName: puller\n");
    fleet.write(
        "clusters/prod/account.yaml",
        &format!(
            "apiVersion: v1\nkind: ServiceAccount\nmetadata:\n  name: puller\n  namespace: \
             flux-system\nimagePullSecrets: [{{name: other}}, {{name: pull}}]\n---\napiVersion: \
             v1\nkind: Secret\nmetadata:\n  name: other\n  namespace: \
             flux-system\nstringData:\n  .dockerconfigjson: '{{\"auths\": \
             {{}}}}'\n---\napiVersion: v1\nkind: Secret\nmetadata:\n  name: pull\n  namespace: \
             flux-system\nstringData:\n  .dockerconfigjson: '{{\"auths\": \
             {{\"127.0.0.1:{}\": {{\"auth\": \"YWxpY2U6aHVudGVyMg==\"}}}}}}'\n",
            registry.port
        ),
    );
    fleet.done(&["lock"]);
    assert!(fleet.done(&["build"]).stdout.contains("value: one"));
}

#[test]
fn insecure_registries_may_speak_tls() {
    let Some(program) = program("docker-registry") else {
        return;
    };
    let Some(authority) = Authority::new() else {
        return;
    };
    let plain = Registry::start(program.clone(), true);
    let content = layer(&[("deploy/web.yaml", &config_map("web", "one"))]);
    plain.push("app", "1.0.0", &[(FLUX, &content)]);
    let registry = plain.with_tls(program, &authority);
    let fleet = fleet(&registry, "tag: 1.0.0", "  secretRef: {name: pull}\n");
    let run = fleet.run(&["lock"]);
    assert_eq!(run.code, Some(2));
    assert!(run.stderr.contains("source/denied"), "{}", run.stderr);
    fleet.write(
        "clusters/prod/secret.yaml",
        "apiVersion: v1\nkind: Secret\nmetadata:\n  name: pull\n  namespace: \
         flux-system\nstringData:\n  username: alice\n  password: hunter2\n",
    );
    fleet.done(&["lock"]);
    assert!(fleet.done(&["build"]).stdout.contains("value: one"));
}

#[test]
fn charts_of_one_version_need_no_list_of_tags() {
    let Some(program) = program("docker-registry") else {
        return;
    };
    let registry = Registry::start(program, false);
    registry.push(
        "charts/web",
        "1.0.0_x",
        &[(CHART, &archive("web", "1.0.0+x"))],
    );
    let forward = registry.forward();
    let server = Server::start(move |request| match request.path() {
        path if path.ends_with("/tags/list") => Answer::status(403),
        _ => forward(request),
    });
    let host = server.address.replace("http://", "oci://");
    let spec = format!("  type: oci\n  url: {host}/charts\n  insecure: true\n");
    let charts = chart_fleet(&spec, "1.0.0+x");
    charts.done(&["lock"]);
    assert!(charts.done(&["build"]).stdout.contains("chart: 1.0.0+x"));
    let run = chart_fleet(&spec, "1.0.1").run(&["lock"]);
    assert_eq!(run.code, Some(2));
    assert!(
        run.stderr.contains("charts/web:1.0.1` is not there"),
        "{}",
        run.stderr
    );
}
