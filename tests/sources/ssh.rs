//! Git over SSH: the machine's `ssh` against an `sshd` on loopback.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::fleet::{Fleet, Repository, config_map, source};
use super::{free_port, program};

/// An `sshd` that lets one key in; it ends with this.
struct Sshd {
    child: Child,
    folder: tempfile::TempDir,
    port: u16,
}

impl Drop for Sshd {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn keygen(path: &Path) {
    let status = Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "", "-f"])
        .arg(path)
        .status()
        .unwrap();
    assert!(status.success());
}

impl Sshd {
    fn start(program: PathBuf) -> Sshd {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        keygen(&at("host"));
        keygen(&at("user"));
        std::fs::copy(at("user.pub"), at("authorized_keys")).unwrap();
        let port = free_port();
        let config = format!(
            "Port {port}\nListenAddress 127.0.0.1\nHostKey {0}/host\nAuthorizedKeysFile \
             {0}/authorized_keys\nStrictModes no\nPasswordAuthentication \
             no\nKbdInteractiveAuthentication no\nUsePAM no\nPidFile none\nPermitRootLogin yes\n\
             AcceptEnv GIT_PROTOCOL\n",
            folder.path().display()
        );
        std::fs::write(at("config"), config).unwrap();
        // Where sshd separates privileges, as an init system would make it.
        let _ = std::fs::create_dir_all("/run/sshd");
        let child = Command::new(program)
            .args(["-D", "-e", "-f"])
            .arg(at("config"))
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        for _ in 0..100 {
            if std::net::TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return Sshd {
                    child,
                    folder,
                    port,
                };
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("sshd does not listen");
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.folder.path().join(name)).unwrap()
    }

    /// The line that makes the host known.
    fn known_hosts(&self) -> String {
        format!("[127.0.0.1]:{} {}", self.port, self.read("host.pub"))
    }
}

fn indented(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    format!("    {}\n", lines.join("\n    "))
}

fn fleet(sshd: &Sshd, app: &Repository, identity: &str, known_hosts: &str) -> Fleet {
    let user = Command::new("id").arg("-un").output().unwrap().stdout;
    let user = String::from_utf8(user).unwrap();
    let path = app.served().join("app.git");
    let fleet = Fleet::of(&source(
        "GitRepository",
        &format!(
            "  url: ssh://{}@127.0.0.1:{}{}\n  ref: {{branch: main}}\n  secretRef: {{name: key}}\n",
            user.trim(),
            sshd.port,
            path.display()
        ),
    ));
    fleet.write(
        "clusters/prod/secret.yaml",
        &format!(
            "apiVersion: v1\nkind: Secret\nmetadata:\n  name: key\n  namespace: \
             flux-system\nstringData:\n  identity: |\n{}  known_hosts: |\n{}",
            indented(identity),
            indented(known_hosts)
        ),
    );
    fleet
}

#[test]
fn keys_and_hosts_come_from_the_secret() {
    let (Some(sshd), Some(_)) = (program("sshd"), program("ssh")) else {
        return;
    };
    let sshd = Sshd::start(sshd);
    let app = Repository::new();
    let commit = app.git(&["rev-parse", "HEAD"]).trim().to_owned();

    let known = sshd.known_hosts();
    let good = fleet(&sshd, &app, &sshd.read("user"), &known);
    good.done(&["lock"]);
    assert!(good.lockfile().contains(&format!("main@sha1:{commit}")));
    assert!(good.done(&["build"]).stdout.contains("value: one"));

    // Something new, that is not taken: the host is another one, or unknown, or
    // does not know the key.
    app.commit("deploy/web.yaml", &config_map("web", "two"));
    app.publish();
    let stranger = sshd.folder.path().join("stranger");
    keygen(&stranger);
    let other_host = format!("[127.0.0.1]:{} {}", sshd.port, sshd.read("stranger.pub"));
    let place = [
        "GitRepository/flux-system/app",
        "clusters/prod/source.yaml:8",
        "= help: ",
    ];
    for (key, hosts, parts) in [
        (
            "user",
            "other.example ssh-ed25519 AAAA\n",
            ["source/host-key", "known_hosts"],
        ),
        ("user", &other_host, ["source/host-key", "has another key"]),
        (
            "stranger",
            &known,
            ["source/denied", "is the key in the source's Secret"],
        ),
    ] {
        let secret = fleet(&sshd, &app, &sshd.read(key), hosts).read("clusters/prod/secret.yaml");
        good.write("clusters/prod/secret.yaml", &secret);
        let update = |fleet: &Fleet| {
            let run = fleet.run(&["lock", "--update"]);
            assert!(!run.stderr.contains("PRIVATE KEY"));
            run
        };
        good.unchanged(hosts, update, &[&place[..], &parts].concat());
    }
}

#[test]
fn keys_may_have_a_passphrase_and_any_line_ends() {
    let (Some(sshd), Some(_)) = (program("sshd"), program("ssh")) else {
        return;
    };
    let sshd = Sshd::start(sshd);
    let app = Repository::new();
    let known = sshd.known_hosts();
    let user = sshd.folder.path().join("user");
    let crlf = sshd.read("user").replace('\n', "\r\n");
    fleet(&sshd, &app, &crlf, &known).done(&["lock"]);
    let sealed = Command::new("ssh-keygen")
        .args(["-q", "-p", "-P", "", "-N", "hunter2", "-f"])
        .arg(&user)
        .status()
        .unwrap();
    assert!(sealed.success());
    let fleet = fleet(&sshd, &app, &sshd.read("user"), &known);
    let secret = fleet.read("clusters/prod/secret.yaml");
    for (more, part) in [
        ("", "give it as `password`"),
        ("  password: hunter3\n", "is `password` the passphrase"),
    ] {
        fleet.write("clusters/prod/secret.yaml", &format!("{secret}{more}"));
        let run = fleet.run(&["lock"]);
        assert_eq!(run.code, Some(2));
        assert!(run.stderr.contains(part), "{part}: {}", run.stderr);
        assert!(!run.stderr.contains("hunter3"));
    }
    let whole = format!("{secret}  password: hunter2\n");
    fleet.write("clusters/prod/secret.yaml", &whole);
    fleet.done(&["lock"]);
    fleet.write(
        "clusters/prod/secret.yaml",
        &secret.replace("PRIVATE KEY", "PRIVATE THING"),
    );
    let run = fleet.run(&["lock", "--update"]);
    assert_eq!(run.code, Some(2));
    assert!(
        run.stderr.contains("is no private SSH key"),
        "{}",
        run.stderr
    );

    // Nothing goes past a proxy that is named.
    let spec = fleet.read("clusters/prod/source.yaml");
    fleet.write(
        "clusters/prod/source.yaml",
        &format!("{spec}  proxySecretRef: {{name: proxy}}\n"),
    );
    let proxy = "---\napiVersion: v1\nkind: Secret\nmetadata:\n  name: proxy\n  namespace: \
                 flux-system\nstringData:\n  address: http://127.0.0.1:1\n";
    fleet.write("clusters/prod/secret.yaml", &format!("{whole}{proxy}"));
    let run = fleet.run(&["lock", "--update"]);
    assert_eq!(run.code, Some(2));
    assert!(
        run.stderr.contains("proxies are not supported for SSH"),
        "{}",
        run.stderr
    );
}
