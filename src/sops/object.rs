//! Encrypted Kubernetes objects, as kustomize-controller decrypts them.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::cipher::{DataKey, Opened};
use super::mask::{MaskKey, Masks};
use super::metadata::{self, Flatten, Metadata, Rules};
use super::tree::{self, Documents, Item, Value};
use super::{Format, Keys, check_mac, source, store};
use crate::diag::{Error, Result, Span};
use crate::gostd::strconv;
use crate::yaml::{Data, Entry, MAX_DEPTH, Node, Tag};

/// The annotation that leaves an object as it is.
pub const DECRYPT_ANNOTATION: &str = "kustomize.toolkit.fluxcd.io/decrypt";

/// What became of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is in clear, or its annotation says to leave it.
    Untouched,
    /// Its values are in clear now, and marked.
    Decrypted,
}

/// Decrypts objects and files with the same keys, and hides again what it
/// decrypted: [`Decryptor::mask`].
///
/// It may be shared between threads.
#[derive(Debug, Default)]
pub struct Decryptor {
    keys: Keys,
    /// Data keys by the digest of what they were encrypted to, so that a file
    /// of many objects is opened once; none for what no key opens.
    opened: Mutex<BTreeMap<[u8; 32], Option<DataKey>>>,
    masks: Mutex<Masks>,
}

impl Decryptor {
    /// A decryptor with these keys.
    pub fn new(keys: Keys) -> Decryptor {
        Decryptor {
            keys,
            ..Decryptor::default()
        }
    }

    /// Whether it has any key. Without one, encrypted values are to become
    /// placeholders: [`placeholders`].
    pub fn has_keys(&self) -> bool {
        !self.keys.is_empty()
    }

    /// Decrypts an object in place, as it comes out of a kustomize build: the
    /// whole of it where it has `sops`, else entries of a Secret's `data` that
    /// are encrypted files. Decrypted values keep their places and are marked
    /// as secret.
    ///
    /// The MAC of an object is that of the file it was read from, before
    /// anything was added to it: [`Decryptor::check_file`] checks it there.
    ///
    /// # Errors
    ///
    /// As [`super::decrypt`], with the place of the value or of `sops`.
    pub fn decrypt_object(&self, object: &mut Node) -> Result<Outcome> {
        if is_left_alone(object) {
            return Ok(Outcome::Untouched);
        }
        if is_encrypted(object) {
            let metadata = metadata_of(object)?;
            let key = self
                .data_key(&metadata)
                .map_err(|e| e.at(sops_span(object)))?;
            object.remove("sops");
            let mut opened = Vec::new();
            let mut walk = Walk {
                rules: &metadata.rules,
                key: &key,
                path: Vec::new(),
                opened: &mut opened,
            };
            walk.node(object)?;
            self.remember(&key, &opened);
            return Ok(Outcome::Decrypted);
        }
        let mut outcome = Outcome::Untouched;
        for (name, content) in encrypted_data(object) {
            let input = source::marked_format(&content).unwrap_or(Format::Binary);
            let plain = self
                .decrypt_bytes(&content, input, source::source_format(&name))
                .map_err(|e| e.context(format!("`data.{name}`")))?;
            if let Some(value) = object.get_mut("data").and_then(|d| d.get_mut(&name)) {
                let encoded = STANDARD.encode(&*plain);
                *value = Node::string(encoded, value.span());
                value.mark_secret();
            }
            outcome = Outcome::Decrypted;
        }
        Ok(outcome)
    }

    /// Checks the MAC of an encrypted file as it lies in the repository.
    ///
    /// # Errors
    ///
    /// As [`super::decrypt`].
    pub fn check_file(&self, content: &[u8], format: Format) -> Result<()> {
        self.open(content, format).map(drop)
    }

    fn decrypt_bytes(
        &self,
        content: &[u8],
        input: Format,
        output: Format,
    ) -> Result<Zeroizing<Vec<u8>>> {
        let (documents, key) = self.open(content, input)?;
        self.write(&documents, output, &key)
    }

