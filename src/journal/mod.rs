//! The journal: one JSON line before and after each mutation, on disk before the mutation happens. After a
//! crash it tells what may exist. The live world decides what does.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use crate::error::{Explain, Family};
use crate::graph::{Kind, Step, StepId};

/// Where a step stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// About to change the world.
    Applying,
    /// Done.
    Applied,
    /// Given up; something may be there.
    Failed,
    /// About to take back.
    Undoing,
    /// Taken back.
    Undone,
}

/// One line of the journal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Wall clock.
    pub at: jiff::Timestamp,
    /// The run's name.
    pub run: String,
    /// The step's name.
    pub step: StepId,
    /// Where it stands.
    pub phase: Phase,
    /// The steps it depends on.
    pub after: BTreeSet<StepId>,
    /// Its content, as the plan's JSON has it.
    pub kind: serde_json::Value,
}

impl Entry {
    pub(crate) fn new<K: Kind>(run: &str, step: &Step<K>, phase: Phase) -> Result<Self, JournalError> {
        let kind = serde_json::to_value(&step.kind).map_err(|source| JournalError::Encode { step: step.id.clone(), source })?;
        Ok(Entry {
            at: jiff::Timestamp::now(),
            run: run.to_owned(),
            step: step.id.clone(),
            phase,
            after: step.after.clone(),
            kind,
        })
    }
}

/// What may still exist according to `entries`: the latest entry of every step that was touched and not
/// taken back since, in the order in which they were first touched.
pub fn standing(entries: &[Entry]) -> Vec<&Entry> {
    let mut standing: Vec<&Entry> = Vec::new();
    for entry in entries {
        let place = standing.iter().position(|other| other.step == entry.step);
        match (entry.phase, place) {
            (Phase::Undone, Some(place)) => drop(standing.remove(place)),
            (Phase::Undone, None) => {}
            (_, Some(place)) => standing[place] = entry,
            (_, None) => standing.push(entry),
        }
    }
    standing
}

/// An open journal; appending is safe from many tasks.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: Arc<Mutex<File>>,
}

impl Journal {
    /// Opens the journal at `path`, created if absent, and reads what it holds. A last line torn by a crash is cut off.
    ///
    /// # Errors
    /// The file cannot be read or written, or a line other than the last is not an entry.
    pub fn open(path: &Path) -> Result<(Journal, Vec<Entry>), JournalError> {
        let failed = |source| JournalError::Io { path: path.to_owned(), source };
        let mut file = OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(path).map_err(failed)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(failed)?;
        // Every entry ends with a newline, written in the same call: what follows the last one is torn.
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        if whole < bytes.len() {
            file.set_len(whole as u64).map_err(failed)?;
            file.seek(SeekFrom::End(0)).map_err(failed)?;
        }
        let lines = bytes[..whole].split(|byte| *byte == b'\n').enumerate().filter(|(_, line)| !line.is_empty());
        let entries = lines.map(|(at, line)| {
            let wrong = |source| JournalError::Line { path: path.to_owned(), line: at + 1, source };
            serde_json::from_slice(line).map_err(wrong)
        });
        let entries = entries.collect::<Result<Vec<Entry>, JournalError>>()?;
        Ok((Journal { path: path.to_owned(), file: Arc::new(Mutex::new(file)) }, entries))
    }

    /// A journal whose every entry fails, as on a full disk.
    #[cfg(test)]
    pub(crate) fn unwritable(path: &Path) -> Journal {
        let file = File::open(path).expect("exists");
        Journal { path: path.to_owned(), file: Arc::new(Mutex::new(file)) }
    }

    /// Writes one entry and waits until it is on disk.
    ///
    /// # Errors
    /// The entry could not be written in full.
    pub async fn append(&self, entry: Entry) -> Result<(), JournalError> {
        let mut line = serde_json::to_vec(&entry).map_err(|source| JournalError::Encode { step: entry.step, source })?;
        line.push(b'\n');
        let file = self.file.clone();
        let write = tokio::task::spawn_blocking(move || {
            let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
            file.write_all(&line)?;
            file.sync_data()
        });
        write.await.map_err(io::Error::other).flatten().map_err(|source| JournalError::Io { path: self.path.clone(), source })
    }
}

/// Why the journal could not be used.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The file cannot be read or written.
    #[error("cannot use the journal {path}", path = .path.display())]
    Io {
        /// The journal.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A line is not an entry.
    #[error("line {line} of the journal {path} is not an entry", path = .path.display())]
    Line {
        /// The journal.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// A step's content is not plain data.
    #[error("cannot write step `{step}` into the journal")]
    Encode {
        /// The step.
        step: StepId,
        /// What is wrong with it.
        source: serde_json::Error,
    },
}

impl Explain for JournalError {
    fn family(&self) -> Family {
        Family::Preflight
    }
    fn hint(&self) -> Option<String> {
        match self {
            JournalError::Io { path, .. } => Some(format!("check free space and permissions of {}", path.display())),
            JournalError::Line { path, .. } => {
                Some(format!("move {} away; the live world is looked at in any case", path.display()))
            }
            JournalError::Encode { .. } => None,
        }
    }
}
