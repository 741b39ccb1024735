//! Objects as `kustomize build` prints them.

use crate::diag::Result;
use crate::resource::{Gvk, ResId};
use crate::yaml::{Node, emit};

/// The objects as one YAML stream, `---` between them.
///
/// # Errors
///
/// As [`emit::sorted`], with the object named.
pub fn to_yaml(objects: &[Node]) -> Result<String> {
    let mut out = String::new();
    for (i, object) in objects.iter().enumerate() {
        if i > 0 {
            out.push_str("---\n");
        }
        write(object, &mut out)?;
    }
    Ok(out)
}

/// The objects as files of their own: name and content.
///
/// Compat: `writer.go` of kustomize: the namespace stands in a name where the
/// objects are in several.
///
/// # Errors
///
/// As [`to_yaml`].
pub fn file_names(objects: &[Node]) -> Result<Vec<(String, String)>> {
    let namespace_of = |object: &Node| -> Option<String> {
        let id = super::resource::id_of(object, &crate::schema::kustomize::OpenApi::new());
        (!id.is_cluster_scoped).then(|| id.effective_namespace().to_owned())
    };
    let namespaces: Vec<Option<String>> = objects.iter().map(namespace_of).collect();
    let known: std::collections::BTreeSet<&String> = namespaces.iter().flatten().collect();
    let mut files = Vec::with_capacity(objects.len());
    for (object, namespace) in objects.iter().zip(&namespaces) {
        let mut name = file_name(object);
        if let Some(namespace) = namespace.as_ref().filter(|_| known.len() > 1) {
            name = format!("{}_{name}", namespace.to_lowercase());
        }
        let mut content = String::new();
        write(object, &mut content)?;
        files.push((name, content));
    }
    Ok(files)
}

fn file_name(object: &Node) -> String {
    let Gvk {
        group,
        version,
        kind,
    } = Gvk::of(object);
    let name = ResId::of(object).name;
    let parts: Vec<&str> = [&*group, &*version, &*kind]
        .into_iter()
        .filter(|part| !part.is_empty())
        .collect();
    format!("{}_{}.yaml", parts.join("_"), name).to_lowercase()
}

fn write(object: &Node, out: &mut String) -> Result<()> {
    emit::sorted(object, out).map_err(|e| {
        e.at(object.span())
            .object(ResId::of(object).to_object_ref())
    })
}
