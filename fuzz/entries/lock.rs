//! What the fuzz target for lockfiles runs, and ordinary tests replay.

use fluxwright::artifact::pack;
use fluxwright::diag::FileId;
use fluxwright::lock::Lockfile;

/// What is read as a lockfile or a packed tree is written as what reads the
/// same.
pub(crate) fn round_trip(data: &[u8]) {
    if let Ok(tree) = pack::unpack(data, "") {
        let packed = pack::pack(&tree).expect("it was packed before");
        let back = pack::unpack(&packed, "").expect("what was packed is unpacked");
        assert!(tree.files().eq(back.files()));
    }
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    if let Ok(lockfile) = Lockfile::parse(text, FileId::default()) {
        let written = lockfile.to_text();
        let again = Lockfile::parse(&written, FileId::default()).expect("what was written is read");
        assert_eq!(again, lockfile);
        assert_eq!(again.to_text(), written);
    }
}
