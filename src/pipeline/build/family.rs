//! Who renders whom: parents and children, cycles, and what is left behind.
//!
//! In: what a parent rendered. Out: the tasks of its children, cycles noted, and
//! tasks dropped whose parent no longer renders them.

use std::collections::{BTreeMap, BTreeSet};

use super::{Graph, Key, MAX_ROUNDS, Owner, Task, key_of, same_spec};
use crate::diag::Error;
use crate::pipeline::cluster::UnitKind;
use crate::yaml::Node;

impl Graph<'_> {
    /// Takes up a Kustomization that `parent` renders.
    pub(super) fn adopt(&mut self, parent: &Owner, object: Node) {
        let Some(key) = key_of(&object) else { return };
        let mut given = self.options.replacements.iter();
        let given = given.rfind(|o| key_of(o).as_ref() == Some(&key));
        let object = given.cloned().unwrap_or(object);
        let owner = (UnitKind::Kustomization, key.clone());
        if owner != *parent && self.is_ancestor(&owner, parent) {
            self.note_cycle(&owner, parent);
            return;
        }
        let own = owner == *parent;
        match self.tasks.get_mut(&key) {
            None => {
                let task = Task::new(object, self.options, Some(parent.clone()));
                self.tasks.insert(key, task);
            }
            Some(task) => {
                let known = task.parent.as_ref();
                // The first parent, in the order of names, keeps it.
                if !own && known.is_some_and(|p| p < parent && *p != owner) {
                    return;
                }
                if !own || known.is_none() {
                    task.parent = Some(parent.clone());
                }
                let rounds = task.rounds;
                if same_spec(&task.object, &object) || rounds >= MAX_ROUNDS {
                    task.object = object;
                    return;
                }
                let parent = task.parent.clone();
                *task = Task::new(object, self.options, parent);
                task.rounds = rounds + 1;
            }
        }
    }

    fn parent_of(&self, (kind, key): &Owner) -> Option<&Owner> {
        match kind {
            UnitKind::Kustomization => self.tasks.get(key)?.parent.as_ref(),
            UnitKind::HelmRelease => self.releases.get(key)?.parent.as_ref(),
        }
    }

    /// Whether `ancestor` renders, at some remove, `of`.
    fn is_ancestor(&self, ancestor: &Owner, of: &Owner) -> bool {
        let mut at = of;
        let mut seen = BTreeSet::new();
        while seen.insert(at) {
            match self.parent_of(at) {
                Some(parent) if parent == ancestor => return true,
                Some(parent) => at = parent,
                None => return false,
            }
        }
        false
    }

    /// Remembers that `parent` renders `owner`, which renders `parent` in turn.
    fn note_cycle(&mut self, owner: &Owner, parent: &Owner) {
        let mut cycle = vec![parent.clone()];
        let mut at = parent;
        while at != owner {
            match self.parent_of(at) {
                Some(next) if !cycle.contains(next) => {
                    cycle.push(next.clone());
                    at = next;
                }
                _ => break,
            }
        }
        cycle.reverse();
        self.cycles.insert(cycle);
    }

    /// Fails what renders itself at some remove.
    pub(super) fn fail_cycles(&mut self) {
        for cycle in &self.cycles {
            let names = cycle.iter().chain(cycle.first());
            let names: Vec<String> = names
                .map(|(_, (namespace, name))| format!("{namespace}/{name}"))
                .collect();
            let error = Error::new(
                "dag/cycle",
                format!("Kustomizations render each other: {}", names.join(" → ")),
            )
            .help("take the Kustomization that closes the circle out of what the last one renders");
            for (kind, key) in cycle {
                match kind {
                    UnitKind::Kustomization => {
                        if let Some(task) = self.tasks.get_mut(key) {
                            let at = task.object.span();
                            task.done = Some(Err(error.clone().at(at)));
                        }
                    }
                    UnitKind::HelmRelease => {
                        if let Some(release) = self.releases.get_mut(key) {
                            let at = release.object.span();
                            release.done = Some(Err(error.clone().at(at)));
                        }
                    }
                }
            }
        }
    }

    /// Drops Kustomizations whose parent no longer renders them.
    pub(super) fn drop_orphans(&mut self) {
        loop {
            // Each parent's objects are looked through once, however many
            // children it has.
            let mut rendered: BTreeMap<&Owner, Option<BTreeSet<Key>>> = BTreeMap::new();
            let orphans: Vec<Key> = self
                .tasks
                .iter()
                .filter(|(key, task)| {
                    let Some(parent) = &task.parent else {
                        return false;
                    };
                    let rendered = rendered
                        .entry(parent)
                        .or_insert_with(|| self.rendered_by(parent));
                    rendered.as_ref().is_some_and(|keys| !keys.contains(key))
                })
                .map(|(key, _)| key.clone())
                .collect();
            if orphans.is_empty() {
                return;
            }
            for key in orphans {
                self.tasks.remove(&key);
            }
        }
    }

    /// The Kustomizations that an owner renders; none where it cannot tell.
    fn rendered_by(&self, (kind, owner): &Owner) -> Option<BTreeSet<Key>> {
        match kind {
            UnitKind::Kustomization => match self.tasks.get(owner).map(|task| &task.done) {
                None => Some(BTreeSet::new()),
                Some(Some(Ok(done))) => Some(done.objects.iter().filter_map(key_of).collect()),
                Some(_) => None,
            },
            UnitKind::HelmRelease => match self.releases.get(owner).map(|r| &r.done) {
                None => Some(BTreeSet::new()),
                Some(Some(Ok(done))) => {
                    let objects = done.objects.iter();
                    Some(objects.filter_map(|o| key_of(&o.node)).collect())
                }
                Some(_) => None,
            },
        }
    }
}
