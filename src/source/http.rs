//! HTTP for all kinds of sources: credentials, certificates, proxies, retries.
//!
//! Credentials go to the host of the source and to no other, unless
//! `passCredentials` says so; a redirect to another host drops them, and one
//! from HTTPS to HTTP is refused. What a server answers for a moment (too many
//! requests, not available) is asked again, with growing pauses, a bounded
//! number of times. Addresses in messages have neither passwords nor queries,
//! where tokens stand.

use std::io::{BufRead, BufReader, Read};
use std::sync::OnceLock;
use std::time::Duration;

use reqwest::StatusCode;
use reqwest::blocking::{Client, RequestBuilder, Response};
use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};

use super::credentials::Credentials;
use crate::artifact::Digest;
use crate::diag::{Error, Result};
use crate::store::Store;

/// How often something is asked for.
const ATTEMPTS: u32 = 4;
/// The first pause between attempts; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// The longest pause, whatever the server asks for.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// The longest time that a connection may take to come about.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);
/// The longest time that an answer may take as a whole.
const TIMEOUT: Duration = Duration::from_mins(15);

/// The client of all sources without certificates and a proxy of their own:
/// reading the machine's authorities takes longer than many a request.
static PLAIN: OnceLock<Client> = OnceLock::new();

/// A client for one source.
#[derive(Debug)]
pub(super) struct Http {
    client: Client,
    credentials: Credentials,
    /// Scheme, host and port of the source: where credentials go.
    origin: Option<Origin>,
    pass_credentials: bool,
    /// The source's own proxy, for messages.
    proxy: Option<String>,
}

type Origin = (String, String, Option<u16>);

/// Where an address leads.
fn origin(url: &reqwest::Url) -> Option<Origin> {
    Some((
        url.scheme().to_owned(),
        url.host_str()?.to_owned(),
        url.port_or_known_default(),
    ))
}

