//! Buckets: S3 and what speaks it, Google Cloud Storage, Azure Blob Storage.
//!
//! Compat: source-controller `bucket_controller.go`: `spec.ignore` and the
//! `.sourceignore` of the root decide what is taken; objects whose name ends in
//! a slash are folders.

use std::sync::Arc;
use std::time::Duration;

use object_store::aws::AmazonS3Builder;
use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::path::Path;
use object_store::{
    BackoffConfig, ClientOptions, ObjectMeta, ObjectStore, ObjectStoreExt as _, RetryConfig,
};

use super::{Access, Resolved, http};
use crate::artifact::archive::{MAX_ARCHIVE_BYTES, MAX_ARCHIVE_FILES};
use crate::artifact::{MemoryTree, pack, path};
use crate::diag::{Error, Result};
use crate::flux::api::{BucketSpec, Source};

/// How many objects are fetched at once.
const AT_ONCE: usize = 16;

/// Where Amazon's buckets are, whatever their region.
const AMAZON: &str = "//s3.amazonaws.com";

/// Where Google's buckets are.
const GOOGLE: &str = "storage.googleapis.com";

/// How often, and how soon, a request is made again, as for other sources.
fn retries() -> RetryConfig {
    RetryConfig {
        backoff: BackoffConfig {
            init_backoff: Duration::from_millis(250),
            max_backoff: Duration::from_secs(30),
            base: 2.0,
        },
        max_retries: 3,
        retry_timeout: Duration::from_mins(2),
    }
}

/// What a Bucket holds now.
pub(super) fn resolve(access: &Access<'_>, source: &Source, spec: &BucketSpec) -> Result<Resolved> {
    http::install_provider();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| Error::new("source/failed", format!("no runtime: {e}")))?;
    let bucket = open(access, source, spec)?;
    let failed = |e: object_store::Error| failed(source, spec, &e);
    let tree = runtime.block_on(read(bucket, spec)).map_err(|e| match e {
        Trouble::Store(e) => failed(e),
        Trouble::Other(e) => e,
    })?;
    let digest = access.put(&pack::pack(&tree)?)?;
    Ok(Resolved {
        revision: digest.to_string(),
        digest,
    })
}

enum Trouble {
    Store(object_store::Error),
    Other(Error),
}

impl From<object_store::Error> for Trouble {
    fn from(e: object_store::Error) -> Trouble {
        Trouble::Store(e)
    }
}

/// All objects below the prefix.
async fn read(
    bucket: Arc<dyn ObjectStore>,
    spec: &BucketSpec,
) -> std::result::Result<MemoryTree, Trouble> {
    let objects = list(&*bucket, &spec.prefix).await?;
    let total: u64 = objects.iter().map(|o| o.size).sum();
    if objects.len() > MAX_ARCHIVE_FILES || total > MAX_ARCHIVE_BYTES {
        return Err(Trouble::Other(
            Error::new(
                "source/too-large",
                format!(
                    "the bucket holds {} objects of {} MiB",
                    objects.len(),
                    total >> 20
                ),
            )
            .help("name a `spec.prefix`"),
        ));
    }
    let mut tree = MemoryTree::new("");
    let mut tasks = tokio::task::JoinSet::new();
    let mut waiting = objects.into_iter();
    loop {
        while tasks.len() < AT_ONCE
            && let Some(object) = waiting.next()
        {
            let bucket = bucket.clone();
            tasks.spawn(async move {
                let content = bucket.get(&object.location).await?.bytes().await?;
                Ok::<_, object_store::Error>((object.location, content))
            });
        }
        let Some(done) = tasks.join_next().await else {
            return Ok(tree);
        };
        let (location, content) = done.map_err(|e| {
            Trouble::Other(Error::new(
                "source/failed",
                format!("a download ended: {e}"),
            ))
        })??;
        let name = location.as_ref();
        let target = path::join("", name).filter(|t| t == name).ok_or_else(|| {
            Trouble::Other(Error::new(
                "source/failed",
                format!("the bucket holds an object named `{name}`"),
            ))
        })?;
        tree.insert(target, content.as_ref());
    }
}

