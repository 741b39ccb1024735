//! Bundles: what a release deploys, as one OCI artifact.
//!
//! In: the files of a build, findings, and where they come from. Out: the files
//! of an OCI image layout that is the same, byte for byte, whoever makes it.
//! Its first layer is what `flux push artifact` would push, so that an
//! OCIRepository takes it as it is; beside it lie the index of the build, a
//! bill of images, the findings and a provenance statement. Signatures are
//! manifests of their own: they are no part of the digest.
//!
//! - `layout` makes the files,
//! - `contents` is what goes into them,
//! - `read` takes them apart again and finds every byte that is not as it was,
//!   `claims` what the bundle says of itself that is not so,
//! - `sign` adds signatures and an attestation, `prove` says who made them,
//! - `merge` joins the parts that a sharded run made,
//! - `rebuild` says what is other in two bundles that should be the same,
//! - `transfer` takes a layout apart for a registry, and puts it together again.

mod claims;
mod contents;
mod layout;
mod merge;
#[cfg(feature = "verify")]
mod prove;
mod read;
mod rebuild;
#[cfg(feature = "verify")]
mod sign;
#[cfg(test)]
mod tests;
mod transfer;

pub use contents::{Contents, Dependency, Image, Origin, dependencies, images};
pub use layout::{Beside, Bundle, create, in_one_file};
pub use merge::merge;
#[cfg(feature = "verify")]
pub use prove::{Signers, prove};
pub use read::{Opened, check_file, is_layout, open};
pub use rebuild::{Deviation, deviations};
#[cfg(feature = "verify")]
pub use sign::{Keys, sign};
pub use transfer::{Parts, apart, together};

/// What a layout calls itself in its index, so that a folder can be told to be
/// ours.
pub const FORMAT: &str = "fluxwright.bundle/v1";

/// Media types of what a bundle holds.
pub mod media_type {
    /// An image's manifest.
    pub const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
    /// A layout's index.
    pub const INDEX: &str = "application/vnd.oci.image.index.v1+json";
    /// The configuration of a Flux artifact.
    pub const FLUX_CONFIG: &str = "application/vnd.cncf.flux.config.v1+json";
    /// The content of a Flux artifact.
    pub const FLUX_CONTENT: &str = "application/vnd.cncf.flux.content.v1.tar+gzip";
    /// The index of the build.
    pub const BUILD_INDEX: &str = "application/vnd.fluxwright.index.v1+json";
    /// The bill of images.
    pub const IMAGES: &str = "application/vnd.fluxwright.images.v1+json";
    /// The findings.
    pub const FINDINGS: &str = "application/vnd.fluxwright.findings.v1+json";
    /// The provenance statement.
    pub const PROVENANCE: &str = "application/vnd.in-toto+json";
    /// A signed statement.
    pub const DSSE: &str = "application/vnd.dsse.envelope.v1+json";
    /// A detached OpenPGP signature.
    pub const PGP_SIGNATURE: &str = "application/pgp-signature";
    /// What cosign signs.
    pub const SIMPLE_SIGNING: &str = "application/vnd.dev.cosign.simplesigning.v1+json";
    /// What the type of a Sigstore bundle begins with, which cosign 3 makes.
    pub const SIGSTORE_BUNDLE: &str = "application/vnd.dev.sigstore.bundle";
    /// The configuration of an image.
    pub const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
}
