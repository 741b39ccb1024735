//! A service account bound to one of a cloud provider.
//!
//! Compat: `filters/iampolicygenerator` of kustomize.

use crate::diag::{Error, Result, Span};
use crate::kustomize::fields;
use crate::kustomize::file::Text;
use crate::kustomize::file::read::{Mode, Object};
use crate::kustomize::resource::Resource;
use crate::yaml::Node;

/// Which service account is bound to which.
#[derive(Clone, Debug, Default)]
pub(in crate::kustomize) struct IamPolicy {
    cloud: Text,
    name: Text,
    namespace: Text,
    account: Text,
    project: Text,
    pub(super) span: Span,
}

impl IamPolicy {
    /// Reads the configuration.
    pub(in crate::kustomize) fn read(node: &Node) -> Result<IamPolicy> {
        let mut object = Object::of(node, "IAMPolicyGenerator", Mode::Lenient)?;
        let pair = |names: [&'static str; 2]| {
            move |node: &Node| -> Result<[Text; 2]> {
                let mut object = Object::of(node, "account", Mode::Lenient)?;
                Ok([object.text(names[0])?, object.text(names[1])?])
            }
        };
        let [name, namespace] = object
            .object("kubernetesService", pair(["name", "namespace"]))?
            .unwrap_or_default();
        let [account, project] = object
            .object("serviceAccount", pair(["name", "projectId"]))?
            .unwrap_or_default();
        Ok(IamPolicy {
            cloud: object.text("cloud")?,
            name,
            namespace,
            account,
            project,
            span: object.span(),
        })
    }

    pub(super) fn generate(&self) -> Result<Resource> {
        if &*self.cloud != "gke" {
            return Err(Error::new(
                "kustomize/generator",
                format!("there is no IAM policy for the cloud `{}`", self.cloud),
            )
            .at(self.cloud.span.or(self.span))
            .help("write `cloud: gke`, the only one that kustomize knows"));
        }
        // Compat: kustomize writes YAML text and reads it.
        let written = |text: &Text| fields::untagged(text.text.clone(), text.span.or(self.span));
        let address = format!("{}@{}.iam.gserviceaccount.com", self.account, self.project);
        let mut annotations = Node::mapping(Vec::new(), self.span);
        annotations.set(
            "iam.gke.io/gcp-service-account",
            Node::string(address, self.account.span.or(self.span)),
        );
        let mut metadata = Node::mapping(Vec::new(), self.span);
        metadata.set("annotations", annotations);
        metadata.set("name", written(&self.name));
        if !self.namespace.is_empty() {
            metadata.set("namespace", written(&self.namespace));
        }
        let mut node = Node::mapping(Vec::new(), self.span);
        node.set("apiVersion", Node::string("v1", self.span));
        node.set("kind", Node::string("ServiceAccount", self.span));
        node.set("metadata", metadata);
        Ok(Resource::new(node))
    }
}