    /// Writes decrypted documents, and remembers what is in them.
    pub(super) fn write(
        &self,
        documents: &Documents,
        output: Format,
        key: &DataKey,
    ) -> Result<Zeroizing<Vec<u8>>> {
        let mut opened = Vec::new();
        for document in documents {
            // What kind of object it is stands in every message, and is no secret.
            let is_kind = |item: &&Item| matches!(&item.key, tree::Key::Text(key) if matches!(key.as_str(), "apiVersion" | "kind"));
            for item in document.iter().filter(|item| !is_kind(item)) {
                texts(std::slice::from_ref(item), &mut opened);
            }
        }
        let plain = Zeroizing::new(store::write(documents, output)?);
        // A file becomes the value of one entry.
        opened.push(String::from_utf8_lossy(&plain).into());
        self.remember(key, &opened);
        Ok(plain)
    }

    /// Decrypts a file and checks its MAC.
    pub(super) fn open(&self, content: &[u8], format: Format) -> Result<(Documents, DataKey)> {
        let (mut documents, metadata) = store::read(content, format)?;
        let key = self.data_key(&metadata)?;
        let mac = tree::decrypt(&mut documents, &metadata.rules, &key)?;
        check_mac(mac, &metadata, &key)?;
        Ok((documents, key))
    }

    fn data_key(&self, metadata: &Metadata) -> Result<DataKey> {
        let mut digest = Sha256::new();
        for key in metadata.groups.iter().flatten() {
            digest.update((key.encrypted.len() as u64).to_be_bytes());
            digest.update(&key.encrypted);
        }
        digest.update((metadata.groups.len() as u64).to_be_bytes());
        let digest: [u8; 32] = digest.finalize().into();
        let known = lock(&self.opened).get(&digest).cloned();
        match known {
            Some(Some(key)) => return Ok(key),
            // The error is made anew: it names this file's keys.
            Some(None) => return Err(self.keys.missing(metadata, 0)),
            None => {}
        }
        let result = self.keys.data_key(metadata);
        lock(&self.opened).insert(digest, result.as_ref().ok().cloned());
        result
    }

    fn remember(&self, key: &DataKey, values: &[Arc<str>]) {
        lock(&self.masks).add(MaskKey::derive(key), values);
    }

    /// What stands for a secret value in every output that does not show
    /// secrets: a digest that is the same for everybody who can decrypt the
    /// value, and useless to guess it for everybody else.
    ///
    /// Its key is derived from the data key of the file that the value comes
    /// from. For text that a secret is only a part of, it is one of the data
    /// keys that were used.
    pub fn mask(&self, text: &str) -> String {
        lock(&self.masks).mask(text)
    }

    /// Notes texts that were made of secret values, for [`Decryptor::redact`].
    pub fn learn(&self, texts: &[Arc<str>]) {
        lock(&self.masks).learn(texts);
    }

    /// A message without the secret values that may be in it.
    pub fn redact<'t>(&self, text: &'t str) -> Cow<'t, str> {
        lock(&self.masks).redact(text)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether an object is encrypted: it has `sops`, and a `mac` there.
pub fn is_encrypted(object: &Node) -> bool {
    object
        .at_path(&["sops", "mac"])
        .is_some_and(|mac| !mac.is_null_or_empty() && mac.text() != Some(""))
}

/// Whether an object's annotation keeps it from decryption.
pub fn is_left_alone(object: &Node) -> bool {
    object
        .at_path(&["metadata", "annotations", DECRYPT_ANNOTATION])
        .and_then(Node::text)
        .is_some_and(|text| text.eq_ignore_ascii_case("disabled"))
}

/// Replaces the encrypted values of an object, and drops its metadata, where
/// no key is at hand. What was encrypted is told apart: the placeholder of
/// another ciphertext is another.
///
/// Gives whether there were any.
pub fn placeholders(object: &mut Node) -> bool {
    if is_left_alone(object) {
        return false;
    }
    let in_secret = object.str_at("kind") == Some("Secret");
    if is_encrypted(object) {
        object.remove("sops");
        for entry in object.entries_mut().into_iter().flatten() {
            let is_data = in_secret && entry.key.text() == Some("data");
            replace_sealed(&mut entry.value, is_data, 0);
        }
        return true;
    }
    let encrypted = encrypted_data(object);
    for (name, content) in &encrypted {
        if let Some(value) = object.get_mut("data").and_then(|d| d.get_mut(name)) {
            *value = Node::string(STANDARD.encode(placeholder(content)), value.span());
            value.mark_placeholder();
        }
    }
    !encrypted.is_empty()
}

