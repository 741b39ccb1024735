//! How far a build is, for whoever shows it.

use std::fmt::Debug;

/// Is told of a build's steps, from any thread. It cannot change what is built.
pub trait Progress: Debug + Send + Sync {
    /// So many more Kustomizations and HelmReleases are to be rendered.
    fn found(&self, count: usize);

    /// One of them was rendered, or failed.
    fn done(&self);
}