/// Chooses the cryptography for TLS, once.
pub(super) fn install_provider() {
    // A second call finds the first one's.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

impl Http {
    /// A client with the credentials of a source at `url`.
    ///
    /// # Errors
    ///
    /// `source/address` for what is no address, `source/credentials` for
    /// certificates and proxies that cannot be read.
    pub(super) fn new(
        url: &str,
        credentials: &Credentials,
        pass_credentials: bool,
    ) -> Result<Http> {
        install_provider();
        let target = check_scheme(url)?;
        let is_plain = credentials.authority().is_none()
            && credentials.client_certificate()?.is_none()
            && credentials.proxy()?.is_none();
        if is_plain && let Some(client) = PLAIN.get() {
            return Ok(Http {
                client: client.clone(),
                credentials: credentials.clone(),
                origin: origin(&target),
                pass_credentials,
                proxy: None,
            });
        }
        let wrong = |what: &str, e: &(dyn std::error::Error + 'static)| {
            let why = innermost(e);
            Error::new(
                "source/credentials",
                format!("{what} cannot be used: {why}"),
            )
            .help("is it whole, and in PEM? a key must be that of its certificate")
        };
        let mut builder = Client::builder()
            .user_agent(concat!("fluxwright/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(TIMEOUT)
            .redirect(reqwest::redirect::Policy::custom(|attempt| {
                let from_tls = attempt.previous().iter().any(|u| u.scheme() == "https");
                if from_tls && attempt.url().scheme() != "https" {
                    return attempt.error("a redirect leads from HTTPS to HTTP");
                }
                if attempt.previous().len() > 10 {
                    return attempt.error("it redirects without end");
                }
                attempt.follow()
            }));
        if let Some(authority) = credentials.authority() {
            let certificates = reqwest::Certificate::from_pem_bundle(authority)
                .map_err(|e| wrong("`ca.crt`", &e))?;
            if certificates.is_empty() {
                return Err(no_certificate());
            }
            builder = builder.tls_certs_merge(certificates);
        }
        if let Some((certificate, key)) = credentials.client_certificate()? {
            let pem = [certificate, b"\n", key].concat();
            let identity = reqwest::Identity::from_pem(&pem)
                .map_err(|e| wrong("`tls.crt` with `tls.key`", &e))?;
            builder = builder.identity(identity);
        }
        let proxy = credentials.proxy()?;
        if let Some(proxy) = &proxy {
            let mut setting = reqwest::Proxy::all(&proxy.address).map_err(|e| {
                let why = innermost(&e);
                Error::new(
                    "source/credentials",
                    format!("`address` of the proxy is no address: {why}"),
                )
                .help(super::credentials::PROXY_FORMS)
            })?;
            if let Some((user, password)) = &proxy.login {
                setting = setting.basic_auth(user, password);
            }
            builder = builder.proxy(setting);
        }
        let mut client = builder.build().map_err(|e| wrong("the certificates", &e))?;
        if is_plain {
            client = PLAIN.get_or_init(|| client).clone();
        }
        Ok(Http {
            client,
            credentials: credentials.clone(),
            origin: origin(&target),
            pass_credentials,
            proxy: proxy.map(|proxy| shown(&proxy.address)),
        })
    }

    /// The answer to a GET.
    pub(super) fn get(&self, url: &str, headers: &HeaderMap) -> Result<Response> {
        self.send(url, |client| client.get(url).headers(headers.clone()))
    }

    /// The answer to a POST.
    pub(super) fn post(&self, url: &str, headers: &HeaderMap, body: &[u8]) -> Result<Response> {
        self.send(url, |client| {
            client
                .post(url)
                .headers(headers.clone())
                .body(body.to_vec())
        })
    }

    /// What lies at an address, of at most `limit` bytes.
    pub(super) fn read(&self, url: &str, limit: u64) -> Result<Vec<u8>> {
        retrying(|| {
            let mut content = Vec::new();
            let response = self.once(url, |client| client.get(url))?;
            response
                .take(limit + 1)
                .read_to_end(&mut content)
                .map_err(|e| Failure::later(broken(url, &e)))?;
            if content.len() as u64 > limit {
                return Err(Failure::final_(too_large(url, limit)));
            }
            Ok(content)
        })
    }

    /// What `read` makes of what lies at an address, as it comes.
    pub(super) fn stream<T>(
        &self,
        url: &str,
        read: &dyn Fn(&mut dyn BufRead) -> std::io::Result<T>,
    ) -> Result<T> {
        retrying(|| {
            let response = self.once(url, |client| client.get(url))?;
            read(&mut BufReader::with_capacity(64 << 10, response))
                .map_err(|e| Failure::later(broken(url, &e)))
        })
    }

    /// Brings what lies at an address into the store.
    pub(super) fn download(
        &self,
        url: &str,
        store: &Store,
        expected: Option<Digest>,
    ) -> Result<Digest> {
        retrying(|| {
            let mut response = self.once(url, |client| client.get(url))?;
            let mut incoming = store.incoming().map_err(Failure::final_)?;
            std::io::copy(&mut response, &mut incoming).map_err(|e| {
                let error = broken(url, &e);
                if error.rule() == "store/unwritable" {
                    Failure::final_(error)
                } else {
                    Failure::later(error)
                }
            })?;
            incoming.finish(expected).map_err(Failure::final_)
        })
    }

    fn send(&self, url: &str, request: impl Fn(&Client) -> RequestBuilder) -> Result<Response> {
        retrying(|| self.once(url, &request))
    }

    fn once(
        &self,
        url: &str,
        request: impl Fn(&Client) -> RequestBuilder,
    ) -> std::result::Result<Response, Failure> {
        let target = check_scheme(url).map_err(Failure::final_)?;
        let mut request = request(&self.client);
        let is_for_credentials = self.pass_credentials || origin(&target) == self.origin;
        if is_for_credentials {
            request = self.authorize(request).map_err(Failure::final_)?;
        }
        let response = request
            .send()
            .map_err(|e| Failure::through(self.proxy.as_deref(), url, &e))?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let can_log_in = self.credentials.can_log_in() || target.password().is_some();
        let mut failure = Failure::answered(url, status, can_log_in);
        if is_refusal(status) && can_log_in && !is_for_credentials {
            failure.error = Error::new("source/denied", failure.error.message()).help(
                "it lies on another host than the source, whose login stays there: \
                 `spec.passCredentials: true` sends it along",
            );
        }
        failure.pause = asked_to_wait(response.headers());
        Err(failure)
    }

    fn authorize(&self, request: RequestBuilder) -> Result<RequestBuilder> {
        Ok(if let Some(token) = self.credentials.bearer_token()? {
            request.bearer_auth(token)
        } else if let Some((user, password)) = self.credentials.login()? {
            request.basic_auth(user, Some(password))
        } else {
            request
        })
    }
}

/// How long a server asks to wait: seconds, or a time by its own clock.
fn asked_to_wait(headers: &HeaderMap) -> Option<Duration> {
    let text = |name| headers.get(name)?.to_str().ok().map(str::trim);
    let asked = text(RETRY_AFTER)?;
    if let Ok(seconds) = asked.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let time = |text| jiff::fmt::rfc2822::parse(text).ok();
    let seconds = time(asked)?.timestamp().as_second() - time(text(DATE)?)?.timestamp().as_second();
    Some(Duration::from_secs(seconds.try_into().unwrap_or_default()))
}

/// Why an attempt failed, and whether another one may not.
pub(super) struct Failure {
    error: Error,
    is_passing: bool,
    /// How long the server asks to wait.
    pause: Option<Duration>,
    /// By how much longer than usual are the pauses before further attempts.
    factor: u32,
}

impl Failure {
    pub(super) fn final_(error: Error) -> Failure {
        Failure {
            error,
            is_passing: false,
            pause: None,
            factor: 1,
        }
    }

    /// The same, for a server whose word on how long to wait is not at hand:
    /// where it takes no more requests, the pauses are longer.
    pub(super) fn patient(self) -> Failure {
        let factor = if self.error.rule() == "source/busy" {
            4
        } else {
            1
        };
        Failure { factor, ..self }
    }

    pub(super) fn later(error: Error) -> Failure {
        Failure {
            is_passing: true,
            ..Failure::final_(error)
        }
    }

    /// The server answered, and not with success.
    pub(super) fn answered(url: &str, status: StatusCode, has_credentials: bool) -> Failure {
        let is_passing = matches!(
            status,
            StatusCode::TOO_MANY_REQUESTS
                | StatusCode::REQUEST_TIMEOUT
                | StatusCode::BAD_GATEWAY
                | StatusCode::SERVICE_UNAVAILABLE
                | StatusCode::GATEWAY_TIMEOUT
        );
        Failure {
            is_passing,
            ..Failure::final_(refused(url, status, has_credentials))
        }
    }

    /// A request through a source's own proxy, if it has one, came to nothing.
    fn through(proxy: Option<&str>, url: &str, error: &reqwest::Error) -> Failure {
        let failure = Failure::of(url, error);
        match proxy {
            Some(proxy) if failure.error.rule() == "source/unreachable" => {
                let message = format!("{}, through the proxy `{proxy}`", failure.error.message());
                Failure {
                    error: Error::new("source/unreachable", message).help(
                        "is `address` in the Secret that `proxySecretRef` names right, and the \
                         proxy there?",
                    ),
                    ..failure
                }
            }
            _ => failure,
        }
    }

    pub(super) fn of(url: &str, error: &reqwest::Error) -> Failure {
        let cause = innermost(error);
        let host = shown(url);
        if cause.contains("fatal alert") && REFUSED_CLIENTS.iter().any(|r| cause.ends_with(r)) {
            return Failure::final_(
                Error::new(
                    "source/denied",
                    format!("`{host}` does not take the certificate of the client: {cause}"),
                )
                .help("are `tls.crt` and `tls.key` those that this server knows, and valid today?"),
            );
        }
        if cause.contains("InvalidContentType") || cause.contains("InvalidHTTP") {
            return Failure::final_(
                Error::new(
                    "source/unreachable",
                    format!("`{host}` answers, and does not speak TLS"),
                )
                .help(
                    "is the port right? where plain HTTP is meant, write `http://`, `insecure: true` \
                     for a registry or bucket, `--insecure` for a bundle",
                ),
            );
        }
        if cause.contains("fatal alert") && cause.contains("Certificate") {
            return Failure::final_(
                Error::new(
                    "source/denied",
                    format!("`{host}` asks for the certificate of a client: {cause}"),
                )
                .help(
                    "give `tls.crt` and `tls.key` in the Secret that `certSecretRef` names, or for \
                     Git `secretRef`",
                ),
            );
        }
        if cause.contains("certificate") || cause.contains("UnknownIssuer") {
            return Failure::final_(
                Error::new(
                    "source/certificate",
                    format!("`{host}` shows a certificate that is not trusted: {cause}"),
                )
                .help(
                    "add its authority as `ca.crt` to the Secret that `certSecretRef` names, for \
                     Git `secretRef`",
                ),
            );
        }
        if is_json(error) {
            return Failure::final_(
                Error::new(
                    "source/failed",
                    format!("what `{host}` answered cannot be read: {cause}"),
                )
                .help("is the address right?"),
            );
        }
        if error.is_body() || error.is_decode() {
            return Failure::later(broken(url, &std::io::Error::other(cause)));
        }
        if error.is_redirect() {
            return Failure::final_(
                Error::new(
                    "source/redirect",
                    format!("`{host}` was not followed: {cause}"),
                )
                .help("write the address that it leads to"),
            );
        }
        Failure::later(
            Error::new(
                "source/unreachable",
                format!("`{host}` cannot be reached: {cause}"),
            )
            .help("is the address right, and the network there? behind a proxy, set HTTPS_PROXY, or name a mirror under `mirrors` in .fluxwright.yaml"),
        )
    }
}

/// How servers say that they do not take the certificate of a client.
const REFUSED_CLIENTS: [&str; 7] = [
    "UnknownCA",
    "BadCertificate",
    "UnsupportedCertificate",
    "CertificateRevoked",
    "CertificateExpired",
    "CertificateUnknown",
    "AccessDenied",
];

/// Whether an answer says that one may not read something.
fn is_refusal(status: StatusCode) -> bool {
    matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN)
}

/// Tries until it succeeds, fails for good, or was tried often enough.
pub(super) fn retrying<T>(
    mut attempt: impl FnMut() -> std::result::Result<T, Failure>,
) -> Result<T> {
    let mut pause = FIRST_PAUSE;
    for _ in 1..ATTEMPTS {
        match attempt() {
            Ok(done) => return Ok(done),
            Err(failure) if !failure.is_passing => return Err(failure.error),
            Err(failure) => {
                let wait = failure.pause.unwrap_or(pause * failure.factor);
                std::thread::sleep(wait.min(LONGEST_PAUSE));
                pause *= 2;
            }
        }
    }
    attempt().map_err(|failure| {
        if failure.is_passing {
            failure.error.context(format!("after {ATTEMPTS} attempts"))
        } else {
            failure.error
        }
    })
}

/// The answer that was no success, as an error.
pub(super) fn refused(url: &str, status: StatusCode, has_credentials: bool) -> Error {
    let host = shown(url);
    match status {
        status if is_refusal(status) => {
            let error = Error::new("source/denied", format!("`{host}` refused access ({status})"));
            if has_credentials {
                error.help("are the credentials right, and may they read this?")
            } else {
                error.help(
                    "it asks for credentials: give a `secretRef` whose Secret can be read here, \
                     or name them under `credentials` in .fluxwright.yaml",
                )
            }
        }
        StatusCode::PROXY_AUTHENTICATION_REQUIRED => Error::new(
            "source/denied",
            format!("the proxy before `{host}` asks for a login ({status})"),
        )
        .help("give `username` and `password` in the Secret that `proxySecretRef` names, or in HTTPS_PROXY"),
        StatusCode::NOT_FOUND | StatusCode::GONE => {
            Error::new("source/missing", format!("`{host}` is not there ({status})"))
                .help("is the address right? private repositories answer so without credentials")
        }
        StatusCode::TOO_MANY_REQUESTS => {
            Error::new("source/busy", format!("`{host}` takes no more requests ({status})"))
                .help("wait a while, log in for a higher limit, or name a mirror under `mirrors` in .fluxwright.yaml")
        }
        StatusCode::PAYLOAD_TOO_LARGE => {
            Error::new("source/failed", format!("`{host}` answered {status}"))
                .help("it is more than the server, or a proxy before it, takes at once: raise its limit")
        }
        status => Error::new("source/failed", format!("`{host}` answered {status}"))
            .help("the server could not do it: try again later"),
    }
}

/// What was received is not whole.
fn broken(url: &str, error: &std::io::Error) -> Error {
    if crate::store::is_full(error) {
        return Error::new(
            "store/unwritable",
            format!("what lies at `{}` cannot be stored: {error}", shown(url)),
        )
        .help("make room, for instance with `fluxwright store prune --older-than 30d`");
    }
    Error::new(
        "source/broken",
        format!(
            "the answer of `{}` broke off: {}",
            shown(url),
            innermost(error)
        ),
    )
    .help("try again: what is already there is not fetched twice")
}

fn too_large(url: &str, limit: u64) -> Error {
    Error::new(
        "source/too-large",
        format!("`{}` is larger than {} MiB", shown(url), limit >> 20),
    )
}

/// The cause at the bottom, which says what happened.
fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let mut at = error;
    while let Some(source) = at.source() {
        at = source;
    }
    at.to_string()
}

/// Whether an answer was whole, and not what was expected.
fn is_json(error: &reqwest::Error) -> bool {
    let mut at: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = at {
        if error.is::<serde_json::Error>() {
            return true;
        }
        at = error.source();
    }
    false
}

/// Reads an address.
pub(super) fn parse(url: &str) -> Result<reqwest::Url> {
    reqwest::Url::parse(url).map_err(|e| {
        Error::new(
            "source/address",
            format!("`{}` is no address: {e}", shown(url)),
        )
        .help("an address begins with `https://`, `http://`, `ssh://` or `oci://`")
    })
}

/// The error for an authority that is none.
pub(super) fn no_certificate() -> Error {
    Error::new("source/credentials", "`ca.crt` holds no certificate")
        .help("it is PEM: blocks between `-----BEGIN CERTIFICATE-----` and its end")
}

/// Reads an address that is to be asked for by HTTP.
fn check_scheme(url: &str) -> Result<reqwest::Url> {
    let parsed = parse(url)?;
    if matches!(parsed.scheme(), "http" | "https") {
        return Ok(parsed);
    }
    let error = Error::new(
        "source/address",
        format!("`{}` cannot be fetched from here", shown(url)),
    );
    Err(match parsed.scheme() {
        "oci" => error.help("a HelmRepository in a registry needs `spec.type: oci`"),
        _ => error.help("an address begins with `https://` or `http://`; Git has `ssh://` as well"),
    })
}

/// An address as it may be shown: without password and query.
pub(super) fn shown(url: &str) -> String {
    let bare = crate::lock::without_password(url);
    bare.split(['?', '#']).next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_secret_is_shown() {
        assert_eq!(shown("https://u:p@h/x?token=s#y"), "https://u@h/x");
        assert_eq!(shown("https://token@h/x"), "https://h/x");
        assert_eq!(shown("https://h/x"), "https://h/x");
    }

    #[test]
    fn servers_say_how_long_to_wait() {
        let wait = |headers: &[(reqwest::header::HeaderName, &str)]| {
            let headers = headers.iter();
            let headers = headers.map(|(name, value)| (name.clone(), value.parse().unwrap()));
            asked_to_wait(&headers.collect())
        };
        let now = (DATE, "Mon, 30 Nov 2026 19:00:00 GMT");
        assert_eq!(wait(&[(RETRY_AFTER, "7")]), Some(Duration::from_secs(7)));
        let at = |time| wait(&[now.clone(), (RETRY_AFTER, time)]);
        assert_eq!(
            at("Mon, 30 Nov 2026 19:00:20 GMT"),
            Some(Duration::from_secs(20))
        );
        assert_eq!(at("Mon, 30 Nov 2026 18:00:00 GMT"), Some(Duration::ZERO));
        assert_eq!(at("soon"), None);
        assert_eq!(wait(&[now]), None);
        assert_eq!(
            wait(&[(RETRY_AFTER, "Mon, 30 Nov 2026 19:00:20 GMT")]),
            None
        );
    }

    #[test]
    fn what_passes_is_tried_again_and_the_rest_is_not() {
        let mut count = 0;
        let done = retrying(|| {
            count += 1;
            if count < 3 {
                Err(Failure::later(Error::new("source/busy", "x")))
            } else {
                Ok(count)
            }
        });
        assert_eq!(done.unwrap(), 3);
        let mut count = 0;
        let failed = retrying::<()>(|| {
            count += 1;
            Err(Failure::final_(Error::new("source/denied", "x")))
        });
        assert_eq!((failed.unwrap_err().rule(), count), ("source/denied", 1));
    }
}