/// Marks the encrypted values of an object, which stays as it is: nobody here may
/// take them for what they stand for.
pub fn mark_sealed(object: &mut Node) {
    if is_left_alone(object) {
        return;
    }
    if is_encrypted(object) {
        mark_sealed_texts(object, 0);
        return;
    }
    for (name, _) in encrypted_data(object) {
        if let Some(value) = object.get_mut("data").and_then(|d| d.get_mut(&name)) {
            value.mark_placeholder();
        }
    }
}

fn mark_sealed_texts(node: &mut Node, depth: usize) {
    if depth > MAX_DEPTH {
        return;
    }
    if node.text().is_some_and(is_sealed) {
        node.mark_placeholder();
    } else if let Some(items) = node.items_mut() {
        for item in items {
            mark_sealed_texts(item, depth + 1);
        }
    } else if let Some(entries) = node.entries_mut() {
        for entry in entries {
            mark_sealed_texts(&mut entry.value, depth + 1);
        }
    }
}

/// Whether a text is a placeholder, or base64 of one.
pub fn is_stand_in(text: &str) -> bool {
    let packed: String = text.split_ascii_whitespace().collect();
    has_placeholder(text.as_bytes())
        || has_placeholder(&STANDARD.decode(packed).unwrap_or_default())
}

/// Marks the values of an object that were made from placeholders: those of
/// [`super::source_placeholders`], after a build. In a Secret's `data` they
/// become base64, as what they stand for would be.
pub fn mark_placeholders(object: &mut Node) {
    let is_secret = object.str_at("kind") == Some("Secret");
    for entry in object.entries_mut().into_iter().flatten() {
        let is_data = is_secret && entry.key.text() == Some("data");
        mark_placeholder(&mut entry.value, is_data, 0);
    }
}

fn mark_placeholder(node: &mut Node, is_base64: bool, depth: usize) {
    if depth > MAX_DEPTH {
        return;
    }
    if let Some(text) = node.shared_text().cloned() {
        let is_bare = has_placeholder(text.as_bytes());
        let unpacked = || {
            let packed: String = text.split_ascii_whitespace().collect();
            STANDARD.decode(packed).unwrap_or_default()
        };
        if is_bare && is_base64 {
            *node = Node::string(STANDARD.encode(&*text), node.span());
        }
        if is_bare || is_base64 && has_placeholder(&unpacked()) {
            node.mark_placeholder();
        }
    } else if let Some(items) = node.items_mut() {
        for item in items {
            mark_placeholder(item, is_base64, depth + 1);
        }
    } else if let Some(entries) = node.entries_mut() {
        for entry in entries {
            mark_placeholder(&mut entry.value, is_base64, depth + 1);
        }
    }
}

/// What placeholders begin with; digits of a digest follow.
const PLACEHOLDER: &str = "encrypted-";

/// What stands for a value that cannot be decrypted.
pub(super) fn placeholder(sealed: &[u8]) -> String {
    let digest = hex::encode(Sha256::digest(sealed));
    format!("{PLACEHOLDER}{}", digest.get(..16).unwrap_or_default())
}

fn has_placeholder(text: &[u8]) -> bool {
    memchr::memmem::find_iter(text, PLACEHOLDER).any(|at| {
        let digits = text.get(at + PLACEHOLDER.len()..).unwrap_or_default();
        digits
            .get(..16)
            .is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    })
}

fn is_sealed(text: &str) -> bool {
    text.starts_with("ENC[AES256_GCM,") && text.ends_with(']')
}

fn replace_sealed(node: &mut Node, is_base64: bool, depth: usize) {
    if depth > MAX_DEPTH {
        return;
    }
    if let Some(text) = node.text() {
        if is_sealed(text) {
            let text = placeholder(text.as_bytes());
            let text = if is_base64 {
                STANDARD.encode(text)
            } else {
                text
            };
            *node = Node::string(text, node.span());
            node.mark_placeholder();
        }
    } else if let Some(items) = node.items_mut() {
        for item in items {
            replace_sealed(item, is_base64, depth + 1);
        }
    } else if let Some(entries) = node.entries_mut() {
        for entry in entries {
            replace_sealed(&mut entry.value, is_base64, depth + 1);
        }
    }
}

