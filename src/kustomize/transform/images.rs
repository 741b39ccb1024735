//! New names, tags and digests for images.
//!
//! Compat: `filters/imagetag`, `internal/image` of kustomize.

use std::sync::Arc;

use super::Transform;
use crate::diag::{Result, Span};
use crate::gostd::regexp::Regexp;
use crate::kustomize::build::Context;
use crate::kustomize::config::Specs;
use crate::kustomize::fields::{self, As, Kind};
use crate::kustomize::fieldspec;
use crate::kustomize::file::Image;
use crate::kustomize::links::Links;
use crate::kustomize::pattern;
use crate::kustomize::resmap::ResMap;
use crate::yaml::Node;

/// Changes images of one name.
pub(in crate::kustomize) struct Images {
    image: Image,
    name: Name,
    fields: Specs,
}

/// The name of an image: a pattern, which is a plain name nearly always.
enum Name {
    Simple(Arc<str>),
    Regexp(Box<Regexp>),
}

impl Images {
    /// # Errors
    ///
    /// `kustomize/pattern` for a name that is no regular expression, on which
    /// kustomize crashes.
    pub(in crate::kustomize) fn new(image: &Image, fields: Specs) -> Result<Images> {
        let text = &image.name.text;
        let name = if pattern::is_simple(text) {
            Name::Simple(text.clone())
        } else {
            let rest = "(:[a-zA-Z0-9_.{}-]*)?(@sha256:[a-zA-Z0-9_.{}-]*)?";
            let regexp = Regexp::new(&format!("^{text}{rest}$"))
                .map_err(|e| pattern::bad_pattern(text, &e.to_string(), image.name.span))?;
            Name::Regexp(Box::new(regexp))
        };
        Ok(Images {
            image: image.clone(),
            name,
            fields,
        })
    }

    fn is_meant(&self, image: &str) -> bool {
        match &self.name {
            Name::Regexp(regexp) => regexp.is_match(image),
            Name::Simple(name) => {
                pattern::simple_prefix(name, image).is_some_and(is_tag_and_digest)
            }
        }
    }

    fn set(&self, node: &mut Node, links: &mut Links) -> Result<()> {
        fields::expect(node, Kind::Scalar)?;
        let image = node.text().unwrap_or_default();
        if !self.is_meant(image) {
            return Ok(());
        }
        let (new, span) = self.changed(image);
        // What is not changed keeps its own place.
        let span = if new == image { node.span() } else { span };
        fields::set_text(node, new, As::Written, span, links)
    }

    /// The image as it is to be, and the place that says so.
    fn changed(&self, image: &str) -> (String, Span) {
        let Image {
            new_name,
            new_tag,
            digest: new_digest,
            tag_suffix,
            ..
        } = &self.image;
        let (name, tag, digest) = split(image);
        let mut span = self.image.span;
        let mut tag = tag.to_owned();
        let mut digest = digest;
        if !new_tag.is_empty() {
            span = new_tag.span;
            tag = new_tag.to_string();
            digest = new_digest;
        } else if !new_digest.is_empty() {
            span = new_digest.span;
            tag.clear();
            digest = new_digest;
        } else if !tag_suffix.is_empty() {
            span = tag_suffix.span;
            tag.push_str(tag_suffix);
            digest = "";
        } else if !new_name.is_empty() {
            span = new_name.span;
        }
        let mut out = if new_name.is_empty() {
            name.to_owned()
        } else {
            new_name.to_string()
        };
        if !tag.is_empty() {
            out.push(':');
            out.push_str(&tag);
        }
        if !digest.is_empty() {
            out.push('@');
            out.push_str(digest);
        }
        (out, span)
    }

    /// Goes to `image` in every list named `containers` or `initContainers`, at
    /// any depth.
    fn walk_containers(&self, node: &mut Node, links: &mut Links) -> Result<()> {
        if !has_containers(node) {
            return Ok(());
        }
        for item in node.items_mut().into_iter().flatten() {
            self.walk_containers(item, links)?;
        }
        for entry in node.entries_mut().into_iter().flatten() {
            self.walk_containers(&mut entry.value, links)?;
            let is_containers = matches!(entry.key.text(), Some("containers" | "initContainers"));
            if !is_containers || !entry.value.is_sequence() {
                continue;
            }
            for container in entry.value.items_mut().into_iter().flatten() {
                fields::expect(container, Kind::Mapping)?;
                if let Some(image) = container.get_mut("image") {
                    self.set(image, links)?;
                }
            }
        }
        Ok(())
    }
}

