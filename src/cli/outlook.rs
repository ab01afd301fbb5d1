//! What a run is going to change, to be read beforehand: the head of `plan`, `up` and `down`, and what the question before a
//! change is about.

use std::fmt::Write;

use serde::Serialize;

use super::cluster::Why;
use crate::artifact::Store;
use crate::components::removal::Removal;
use crate::components::{ObjectRef, catalogue};
use crate::engine::Check;
use crate::error::Result;
use crate::graph::{Class, Kind, Plan, StepId};
use crate::plan::decide::Decisions;
use crate::profile::Profile;
use crate::provider::{NodeView, Provider};
use crate::steps::{Leaving, Session, StepKind};

/// What is going to be changed, and why.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Outlook {
    cluster: String,
    provider: String,
    why: String,
    nodes: Vec<NodeOutlook>,
    #[serde(skip)]
    decided: Vec<String>,
    /// Images that have to be fetched first; none if that was not looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    fetch: Option<Vec<Fetch>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    steps: Option<Counts>,
    /// Everything that is going to be destroyed, by name.
    removes: Vec<String>,
    /// What the profile no longer asks for but stays, with the data it holds.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    keeps: Vec<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct NodeOutlook {
    name: String,
    change: Change,
}

/// What happens to a node, in the order in which nodes are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Change {
    /// Asked for by the profile; whether it exists was not looked at.
    Wanted,
    Keep,
    Create,
    Start,
    Remove,
}

/// An image that has to be fetched.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Fetch {
    image: String,
    /// `bundle` or `registry`.
    from: &'static str,
    /// Size of its archive, where that is known in advance.
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<u64>,
}

/// Steps counted by how much they disturb what runs: those with something to do if that was looked at, else all.
#[derive(Debug, Clone, Copy, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Counts {
    total: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    to_do: Option<usize>,
    in_place: usize,
    restart: usize,
    destroy: usize,
}

impl Outlook {
    /// What a profile asks for, before anything was looked at.
    pub fn of(profile: &Profile, why: &Why) -> Outlook {
        let nodes = profile.nodes().names().into_iter().map(|name| NodeOutlook { name, change: Change::Wanted }).collect();
        Outlook {
            cluster: profile.name.clone(),
            provider: profile.provider.name().to_owned(),
            why: why.to_string(),
            nodes,
            decided: Vec::new(),
            fetch: None,
            steps: None,
            removes: Vec::new(),
            keeps: Vec::new(),
        }
    }

    /// The outlook for a cluster that is going to be removed.
    pub fn of_removal(profile: &Profile, why: &Why, removes: Vec<String>) -> Outlook {
        Outlook { nodes: Vec::new(), removes, ..Outlook::of(profile, why) }
    }

    /// Adds the existing nodes; those that the profile does not ask for are going to be removed.
    pub fn with_nodes(mut self, existing: &[NodeView]) -> Outlook {
        for node in &mut self.nodes {
            node.change = match existing.iter().find(|there| there.name == node.name) {
                Some(there) if there.running => Change::Keep,
                Some(_) => Change::Start,
                None => Change::Create,
            };
        }
        let unwanted = existing.iter().filter(|there| self.nodes.iter().all(|node| node.name != there.name));
        let leaving: Vec<NodeOutlook> =
            unwanted.map(|there| NodeOutlook { name: there.name.clone(), change: Change::Remove }).collect();
        self.removes.extend(leaving.iter().map(|node| format!("node {}", node.name)));
        self.nodes.extend(leaving);
        self
    }

    /// Adds the volumes that are lost with nodes that are gone for good.
    pub fn with_lost(mut self, leaving: &[Leaving]) -> Outlook {
        let lost = leaving.iter().flat_map(|gone| &gone.lost);
        self.removes.extend(lost.map(|volume| format!("volume {volume} with all its data")));
        self
    }

    /// Adds the decisions that are made, for readers who skip the plan.
    pub fn with_decisions(mut self, decisions: &Decisions) -> Outlook {
        let made = decisions.lines.iter().filter_map(|line| Some(format!("{}: {}", line.what, line.value.as_ref()?)));
        self.decided = made.collect();
        self
    }

    /// Adds the images that have to be fetched.
    pub fn with_fetch(self, fetch: Option<Vec<Fetch>>) -> Outlook {
        Outlook { fetch, ..self }
    }

