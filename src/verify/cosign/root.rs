//! The trust root of keyless signatures: a file in Sigstore's format
//! (`trusted_root.json`) with the authorities and logs that count.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use super::certificate::Certificate;
use crate::diag::{Error, Result};
use crate::gostd::moment::Moment;
use crate::verify::publickey::PublicKey;
use crate::verify::{KeyFile, refuse};

/// The authorities and logs that are trusted.
#[derive(Debug)]
pub(super) struct TrustRoot {
    /// Issuers of certificates.
    pub(super) authorities: Vec<Authority>,
    /// Authorities that sign timestamps.
    pub(super) timestamps: Vec<Authority>,
    /// Logs of signatures.
    pub(super) logs: Vec<Log>,
    /// Logs of certificates.
    pub(super) certificate_logs: Vec<Log>,
}

/// An authority: its certificates, the root last.
#[derive(Debug)]
pub(super) struct Authority {
    pub(super) chain: Vec<Certificate>,
    pub(super) valid: Period,
}

/// A log: the key that it signs with.
#[derive(Debug)]
pub(super) struct Log {
    pub(super) id: Vec<u8>,
    /// The host of its address, which checkpoints begin with.
    pub(super) host: Option<String>,
    pub(super) key: PublicKey,
    pub(super) valid: Period,
}

/// When something counts.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Period {
    start: Option<Moment>,
    end: Option<Moment>,
}

impl Period {
    pub(super) fn contains(self, time: Moment) -> bool {
        self.start.is_none_or(|start| start <= time) && self.end.is_none_or(|end| time <= end)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct File {
    media_type: String,
    #[serde(default)]
    tlogs: Vec<LogEntry>,
    #[serde(default)]
    certificate_authorities: Vec<AuthorityEntry>,
    #[serde(default)]
    ctlogs: Vec<LogEntry>,
    #[serde(default)]
    timestamp_authorities: Vec<AuthorityEntry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LogEntry {
    #[serde(default)]
    base_url: String,
    public_key: KeyEntry,
    log_id: LogId,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct LogId {
    pub(super) key_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct KeyEntry {
    raw_bytes: String,
    #[serde(default)]
    valid_for: PeriodEntry,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AuthorityEntry {
    cert_chain: Chain,
    #[serde(default)]
    valid_for: PeriodEntry,
}

#[derive(Deserialize)]
pub(super) struct Chain {
    pub(super) certificates: Vec<Raw>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Raw {
    pub(super) raw_bytes: String,
}

#[derive(Deserialize, Default)]
struct PeriodEntry {
    #[serde(default)]
    start: Option<String>,
    #[serde(default)]
    end: Option<String>,
}

impl TrustRoot {
    /// Reads a trust root.
    ///
    /// # Errors
    ///
    /// `trust/root` for what is none, or names no authority or no log.
    pub(super) fn read(file: &KeyFile) -> Result<TrustRoot> {
        let invalid = |why: String| {
            refuse(
                "trust/root",
                format!("trust root `{}` is invalid: {why}", file.name),
                "give a file such as `cosign trusted-root create` writes, or Sigstore's `trusted_root.json`",
            )
        };
        let entries: File =
            serde_json::from_slice(&file.content).map_err(|e| invalid(e.to_string()))?;
        if !entries
            .media_type
            .starts_with("application/vnd.dev.sigstore.trustedroot")
        {
            return Err(invalid(format!("it is a `{}`", entries.media_type)));
        }
        let inside = |e: Error| invalid(e.message().to_owned());
        let root = TrustRoot {
            authorities: authorities(&entries.certificate_authorities).map_err(inside)?,
            timestamps: authorities(&entries.timestamp_authorities).map_err(inside)?,
            logs: logs(&entries.tlogs).map_err(inside)?,
            certificate_logs: logs(&entries.ctlogs).map_err(inside)?,
        };
        for (what, is_missing) in [
            ("certificate authority", root.authorities.is_empty()),
            ("transparency log", root.logs.is_empty()),
            (
                "certificate transparency log",
                root.certificate_logs.is_empty(),
            ),
        ] {
            if is_missing {
                return Err(invalid(format!("it names no {what}")));
            }
        }
        Ok(root)
    }
}

fn authorities(entries: &[AuthorityEntry]) -> Result<Vec<Authority>> {
    let mut found = Vec::new();
    for entry in entries {
        let mut chain = Vec::new();
        for raw in &entry.cert_chain.certificates {
            chain.push(Certificate::from_der(&decode(&raw.raw_bytes)?)?);
        }
        found.push(Authority {
            chain,
            valid: period(&entry.valid_for)?,
        });
    }
    Ok(found)
}

fn logs(entries: &[LogEntry]) -> Result<Vec<Log>> {
    let mut found = Vec::new();
    for entry in entries {
        let address = entry
            .base_url
            .split_once("://")
            .map_or(entry.base_url.as_str(), |(_, a)| a);
        let host = address.split(['/', ':']).next().filter(|h| !h.is_empty());
        found.push(Log {
            id: decode(&entry.log_id.key_id)?,
            host: host.map(str::to_owned),
            key: PublicKey::from_spki(&decode(&entry.public_key.raw_bytes)?)?,
            valid: period(&entry.public_key.valid_for)?,
        });
    }
    Ok(found)
}

fn period(entry: &PeriodEntry) -> Result<Period> {
    let read = |text: &Option<String>| match text {
        None => Ok(None),
        Some(text) => Moment::parse(text)
            .map(Some)
            .ok_or_else(|| refuse("trust/root", format!("`{text}` is no time"), "")),
    };
    Ok(Period {
        start: read(&entry.start)?,
        end: read(&entry.end)?,
    })
}

fn decode(text: &str) -> Result<Vec<u8>> {
    STANDARD
        .decode(text)
        .map_err(|_| refuse("trust/root", "a key or certificate is not base64", ""))
}