/// Whether a list of containers is anywhere in a node.
fn has_containers(node: &Node) -> bool {
    node.items().iter().any(has_containers)
        || node.entries().iter().any(|entry| {
            (matches!(entry.key.text(), Some("containers" | "initContainers"))
                && entry.value.is_sequence())
                || has_containers(&entry.value)
        })
}

/// Whether this is what may follow on an image's name.
fn is_tag_and_digest(text: &str) -> bool {
    let is_part =
        |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'{' | b'}' | b'-');
    let rest = match text.strip_prefix(':') {
        Some(tag) => tag.trim_start_matches(|c: char| u8::try_from(c).is_ok_and(is_part)),
        None => text,
    };
    rest.is_empty()
        || rest
            .strip_prefix("@sha256:")
            .is_some_and(|digest| digest.bytes().all(is_part))
}

/// Name, tag and digest of an image.
fn split(image: &str) -> (&str, &str, &str) {
    // A colon before the first slash is that of a port.
    let start = image.find('/').unwrap_or(0);
    let find = |c| image[start..].find(c).map(|i| i + start);
    match (find(':'), find('@')) {
        (None, None) => (image, "", ""),
        (Some(colon), Some(at)) if colon < at => {
            (&image[..colon], &image[colon + 1..at], &image[at + 1..])
        }
        (_, Some(at)) => (&image[..at], "", &image[at + 1..]),
        (Some(colon), None) => (&image[..colon], &image[colon + 1..], ""),
    }
}

impl Transform for Images {
    fn transform(&self, map: &mut ResMap, _: &mut Context<'_>) -> Result<()> {
        for resource in map.iter_mut() {
            if resource.kind() == "CustomResourceDefinition" {
                continue;
            }
            resource.edit(|node, links| {
                self.walk_containers(node, links)?;
                for spec in self.fields.iter() {
                    fieldspec::apply(node, spec, None, links, &mut |n, l| self.set(n, l))?;
                }
                Ok(())
            })?;
        }
        map.drop_empties();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kustomize::file::Text;

    #[test]
    fn parts_of_an_image() {
        assert_eq!(split("nginx"), ("nginx", "", ""));
        assert_eq!(split("a.b:443/nginx:1"), ("a.b:443/nginx", "1", ""));
        assert_eq!(split("nginx:1@sha256:x"), ("nginx", "1", "sha256:x"));
        assert_eq!(split("nginx@sha256:x"), ("nginx", "", "sha256:x"));
    }

    fn images(name: &str, new_name: &str, tag: &str, digest: &str, suffix: &str) -> Images {
        let text = |t: &str| Text::new(t, Span::NONE);
        let image = Image {
            name: text(name),
            new_name: text(new_name),
            new_tag: text(tag),
            digest: text(digest),
            tag_suffix: text(suffix),
            span: Span::NONE,
        };
        Images::new(&image, Vec::new().into()).unwrap()
    }

    #[test]
    fn names_are_patterns() {
        let meant = |name: &str, image: &str| images(name, "", "", "", "").is_meant(image);
        assert!(meant("nginx", "nginx") && meant("nginx", "nginx:1.2@sha256:ab"));
        assert!(!meant("nginx", "nginx2") && !meant("nginx", "x/nginx"));
        assert!(meant("a.b/c", "axb/c:1"));
        assert!(meant(".*/nginx", "x/y/nginx:1"));
        assert!(meant("nginx", "nginx:{tag}") && !meant("nginx", "nginx@sha512:1"));
    }

    #[test]
    fn what_is_changed() {
        let changed = |i: &Images, image: &str| i.changed(image).0;
        assert_eq!(changed(&images("a", "b", "", "", ""), "a:1"), "b:1");
        assert_eq!(
            changed(&images("a", "", "2", "", ""), "a:1@sha256:x"),
            "a:2"
        );
        assert_eq!(
            changed(&images("a", "", "2", "sha256:y", ""), "a"),
            "a:2@sha256:y"
        );
        assert_eq!(
            changed(&images("a", "", "", "sha256:y", ""), "a:1"),
            "a@sha256:y"
        );
        assert_eq!(
            changed(&images("a", "", "", "", "-x"), "a:1@sha256:z"),
            "a:1-x"
        );
    }
}
