//! The journal on disk: a line before a change, another once its result is known, and one when it is undone.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::super::error::ScenarioError;
use super::Change;
use crate::journal::{Entry, Journal, standing as standing_lines};

/// A line of the file.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Line {
    /// About to change, or changed.
    Open(Box<Change>),
    /// Undone.
    Closed(String),
}

impl Entry for Line {
    fn subject(&self) -> &str {
        match self {
            Line::Open(change) => &change.id,
            Line::Closed(id) => id,
        }
    }

    fn stands(&self) -> bool {
        matches!(self, Line::Open(_))
    }
}

/// The file, open for appending.
pub(super) struct File(Journal<Line>);

impl File {
    pub fn open(path: &Path) -> Result<Self, ScenarioError> {
        Ok(File(Journal::open(path)?.0))
    }

    pub async fn opened(&self, change: &Change) -> Result<(), ScenarioError> {
        Ok(self.0.append(&Line::Open(Box::new(change.clone()))).await?)
    }

    pub async fn closed(&self, id: &str) -> Result<(), ScenarioError> {
        Ok(self.0.append(&Line::Closed(id.to_owned())).await?)
    }
}

/// Changes that were made and not undone, oldest first.
pub(super) fn standing(path: &Path) -> Result<Vec<Change>, ScenarioError> {
    let open = standing_lines(Journal::<Line>::read(path)?).into_iter().filter_map(|line| match line {
        Line::Open(change) => Some(*change),
        Line::Closed(_) => None,
    });
    Ok(open.collect())
}