/// The entries of a Secret's `data` that are encrypted files.
///
/// Compat: what is not base64 is left to whoever reads the Secret.
fn encrypted_data(object: &Node) -> Vec<(String, Vec<u8>)> {
    let is_secret = object.str_at("kind") == Some("Secret");
    let data = object.get("data").filter(|_| is_secret);
    let entries = data.map(Node::entries).unwrap_or_default();
    entries
        .iter()
        .filter_map(|entry| {
            let text: String = entry.value.text()?.split(['\r', '\n']).collect();
            let content = STANDARD.decode(text).ok()?;
            source::marked_format(&content)?;
            Some((entry.key.text()?.to_owned(), content))
        })
        .collect()
}

/// The metadata of an object.
fn metadata_of(object: &Node) -> Result<Metadata> {
    let value = object
        .get("sops")
        .map_or(Value::Null, |sops| plain(sops, 0));
    let mut documents = vec![vec![Item::new("sops", value)]];
    metadata::extract(&mut documents, Flatten::None, false).map_err(|e| e.at(sops_span(object)))
}

fn sops_span(object: &Node) -> Span {
    object
        .entry("sops")
        .map_or(object.span(), |entry| entry.key.span())
}

/// A node as a value, comments left out.
fn plain(node: &Node, depth: usize) -> Value {
    if depth > MAX_DEPTH {
        return Value::Null;
    }
    match node.data() {
        Data::Mapping(entries) => Value::Map(
            entries
                .iter()
                .map(|e| Item::new(e.key.text().unwrap_or_default(), plain(&e.value, depth + 1)))
                .collect(),
        ),
        Data::Sequence(items) => Value::List(items.iter().map(|n| plain(n, depth + 1)).collect()),
        Data::Alias(alias) => plain(&alias.1, depth + 1),
        Data::Scalar(text) => match node.tag() {
            Tag::Null => Value::Null,
            Tag::Bool => Value::Bool(node.as_bool() == Some(true)),
            Tag::Int => strconv::parse_int(text, 0, 64).map_or(Value::Null, Value::Int),
            _ => Value::Text(text.as_bytes().to_vec()),
        },
    }
}

/// The texts among values.
fn texts(items: &[Item], found: &mut Vec<Arc<str>>) {
    fn collect(value: &Value, found: &mut Vec<Arc<str>>) {
        match value {
            Value::Map(items) => texts(items, found),
            Value::List(values) => values.iter().for_each(|v| collect(v, found)),
            leaf => found.push(String::from_utf8_lossy(&tree::plain_text(leaf)).into()),
        }
    }
    for item in items {
        collect(&item.value, found);
    }
}

/// Decrypts the nodes of an object.
struct Walk<'a> {
    rules: &'a Rules,
    key: &'a DataKey,
    path: Vec<String>,
    opened: &'a mut Vec<Arc<str>>,
}

