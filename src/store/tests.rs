//! What a store keeps, refuses and gives up.

use std::time::{Duration, SystemTime};

use super::*;

fn store() -> (tempfile::TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::new(folder.path().join("not/there/yet"));
    (folder, store)
}

fn age(store: &Store, digest: Digest, by: Duration) {
    let file = File::open(store.path(digest)).unwrap();
    file.set_modified(SystemTime::now() - by).unwrap();
}

#[test]
fn content_comes_back_under_its_digest() {
    let (_folder, store) = store();
    assert_eq!(store.list().unwrap(), []);
    let digest = store.put(b"content").unwrap();
    assert_eq!(digest, Digest::of(b"content"));
    assert!(store.holds(digest));
    assert_eq!(&*store.read(digest).unwrap(), b"content");
    assert_eq!(store.put(b"content").unwrap(), digest);
    let entries = store.list().unwrap();
    assert_eq!(entries.len(), 1);
    assert_eq!((entries[0].digest, entries[0].size_bytes), (digest, 7));
    let error = store.read(Digest::of(b"other")).unwrap_err();
    assert_eq!(error.rule(), "store/missing");
    assert!(error.help_text().unwrap().contains("fluxwright fetch"));
}

#[test]
fn a_changed_byte_is_an_error_that_names_the_entry() {
    let (_folder, store) = store();
    let good = store.put(b"good").unwrap();
    let digest = store.put(b"content").unwrap();
    fs::write(store.path(digest), b"contenT").unwrap();
    let error = store.read(digest).unwrap_err();
    assert_eq!(error.rule(), "store/damaged");
    assert!(error.message().contains(&digest.to_string()));
    let path = store.path(digest).display().to_string();
    assert!(error.help_text().unwrap().contains(&path));
    let damaged = store.verify().unwrap();
    assert_eq!(damaged.len(), 1);
    assert!(store.read(good).is_ok());
    // Fetching again repairs it.
    store.put(b"content").unwrap();
    assert!(store.verify().unwrap().is_empty());
}

#[test]
fn what_differs_from_the_lock_leaves_nothing() {
    let (_folder, store) = store();
    let mut incoming = store.incoming().unwrap();
    incoming.write_all(b"something else").unwrap();
    let error = incoming.finish(Some(Digest::of(b"content"))).unwrap_err();
    assert_eq!(error.rule(), "store/digest");
    assert!(error.help_text().unwrap().contains("lock --update"));
    let unfinished = store.incoming().unwrap();
    drop(unfinished);
    assert_eq!(store.list().unwrap(), []);
    assert_eq!(store.names(&store.root.join("incoming")).unwrap().len(), 0);
}

#[test]
fn many_writers_and_readers_share_a_store() {
    let (_folder, store) = store();
    let content = vec![7u8; 200_000];
    let digest = Digest::of(&content);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..10 {
                    if let Ok(read) = store.read(digest) {
                        assert_eq!(&*read, content.as_slice());
                    }
                    store.put(&content).unwrap();
                    let _ = store.prune(&Keep {
                        total_bytes: Some(0),
                        ..Keep::default()
                    });
                }
            });
        }
    });
    store.put(&content).unwrap();
    assert!(store.verify().unwrap().is_empty());
}

#[test]
fn pruning_keeps_what_was_used_last() {
    let (_folder, store) = store();
    let day = Duration::from_hours(24);
    let digests: Vec<Digest> = (0..4u8).map(|i| store.put(&[i; 100]).unwrap()).collect();
    for (days, digest) in digests.iter().enumerate() {
        age(&store, *digest, day * u32::try_from(days).unwrap());
    }
    store.renders().put(Digest::of(b"key"), b"result");
    let pruned = store
        .prune(&Keep {
            used_within: Some(day * 5 / 2),
            ..Keep::default()
        })
        .unwrap();
    assert_eq!(
        pruned,
        Pruned {
            count: 1,
            size_bytes: 100
        }
    );
    // Reading is using.
    store.read(digests[2]).unwrap();
    let pruned = store
        .prune(&Keep {
            total_bytes: Some(300),
            ..Keep::default()
        })
        .unwrap();
    assert_eq!(pruned.count, 1);
    let left: Vec<bool> = digests.iter().map(|d| store.holds(*d)).collect();
    assert_eq!(left, [true, false, true, false]);
    assert!(store.renders().get(Digest::of(b"key")).is_some());
}

#[test]
fn what_dead_processes_left_is_pruned_in_time() {
    let (_folder, store) = store();
    let folder = store.root().join("incoming");
    fs::create_dir_all(&folder).unwrap();
    for (name, days) in [("old", 2u32), ("new", 0)] {
        let file = File::create(folder.join(name)).unwrap();
        let time = SystemTime::now() - Duration::from_hours(24) * days;
        file.set_modified(time).unwrap();
    }
    store.prune(&Keep::default()).unwrap();
    assert!(!folder.join("old").exists());
    assert!(folder.join("new").exists());
}

#[test]
fn a_store_that_cannot_be_written_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let error = Store::new(&file).put(b"x").unwrap_err();
    assert_eq!(error.rule(), "store/unwritable");
    assert!(error.help_text().unwrap().contains("--store"));
}

#[test]
fn damaged_results_are_none() {
    let (_folder, store) = store();
    let renders = store.renders();
    let key = Digest::of(b"key");
    let get = || renders.get(key).and_then(|result| result.bytes());
    assert_eq!(get(), None);
    renders.put(key, b"result");
    assert_eq!(get().as_deref(), Some(b"result".as_slice()));
    let rendered = renders.get(key).unwrap();
    let mut pieces = Vec::new();
    let take = |piece: &[u8]| {
        pieces.push(piece.to_vec());
        Ok(())
    };
    rendered.each_piece(&(2..5), take).unwrap();
    assert_eq!(pieces, [b"sul"]);
    assert!(rendered.each_piece(&(2..7), |_| Ok(())).is_err());
    let path = renders.path(key);
    let whole = fs::read(&path).unwrap();
    for spoilt in [&whole[..whole.len() - 1], &whole[..10], &whole[1..], b""] {
        fs::write(&path, spoilt).unwrap();
        assert_eq!(get(), None);
    }
    // Nor is what belongs to another key.
    let other = Digest::of(b"another key");
    renders.put(other, b"something else");
    fs::copy(renders.path(other), &path).unwrap();
    assert_eq!(get(), None);
    assert_eq!(store.verify().unwrap().len(), 1);
    renders.put(key, b"");
    assert_eq!(get().as_deref(), Some(b"".as_slice()));
}