    /// Adds the steps, with the result of their checks where there are any.
    pub fn with_steps(mut self, plan: &Plan<StepKind>, checks: &[(StepId, Result<Check>)]) -> Outlook {
        let mut counts = Counts { total: plan.steps().len(), ..Counts::default() };
        let check = |id: &StepId| checks.iter().find(|(other, _)| other == id).map(|(_, check)| check);
        for step in plan.steps() {
            let found = check(&step.id);
            if matches!(found, Some(Ok(Check::Satisfied))) {
                continue;
            }
            *match step.kind.class() {
                Class::InPlace => &mut counts.in_place,
                Class::Restart => &mut counts.restart,
                Class::Destroy => &mut counts.destroy,
            } += 1;
        }
        if !checks.is_empty() {
            counts.to_do = Some(counts.in_place + counts.restart + counts.destroy);
        }
        self.steps = Some(counts);
        self
    }

    /// Adds objects that the profile no longer asks for: those that are removed, and those that stay because of what they hold.
    pub fn with_removal(mut self, removal: &Removal, delete_data: bool) -> Outlook {
        // one line per kind: there are many
        for kind in removal.goes.chunk_by(|one, other| one.kind == other.kind) {
            let names: Vec<String> = kind.iter().map(ObjectRef::path).collect();
            self.removes.push(format!("{} {}", kind[0].kind, names.join(", ")));
        }
        let holds = removal.holds.iter().map(ToString::to_string);
        if delete_data {
            self.removes.extend(holds)
        } else {
            self.keeps.extend(holds)
        }
        self
    }

    /// The text for people: one line per subject, long lists one item a line.
    pub fn text(&self) -> String {
        let mut text = format!("Cluster `{}` ({}), {}", self.cluster, self.provider, self.why);
        let mut nodes: Vec<Change> = self.nodes.iter().map(|node| node.change).collect();
        nodes.sort_unstable();
        nodes.dedup();
        let of = |change: Change| {
            let names: Vec<&str> =
                self.nodes.iter().filter(|node| node.change == change).map(|node| node.name.as_str()).collect();
            format!("{}{}", change.label(), names.join(", "))
        };
        row(&mut text, "nodes", nodes.into_iter().map(of));
        row(&mut text, "decided", self.decided.iter().cloned());
        if let Some(fetch) = &self.fetch {
            row(&mut text, "to fetch", fetch.iter().map(Fetch::text));
        }
        row(&mut text, "steps", self.steps.map(|steps| steps.text()));
        row(&mut text, "removes", self.removes.iter().cloned());
        let way_out = (!self.keeps.is_empty()).then(|| "(`--delete-data` removes it too)".to_owned());
        row(&mut text, "keeps", self.keeps.iter().cloned().chain(way_out));
        text
    }
}

/// Images that have to be fetched before nodes can be made, and from where. None if that is not known before the run.
///
/// # Errors
/// The Docker engine or the hosts cannot be asked.
pub async fn fetch(session: &Session) -> Result<Option<Vec<Fetch>>> {
    let lacking = session.provider.to_fetch(&catalogue::pulled(&session.profile)).await?;
    Ok(lacking.map(|images| images.into_iter().map(|image| Fetch::of(image, &session.store)).collect()))
}

impl Fetch {
    fn of(image: String, store: &Store) -> Fetch {
        match store.bundled(&image) {
            Some(archive) => {
                let bytes = std::fs::metadata(archive).ok().map(|archive| archive.len());
                Fetch { image, from: "bundle", bytes }
            }
            None => Fetch { image, from: "registry", bytes: None },
        }
    }

    fn text(&self) -> String {
        match self.bytes {
            Some(bytes) => format!("{} ({}, {} MB)", self.image, self.from, bytes.div_ceil(1_000_000)),
            None => format!("{} ({}, size not known)", self.image, self.from),
        }
    }
}

impl Change {
    fn label(self) -> &'static str {
        match self {
            Change::Wanted => "",
            Change::Keep => "as it is: ",
            Change::Create => "create ",
            Change::Start => "start again ",
            Change::Remove => "remove ",
        }
    }
}

impl Counts {
    fn text(self) -> String {
        let kinds = [
            (self.in_place, "disturbs nothing", "disturb nothing"),
            (self.restart, "restarts something", "restart something"),
            (self.destroy, "removes something", "remove something"),
        ];
        let there = kinds.into_iter().filter(|(count, ..)| *count > 0);
        let kinds: Vec<String> =
            there.map(|(count, one, many)| format!("{count} {}", if count == 1 { one } else { many })).collect();
        match self.to_do {
            Some(0) => format!("{}, nothing to do", self.total),
            Some(to_do) => format!("{to_do} of {} to do: {}", self.total, kinds.join(", ")),
            None => format!("{}: {}", self.total, kinds.join(", ")),
        }
    }
}

/// Adds the lines of a subject, the first one after its label.
fn row(text: &mut String, label: &str, lines: impl IntoIterator<Item = String>) {
    for (at, line) in lines.into_iter().enumerate() {
        let label = if at == 0 { label } else { "" };
        let _ = write!(text, "\n  {label:<10} {line}");
    }
}
