//! Certificates for servers and clients, made by `openssl` for one test.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::program;

/// An authority that vouches for certificates.
pub(super) struct Authority {
    folder: tempfile::TempDir,
}

impl Authority {
    /// A new one; none where `openssl` is not installed.
    pub(super) fn new() -> Option<Authority> {
        program("openssl")?;
        let authority = Authority {
            folder: tempfile::tempdir().unwrap(),
        };
        authority.openssl(&[
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
            "-keyout",
            "ca.key",
            "-out",
            "ca.crt",
            "-subj",
            "/CN=authority",
            "-days",
            "30",
        ]);
        for name in ["server", "client"] {
            let (key, request) = (format!("{name}.key"), format!("{name}.csr"));
            authority.openssl(&[
                "req",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:prime256v1",
                "-nodes",
                "-keyout",
                &key,
                "-out",
                &request,
                "-subj",
                &format!("/CN={name}"),
                "-addext",
                "subjectAltName=IP:127.0.0.1",
            ]);
            authority.openssl(&[
                "x509",
                "-req",
                "-in",
                &request,
                "-CA",
                "ca.crt",
                "-CAkey",
                "ca.key",
                "-out",
                &format!("{name}.crt"),
                "-days",
                "30",
                "-copy_extensions",
                "copy",
            ]);
        }
        Some(authority)
    }

    fn openssl(&self, args: &[&str]) {
        let status = Command::new("openssl")
            .args(args)
            .current_dir(self.folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .unwrap();
        assert!(status.success(), "openssl {args:?}");
    }

    /// The path of `ca.crt`, `server.crt`, `server.key`, `client.crt` or
    /// `client.key`.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(super) fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    /// A Secret of flux-system with these entries: its keys, and the files that
    /// they hold.
    pub(super) fn secret(&self, name: &str, entries: &[(&str, &str)]) -> String {
        let mut text = format!(
            "apiVersion: v1\nkind: Secret\nmetadata:\n  name: {name}\n  namespace: \
             flux-system\nstringData:\n"
        );
        for (key, file) in entries {
            text.push_str(&format!("  {key}: |\n"));
            for line in self.read(file).lines() {
                text.push_str(&format!("    {line}\n"));
            }
        }
        text
    }

    /// What a server needs; with `asks`, it takes only clients that this
    /// authority vouches for.
    pub(super) fn server(&self, asks: bool) -> Arc<rustls::ServerConfig> {
        // A second call finds the first one's.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let builder = rustls::ServerConfig::builder();
        let builder = if asks {
            let mut roots = rustls::RootCertStore::empty();
            for certificate in certificates(&self.path("ca.crt")) {
                roots.add(certificate).unwrap();
            }
            let verifier = rustls::server::WebPkiClientVerifier::builder(Arc::new(roots));
            builder.with_client_cert_verifier(verifier.build().unwrap())
        } else {
            builder.with_no_client_auth()
        };
        let key = PrivateKeyDer::from_pem_file(self.path("server.key")).unwrap();
        let chain = certificates(&self.path("server.crt"));
        Arc::new(builder.with_single_cert(chain, key).unwrap())
    }
}

fn certificates(path: &Path) -> Vec<CertificateDer<'static>> {
    CertificateDer::pem_file_iter(path)
        .unwrap()
        .map(Result::unwrap)
        .collect()
}