impl Walk<'_> {
    fn node(&mut self, node: &mut Node) -> Result<()> {
        if self.path.len() > MAX_DEPTH {
            return Err(Error::new("sops/tampered", "it nests too deep").at(node.span()));
        }
        if node.is_alias() {
            *node = node.target().clone();
        }
        if let Some(entries) = node.entries_mut() {
            for Entry { key, value } in entries {
                self.path.push(key.text().unwrap_or_default().to_owned());
                self.node(value)?;
                self.path.pop();
            }
            return Ok(());
        }
        if let Some(items) = node.items_mut() {
            let mut kept = Vec::with_capacity(items.len());
            for mut item in std::mem::take(items) {
                let is_leaf = item.is_scalar();
                if is_leaf {
                    if let Some(item) = self.leaf(item)? {
                        kept.push(item);
                    }
                } else {
                    self.node(&mut item)?;
                    kept.push(item);
                }
            }
            *items = kept;
            return Ok(());
        }
        let place = node.span();
        let leaf = std::mem::replace(node, Node::null(place));
        *node = self.leaf(leaf)?.ok_or_else(|| {
            Error::new("sops/tampered", "a comment stands where a value is").at(place)
        })?;
        Ok(())
    }

    /// A scalar, decrypted; none for a comment among the items of a list.
    fn leaf(&mut self, node: Node) -> Result<Option<Node>> {
        if node.is_null() || !self.rules.is_encrypted(&self.path, &[], false) {
            return Ok(Some(node));
        }
        let span = node.span();
        let tampered = |why: &str| {
            Error::new(
                "sops/tampered",
                format!("`{}`: cannot decrypt the value: {why}", self.path.join(".")),
            )
            .at(span)
            .help("it was added, changed or moved without sops: make the change with `sops set`, or outside the encrypted fields")
        };
        let sealed = node
            .as_str()
            .ok_or_else(|| tampered("it should be encrypted text and is not"))?;
        if sealed.is_empty() {
            return Ok(Some(node));
        }
        let bound_to = format!("{}:", self.path.join(":"));
        let value = match self.key.open(sealed.as_bytes(), &bound_to) {
            Ok(Opened::Value(value)) => value,
            Ok(Opened::Comment(_)) => return Ok(None),
            Err(fault) => return Err(tampered(fault.describe())),
        };
        let mut node = match value {
            Value::Int(i) => Node::int(i, span),
            Value::Bool(b) => Node::bool(b, span),
            Value::Float(f) => Node::scalar(strconv::format_json_float(f), Tag::Float, span),
            Value::Time(time) => Node::string(time.rfc3339_nano(), span),
            Value::Bytes(bytes) => Node::string(STANDARD.encode(bytes), span),
            other => Node::string(String::from_utf8_lossy(&tree::plain_text(&other)), span),
        };
        node.mark_secret();
        if let Some(text) = node.shared_text() {
            self.opened.push(text.clone());
        }
        Ok(Some(node))
    }
}

#[cfg(test)]
mod tests {
    use super::super::cipher::tests::seal;
    use super::*;
    use crate::yaml;
    use age::secrecy::ExposeSecret as _;

    const DATA_KEY: [u8; 32] = [3; 32];

    /// An identity, and the data key encrypted for it.
    fn age_key() -> (String, String) {
        let identity = age::x25519::Identity::generate();
        let sealed = age::encrypt_and_armor(&identity.to_public(), &DATA_KEY).unwrap();
        (identity.to_string().expose_secret().to_owned(), sealed)
    }

    fn decryptor(identity: &str) -> Decryptor {
        let mut keys = Keys::default();
        keys.add_age("test", identity.as_bytes()).unwrap();
        Decryptor::new(keys)
    }

    /// A manifest whose `data` and `spec` are encrypted.
    fn manifest(body: &str, sealed: &str) -> Node {
        let indented = format!(
            "        {}\n",
            sealed.trim_end().replace('\n', "\n        ")
        );
        let text = format!(
            "{body}sops:\n  lastmodified: \"2026-01-01T00:00:00Z\"\n  mac: ENC[x]\n  \
             encrypted_regex: ^(data|spec)$\n  age:\n  - recipient: age1x\n    enc: |\n{indented}"
        );
        yaml::parse(&text, Span::NONE.file).unwrap().remove(0).root
    }

    fn sealed(plain: &str, kind: &str, place: &str) -> String {
        seal(&DATA_KEY, plain.as_bytes(), kind, place)
    }

