//! Rendering again with other results for some calls, to see where they land.
//!
//! In: what the templates wrote that asked for random values. Out: the objects
//! that differ when some calls give something else.
//!
//! Only the templates that make the calls are rendered, and those that change
//! what others see; where one does both, the whole release is.

use std::cell::OnceCell;
use std::collections::BTreeSet;
use std::sync::Arc;

use super::dependencies::Instance;
use super::execute::Prepared;
use super::manifest::{Manifest, Output, Sorted};
use super::random;
use super::render::Rendering;
use crate::gotmpl::{Disturbance, Limits, RandomCall, Site, World};

/// The places of calls.
pub(super) type Sites = BTreeSet<Site>;

/// How much of the limits all renderings again may take together.
const SHARE: u64 = 32;

/// What templates wrote with random values, and how to write it again.
pub(super) struct Trials<'t, 'r> {
    rendering: &'t Rendering<'r>,
    instance: &'t Instance,
    prepared: &'t Prepared,
    /// What was written by templates that asked for such values, or changed what
    /// others see, in the order in which it was.
    outputs: Vec<Output>,
    /// All objects with cheap keys and hashes.
    whole: OnceCell<Option<Sorted>>,
}

impl<'t, 'r> Trials<'t, 'r> {
    /// Of `outputs`, those that ask for random values, or change what others see.
    pub(super) fn new(
        rendering: &'t Rendering<'r>,
        instance: &'t Instance,
        prepared: &'t Prepared,
        outputs: Vec<Output>,
    ) -> Trials<'t, 'r> {
        Trials {
            rendering,
            instance,
            prepared,
            outputs,
            whole: OnceCell::new(),
        }
    }

    /// The objects and the fields in them that differ when the calls at these
    /// places give something else; none where that cannot be seen.
    pub(super) fn landings(&self, sites: &Sites) -> Option<Vec<(Manifest, Vec<String>)>> {
        let is_meant = |call: &RandomCall| sites.contains(&call.site());
        let asks = |output: &Output| output.random.iter().any(is_meant);
        if self.outputs.iter().any(|o| o.leaves_changes && asks(o)) {
            // Any template may show it.
            let before = self
                .whole
                .get_or_init(|| self.all(&Sites::new()))
                .as_ref()?;
            return random::differences(before, &self.all(sites)?);
        }
        let needed = self.outputs.iter().filter(|o| o.leaves_changes || asks(o));
        let needed: Vec<&Output> = needed.collect();
        let is_cheapened = needed.iter().any(|o| o.random.iter().any(is_cheapened));
        let plain = is_cheapened.then(|| self.some(&needed, &Sites::new()));
        let other = self.some(&needed, sites)?;
        let plain = match plain {
            Some(plain) => plain?,
            None => needed.iter().map(|output| (*output).clone()).collect(),
        };
        let (mut before, mut after) = (Vec::new(), Vec::new());
        for (plain, other) in plain.into_iter().zip(other) {
            if plain.text != other.text && !plain.path.ends_with("NOTES.txt") {
                before.push(plain);
                after.push(other);
            }
        }
        let sort = |outputs| self.rendering.sort(outputs, true).ok();
        random::differences(&sort(before)?, &sort(after)?)
    }

    /// Writes some of the outputs again, in their order.
    fn some(&self, outputs: &[&Output], sites: &Sites) -> Option<Vec<Output>> {
        let limits = self.limits(outputs.len() as u64);
        let fresh;
        let prepared = if outputs.iter().any(|output| output.leaves_changes) {
            // They begin with what was there at the beginning.
            fresh = self.afresh()?;
            &fresh
        } else {
            self.prepared
        };
        let again = outputs.iter().map(|output| {
            let (index, counts) = (output.template, output.counts.clone());
            let world = self.world(sites);
            (self.rendering).execute_one(prepared, index, counts, limits, world)
        });
        again.collect()
    }

    fn afresh(&self) -> Option<Prepared> {
        let (instance, values, _) = self.rendering.coalesce().ok()?;
        self.rendering.prepare(&instance, &values).ok()
    }

    /// The whole release.
    fn all(&self, sites: &Sites) -> Option<Sorted> {
        let prepared = self.afresh()?;
        let (limits, world) = (self.limits(1), self.world(sites));
        let outputs = (self.rendering).execute(self.instance, &prepared, limits, world);
        let (mut outputs, _) = outputs.ok()?;
        outputs.retain(|output| !output.path.ends_with("NOTES.txt"));
        self.rendering.sort(outputs, true).ok()
    }

    fn limits(&self, parts: u64) -> Limits {
        let limits = self.rendering.options.limits;
        Limits {
            steps: limits.steps / SHARE / parts.max(1),
            bytes: limits.bytes / SHARE * 4,
            ..limits
        }
    }

    fn world(&self, sites: &Sites) -> World {
        World {
            disturbance: Some(Arc::new(Disturbance {
                sites: sites.clone(),
            })),
            ..self.rendering.options.world.clone()
        }
    }
}

/// Whether a call gives something cheap in a rendering again, wherever it is.
fn is_cheapened(call: &RandomCall) -> bool {
    call.function.starts_with("gen") || matches!(call.function, "bcrypt" | "htpasswd")
}
