//! Inputs in the repository itself, as `vendor` writes them.
//!
//! `FOLDER/NAME/…` holds the readable files of a source, and
//! `FOLDER/.blobs/sha256-HEX` content as it is stored: charts as `.tgz`, and
//! what has no readable form.

use std::sync::Arc;

use crate::artifact::{Digest, Kind, Tree};
use crate::diag::{Error, Result};

/// The folder, at the root of the repository, where none is named.
pub const FOLDER: &str = "vendor";

/// Where content lies in the folder.
pub fn path(digest: Digest) -> String {
    format!("sha256-{}", digest.hex())
}

/// Content by its digest; none where it is not there.
///
/// # Errors
///
/// `store/damaged` where the file holds something else.
pub(super) fn read(folder: &dyn Tree, digest: Digest) -> Result<Option<Arc<[u8]>>> {
    let path = path(digest);
    if folder.kind(&path)? != Some(Kind::File) {
        return Ok(None);
    }
    let content = folder.read(&path)?;
    if Digest::of(&content) == digest {
        Ok(Some(content))
    } else {
        Err(Error::new(
            "store/damaged",
            format!(
                "`{}` was changed: it has another digest",
                folder.display(&path)
            ),
        )
        .help("run `fluxwright vendor` to write it anew"))
    }
}
