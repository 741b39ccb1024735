//! What looking for signatures tells: who verifies finds it, and the rules that
//! it is told by have no function here.

use crate::check::Rule;
use crate::check::rendering::told;
use crate::diag::Severity;

pub(in crate::check) static BAD_SIGNATURE: Rule = told(
    "trust/bad-signature",
    Severity::Error,
    "a signature that does not match what is signed",
    "What was signed is not what is there, or the signature was damaged, made up, \
     or is one of several that programs disagree on.",
    "Do not use it. Ask who signed; fetch it anew; sign again.",
);

pub(in crate::check) static CHAIN: Rule = told(
    "trust/chain",
    Severity::Error,
    "a certificate that no trusted authority vouches for",
    "Without a key, a signature is worth what the authority behind its certificate \
     is worth.",
    "Take the trust root that the authority belongs to, or sign with a certificate \
     of one that you trust.",
);

pub(in crate::check) static DIGEST: Rule = told(
    "trust/digest",
    Severity::Error,
    "a signature of something else",
    "The signature holds, and is of another artifact, archive or commit than the \
     one that is there.",
    "Do not use it: it was changed or exchanged after it was signed.",
);

pub(in crate::check) static EXPIRED: Rule = told(
    "trust/expired",
    Severity::Error,
    "a key or signature whose time has passed",
    "Keys expire so that a lost one cannot sign for ever. It counts now, whenever \
     the signature was made.",
    "Have the key extended and take the new copy, or have it signed again.",
);

pub(in crate::check) static FUTURE: Rule = told(
    "trust/future",
    Severity::Error,
    "a key or signature of a time to come",
    "One of two clocks is wrong, or somebody made up the date.",
    "Set the clocks right, or give the time with `--now`.",
);

pub(in crate::check) static KEY_FILE: Rule = told(
    "trust/key-file",
    Severity::Error,
    "keys that are not there or cannot be read",
    "A signature is asked for, and nobody knows by whom it must be.",
    "Put public keys into the Secret that `secretRef` names, in the repository, or \
     name key files under `keys` in `.fluxwright.yaml`.",
);

pub(in crate::check) static KEY_USAGE: Rule = told(
    "trust/key-usage",
    Severity::Error,
    "a key that may not sign",
    "Its owner made the key for something else, or nothing binds it to its owner.",
    "Sign with a key that may sign, or take a whole copy of it.",
);

pub(in crate::check) static LOCAL_SOURCE: Rule = told(
    "trust/local-source",
    Severity::Info,
    "a source that the user gives",
    "What `--local-sources` gives is taken as it is: neither pinned nor verified.",
    "Lock the source, and leave the option out for what is released.",
);

pub(in crate::check) static LOG: Rule = told(
    "trust/log",
    Severity::Error,
    "a signature that no trusted log recorded",
    "Without a key, the log is what tells when a signature was made, and lets its \
     owner see that it was.",
    "Sign with the log of the trust root, or take the trust root that has the log.",
);

pub(in crate::check) static NAMESPACE: Rule = told(
    "trust/namespace",
    Severity::Error,
    "an SSH signature for another purpose",
    "It was made to sign a file or a message. Taken for a commit, it would be a \
     signature that nobody meant.",
    "Sign with Git.",
);

pub(in crate::check) static REVOKED: Rule = told(
    "trust/revoked",
    Severity::Error,
    "a key that was revoked",
    "Whoever owns it says that it must not count any more, whenever it signed.",
    "Sign again with a key that is in use.",
);

pub(in crate::check) static ROOT: Rule = told(
    "trust/root",
    Severity::Error,
    "a trust root that is not there or cannot be read",
    "Signatures without a key are verified against a trust root, and nothing is \
     fetched.",
    "Name one in `spec.verify.trustedRootSecretRef`, or under `trust.trustedRoot` \
     in `.fluxwright.yaml`.",
);

pub(in crate::check) static SKIPPED: Rule = told(
    "trust/skipped",
    Severity::Warning,
    "a source taken without its signature",
    "It must be signed, and `--insecure-skip-verify` says not to look.",
    "Leave the option out, and give the keys that may sign.",
);

pub(in crate::check) static TIMESTAMP: Rule = told(
    "trust/timestamp",
    Severity::Error,
    "a signature whose time nobody vouches for",
    "A certificate of ten minutes counts only where somebody tells when it was \
     used.",
    "Sign with a log or a timestamp authority of the trust root.",
);

pub(in crate::check) static UNKNOWN_KEY: Rule = told(
    "trust/unknown-key",
    Severity::Error,
    "a signature by a key that is not trusted",
    "It may be a good signature, of somebody who may not sign here.",
    "If that key may sign, add it; else ask for a signature by one that may.",
);

pub(in crate::check) static UNSIGNED: Rule = told(
    "trust/unsigned",
    Severity::Error,
    "a signature is asked for, and there is none",
    "What is not signed may come from anybody who can write to the server.",
    "Sign it, or stop asking for a signature.",
);

pub(in crate::check) static UNSUPPORTED: Rule = told(
    "trust/unsupported",
    Severity::Error,
    "a signature that cannot be verified",
    "What is asked for, or what the signature is made with, is not known here: \
     nothing is proven, so it is refused.",
    "Sign with a kind of key that is supported, or correct `verify`.",
);

pub(in crate::check) static WEAK: Rule = told(
    "trust/weak",
    Severity::Error,
    "a signature that can be forged",
    "Short keys and old digests can be broken.",
    "Sign with SHA-256 or better, by an Ed25519 key or an RSA key of 3072 bits.",
);