    #[test]
    fn values_are_decrypted_in_place_and_marked() {
        let (identity, enc) = age_key();
        let body = format!(
            "kind: Widget\nspec:\n  password: {}\n  count: {}\n  list:\n  - {}\n  - {}\n  empty: \"\"\n",
            sealed("p4ss", "str", "spec:password:"),
            sealed("7", "int", "spec:count:"),
            sealed("a", "str", "spec:list:"),
            sealed(" a comment", "comment", "spec:list:"),
        );
        let mut object = manifest(&body, &enc);
        let decryptor = decryptor(&identity);
        assert_eq!(
            decryptor.decrypt_object(&mut object).unwrap(),
            Outcome::Decrypted
        );
        let spec = object.get("spec").unwrap();
        let password = spec.get("password").unwrap();
        assert_eq!(password.as_str(), Some("p4ss"));
        assert!(password.is_secret());
        assert_eq!(password.span().line, 3);
        let count = spec.get("count").unwrap();
        assert_eq!(
            (count.text(), count.tag(), count.is_secret()),
            (Some("7"), Tag::Int, true)
        );
        assert_eq!(spec.get("list").unwrap().items().len(), 1);
        assert!(!spec.get("empty").unwrap().is_secret());
        assert!(!object.get("kind").unwrap().is_secret());
        assert!(object.get("sops").is_none());
        assert!(decryptor.mask("p4ss").starts_with("secret-"));
    }

    #[test]
    fn what_does_not_belong_there_is_refused_at_its_place() {
        let (identity, enc) = age_key();
        for value in [
            "in clear".to_owned(),
            "5".to_owned(),
            sealed("p4ss", "str", "spec:other:"),
        ] {
            let mut object = manifest(&format!("kind: W\nspec:\n  password: {value}\n"), &enc);
            let error = decryptor(&identity)
                .decrypt_object(&mut object)
                .unwrap_err();
            assert_eq!(error.rule(), "sops/tampered");
            assert_eq!((error.span().line, error.span().column), (3, 13));
            assert!(error.help_text().is_some());
            assert!(!error.to_string().contains("p4ss"));
        }
    }

    #[test]
    fn without_the_key_the_error_names_it_and_placeholders_are_stable() {
        let (_, enc) = age_key();
        let (other, _) = age_key();
        let body = format!(
            "kind: Secret\ndata:\n  a: {}\n  b: {}\n",
            sealed("x", "str", "data:a:"),
            sealed("y", "str", "data:b:")
        );
        let mut object = manifest(&body, &enc);
        let mut again = object.clone();
        let decryptor = decryptor(&other);
        for _ in 0..2 {
            let error = decryptor.decrypt_object(&mut object).unwrap_err();
            assert_eq!(error.rule(), "sops/key");
            assert_eq!(
                error.message(),
                "none of the keys given decrypts it; it is encrypted for age `age1x`"
            );
            assert_eq!(error.span().line, 5);
        }
        assert!(placeholders(&mut object) && placeholders(&mut again));
        let text = |o: &Node, k: &str| o.at_path(&["data", k]).unwrap().text().unwrap().to_owned();
        assert_eq!(text(&object, "a"), text(&again, "a"));
        assert_ne!(text(&object, "a"), text(&object, "b"));
        let plain = STANDARD.decode(text(&object, "a")).unwrap();
        assert!(plain.starts_with(b"encrypted-"));
        assert!(object.get("sops").is_none());
        assert!(!placeholders(&mut object));
    }

    #[test]
    fn the_annotation_leaves_an_object_alone() {
        let (identity, enc) = age_key();
        let body = format!(
            "kind: W\nmetadata:\n  annotations:\n    {DECRYPT_ANNOTATION}: Disabled\nspec:\n  a: {}\n",
            sealed("x", "str", "spec:a:")
        );
        let mut object = manifest(&body, &enc);
        let outcome = decryptor(&identity).decrypt_object(&mut object).unwrap();
        assert_eq!(outcome, Outcome::Untouched);
        assert!(is_encrypted(&object) && !placeholders(&mut object));
    }

    #[test]
    fn a_service_that_needs_the_network_is_named() {
        let text = "kind: W\nsops:\n  lastmodified: \"2026-01-01T00:00:00Z\"\n  mac: ENC[x]\n  kms:\n  - arn: arn:aws:kms:x\n    created_at: \"2026-01-01T00:00:00Z\"\n    enc: AQ\n";
        let mut object = yaml::parse(text, Span::NONE.file).unwrap().remove(0).root;
        let error = Decryptor::default()
            .decrypt_object(&mut object)
            .unwrap_err();
        assert_eq!(error.rule(), "sops/key");
        assert!(error.message().contains("AWS KMS `arn:aws:kms:x`"));
        assert!(error.help_text().unwrap().contains("needs the network"));
    }
}