/// The objects whose names begin with the prefix, folder by folder.
async fn list(
    bucket: &dyn ObjectStore,
    prefix: &str,
) -> std::result::Result<Vec<ObjectMeta>, object_store::Error> {
    // A prefix is text, not a folder: what begins so within its folder counts.
    let folder = prefix.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut open = vec![Path::parse(folder)?];
    let mut objects = Vec::new();
    while let Some(folder) = open.pop() {
        let found = bucket.list_with_delimiter(Some(&folder)).await?;
        let begins = |p: &Path| p.as_ref().starts_with(prefix) || prefix.starts_with(p.as_ref());
        open.extend(found.common_prefixes.into_iter().filter(begins));
        objects.extend(
            found
                .objects
                .into_iter()
                // An object that is named as its folder, with a slash behind, marks it.
                .filter(|o| o.location != folder && o.location.as_ref().starts_with(prefix)),
        );
    }
    Ok(objects)
}

fn open(access: &Access<'_>, source: &Source, spec: &BucketSpec) -> Result<Arc<dyn ObjectStore>> {
    let credentials = &access.credentials;
    let text = |names: &[&str]| {
        let value = credentials
            .entry(names)
            .and_then(|v| std::str::from_utf8(v).ok());
        value.map(|v| v.trim().to_owned())
    };
    let mut options = ClientOptions::new().with_allow_http(source.insecure);
    if let Some(authority) = credentials.authority() {
        let certificates = object_store::Certificate::from_pem_bundle(authority)
            .map_err(|e| failed(source, spec, &e))?;
        if certificates.is_empty() {
            return Err(http::no_certificate());
        }
        for certificate in certificates {
            options = options.with_root_certificate(certificate);
        }
    }
    if let Some(proxy) = credentials.proxy()? {
        options = options.with_proxy_url(proxy.whole_address()?);
    }
    let endpoint = {
        let address = access.address(&source.url);
        if address.contains("://") {
            address
        } else if source.insecure {
            format!("http://{address}")
        } else {
            format!("https://{address}")
        }
    };
    let opened: object_store::Result<Arc<dyn ObjectStore>> = match &*source.provider {
        "generic" | "aws" | "amazon" => {
            let is_generic = &*source.provider == "generic";
            let mut builder = if is_generic {
                AmazonS3Builder::new().with_region("us-east-1")
            } else {
                // The region of the environment counts where none is written.
                AmazonS3Builder::from_env()
            };
            if !spec.region.is_empty() {
                builder = builder.with_region(&*spec.region);
            }
            // Amazon's own address is the library's, which knows each region's.
            if !endpoint.ends_with(AMAZON) {
                builder = builder.with_endpoint(endpoint);
            }
            builder = builder
                .with_bucket_name(&*spec.bucket)
                .with_retry(retries())
                .with_client_options(options);
            match (text(&["accesskey"]), text(&["secretkey"])) {
                (Some(key), Some(secret)) => {
                    builder = builder
                        .with_access_key_id(key)
                        .with_secret_access_key(secret);
                }
                (None, None) if !is_generic => {}
                // Compat: a Secret is not passed over for what it lacks.
                (None, None) if !credentials.can_be_keys() => {
                    if spec.has_sts {
                        return Err(Error::new(
                            "source/credentials",
                            "logins that a service of tokens gives, `spec.sts`, are not supported",
                        )
                        .help(
                            "give `accesskey` and `secretkey` under `credentials` in \
                             .fluxwright.yaml, for the address of the endpoint",
                        ));
                    }
                    builder = builder.with_skip_signature(true);
                }
                _ => {
                    return Err(Error::new(
                        "source/credentials",
                        "the Secret needs `accesskey` and `secretkey`, both",
                    )
                    .help("for a bucket that everyone may read, leave out `spec.secretRef`"));
                }
            }
            builder.build().map(|s| Arc::new(s) as Arc<dyn ObjectStore>)
        }
        "gcp" => {
            let mut builder = GoogleCloudStorageBuilder::from_env()
                .with_retry(retries())
                .with_bucket_name(&*spec.bucket)
                .with_client_options(options);
            if let Some(account) = text(&["serviceaccount"]) {
                builder = builder.with_service_account_key(account);
            }
            // Compat: Google's own address is the library's.
            if !endpoint.contains(GOOGLE) {
                builder = builder.with_base_url(&endpoint);
            }
            builder.build().map(|s| Arc::new(s) as Arc<dyn ObjectStore>)
        }
        "azure" => {
            let mut builder = MicrosoftAzureBuilder::from_env()
                .with_retry(retries())
                .with_container_name(&*spec.bucket)
                .with_endpoint(endpoint.clone())
                .with_client_options(options);
            if let Some(account) = http::parse(&endpoint)?
                .host_str()
                .and_then(|h| h.split('.').next())
            {
                builder = builder.with_account(account);
            }
            if let Some(key) = text(&["accountKey"]) {
                builder = builder.with_access_key(key);
            }
            if let Some(key) = text(&["sasKey"]) {
                builder = builder.with_config(AzureConfigKey::SasKey, key);
            }
            if let (Some(tenant), Some(client), Some(secret)) = (
                text(&["tenantId"]),
                text(&["clientId"]),
                text(&["clientSecret"]),
            ) {
                builder = builder.with_client_secret_authorization(client, secret, tenant);
            }
            builder.build().map(|s| Arc::new(s) as Arc<dyn ObjectStore>)
        }
        other => {
            return Err(Error::new(
                "source/provider",
                format!("`{other}` is no provider of buckets that is known here"),
            )
            .help("there is `generic`, `aws`, `gcp` and `azure`"));
        }
    };
    opened.map_err(|e| failed(source, spec, &e))
}

fn failed(source: &Source, spec: &BucketSpec, error: &object_store::Error) -> Error {
    let place = format!("{}/{}", http::shown(&source.url), spec.bucket);
    let whole = error.to_string();
    // The library has kinds for objects alone: of listing it tells the answer.
    let says = |parts: &[&str]| parts.iter().any(|part| whole.contains(part));
    match error {
        object_store::Error::NotFound { .. } => missing(&place),
        object_store::Error::PermissionDenied { .. }
        | object_store::Error::Unauthenticated { .. } => denied(&place, &source.provider),
        _ if says(&["NoSuchBucket", "404 Not Found"]) => missing(&place),
        _ if says(&["403 Forbidden", "401 Unauthorized"]) => denied(&place, &source.provider),
        // Where the libraries ask for logins: only machines of a cloud have it.
        _ if says(&[
            "169.254.169.254",
            "metadata.google.internal",
            "metadata server",
        ]) =>
        {
            denied(&place, &source.provider)
        }
        _ if says(&["invalid path"]) => Error::new(
            "source/failed",
            format!(
                "the bucket `{place}` holds an object whose name is no path: {}",
                cut(&whole)
            ),
        )
        .help("rename it, or leave it out by a `spec.prefix`"),
        _ if says(&["error sending request", "HTTP error"]) => Error::new(
            "source/unreachable",
            format!("the bucket `{place}` cannot be reached"),
        )
        .help("is `endpoint` right, and the network there? plain HTTP needs `insecure: true`"),
        _ => Error::new(
            "source/failed",
            format!("the bucket `{place}` cannot be read: {}", cut(&whole)),
        )
        .help("the server could not do it: try again later"),
    }
}

/// What a library says, without what the server wrote into its answer.
fn cut(text: &str) -> String {
    let text = text.split(": <").next().unwrap_or_default();
    text.chars().take(300).collect()
}

fn missing(place: &str) -> Error {
    Error::new(
        "source/missing",
        format!("the bucket `{place}` is not there"),
    )
    .help("are `endpoint`, `bucketName` and `region` right?")
}

fn denied(place: &str, provider: &str) -> Error {
    let keys = match provider {
        "gcp" => {
            "is `serviceaccount` in the Secret, or what GOOGLE_APPLICATION_CREDENTIALS names, \
             right, and may it list and read?"
        }
        "azure" => {
            "are `accountKey`, `sasKey`, or `tenantId`, `clientId` and `clientSecret`, in the \
             Secret right, or AZURE_STORAGE_ACCOUNT_KEY or AZURE_CLIENT_ID and \
             AZURE_CLIENT_SECRET in the environment, and may they list and read?"
        }
        "aws" | "amazon" => {
            "are `accesskey` and `secretkey` in the Secret, or AWS_ACCESS_KEY_ID and \
             AWS_SECRET_ACCESS_KEY in the environment, right, and may they list and read?"
        }
        _ => "are `accesskey` and `secretkey` in the Secret right, and may they list and read?",
    };
    Error::new(
        "source/denied",
        format!("the bucket `{place}` refused access"),
    )
    .help(keys)
}
