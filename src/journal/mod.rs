//! Journals: files of JSON lines, each on disk before the change it announces, so that after a crash there is a list of what
//! may exist. The live world decides what does.
//!
//! In: entries. Out: the entries of earlier runs, without a torn last one. Only the journal's own file is touched.
//!
//! There are two: [`steps`] records each step of a plan around its mutation, and scenarios record how to take back their
//! changes to the cluster.

pub mod steps;

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::marker::PhantomData;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{Explain, Family};
use crate::file::{self, Readers};

/// A journal larger than this, in bytes, is rewritten with its standing entries only: some forty bring-ups.
const LARGE: u64 = 1 << 20;

/// A line of a journal.
pub trait Entry: Serialize + DeserializeOwned + Send + Sync {
    /// What it is about; a later line about the same subject replaces it.
    fn subject(&self) -> &str;
    /// Whether something may exist from this entry on.
    fn stands(&self) -> bool;
}

/// What may still exist according to `entries`: the latest entry about each subject that was begun and not taken back since, in
/// the order in which they were begun.
pub fn standing<E: Entry>(entries: Vec<E>) -> Vec<E> {
    let mut standing: Vec<E> = Vec::new();
    for entry in entries {
        let place = standing.iter().position(|other| other.subject() == entry.subject());
        match (entry.stands(), place) {
            (true, Some(place)) => standing[place] = entry,
            (true, None) => standing.push(entry),
            (false, Some(place)) => drop(standing.remove(place)),
            (false, None) => {}
        }
    }
    standing
}

/// An open journal; appending is safe from many tasks.
#[derive(Debug)]
pub struct Journal<E> {
    path: PathBuf,
    tail: Arc<Mutex<Tail>>,
    entries: PhantomData<fn(E)>,
}

/// The end of the file.
#[derive(Debug)]
struct Tail {
    file: File,
    /// Length of all whole lines, in bytes.
    whole: u64,
    /// Whether something may follow that is not a whole line.
    torn: bool,
}

impl Tail {
    /// Adds a line. What a failed write leaves behind, on a full disk for example, is cut off: at once, or before the next
    /// write.
    fn append(&mut self, line: &[u8]) -> io::Result<()> {
        if self.torn {
            self.file.set_len(self.whole)?;
            self.torn = false;
        }
        match self.file.write_all(line).and_then(|()| self.file.sync_data()) {
            Ok(()) => {
                self.whole += line.len() as u64;
                Ok(())
            }
            Err(error) => {
                self.torn = self.file.set_len(self.whole).is_err();
                Err(error)
            }
        }
    }
}

impl<E: Entry> Journal<E> {
    /// Opens the journal at `path`, created if absent, and reads its entries. A last line torn by a crash is cut off; a file
    /// that has grown large is rewritten with its standing entries only.
    ///
    /// # Errors
    /// The file cannot be read or written, or a line other than the last is not an entry.
    pub fn open(path: &Path) -> Result<(Journal<E>, Vec<E>), JournalError> {
        let failed = |source| JournalError::Io { path: path.to_owned(), source };
        let new = !path.exists();
        let bytes = if new { Vec::new() } else { std::fs::read(path).map_err(failed)? };
        let whole = whole(&bytes);
        let mut entries = parse(path, &bytes[..whole])?;
        let mut length = whole as u64;
        if length > LARGE {
            entries = standing(entries);
            length = rewrite(path, &entries)?;
        }
        let file = OpenOptions::new().append(true).create(true).mode(0o600).open(path).map_err(failed)?;
        file.set_len(length).map_err(failed)?;
        if new {
            file::sync_folder(path).map_err(failed)?;
        }
        let tail = Arc::new(Mutex::new(Tail { file, whole: length, torn: false }));
        Ok((Journal { path: path.to_owned(), tail, entries: PhantomData }, entries))
    }

    /// Reads a journal that another process may be writing; empty if there is none.
    ///
    /// # Errors
    /// The file cannot be read, or a line other than the last is not an entry.
    pub fn read(path: &Path) -> Result<Vec<E>, JournalError> {
        let bytes = match std::fs::read(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            bytes => bytes.map_err(|source| JournalError::Io { path: path.to_owned(), source })?,
        };
        parse(path, &bytes[..whole(&bytes)])
    }

    /// A journal whose every entry fails.
    #[cfg(test)]
    pub(crate) fn unwritable(path: &Path) -> Journal<E> {
        let file = File::open(path).expect("exists");
        let tail = Arc::new(Mutex::new(Tail { file, whole: 0, torn: false }));
        Journal { path: path.to_owned(), tail, entries: PhantomData }
    }

    /// Writes one entry and waits until it is on disk.
    ///
    /// # Errors
    /// The entry could not be written in full; the journal is as it was before.
    pub async fn append(&self, entry: &E) -> Result<(), JournalError> {
        let line = line(entry)?;
        let tail = self.tail.clone();
        let write = tokio::task::spawn_blocking(move || tail.lock().unwrap_or_else(PoisonError::into_inner).append(&line));
        write.await.map_err(io::Error::other).flatten().map_err(|source| JournalError::Io { path: self.path.clone(), source })
    }
}

/// Length of all whole lines: every entry ends with a newline, written in the same call.
fn whole(bytes: &[u8]) -> usize {
    bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1)
}

fn parse<E: Entry>(path: &Path, bytes: &[u8]) -> Result<Vec<E>, JournalError> {
    let lines = bytes.split(|byte| *byte == b'\n').enumerate().filter(|(_, line)| !line.is_empty());
    let entries = lines.map(|(at, line)| {
        let wrong = |source| JournalError::Line { path: path.to_owned(), line: at + 1, source };
        serde_json::from_slice(line).map_err(wrong)
    });
    entries.collect()
}

fn line<E: Entry>(entry: &E) -> Result<Vec<u8>, JournalError> {
    let mut line =
        serde_json::to_vec(entry).map_err(|source| JournalError::Encode { subject: entry.subject().to_owned(), source })?;
    line.push(b'\n');
    Ok(line)
}

/// Replaces the file with `entries`; returns its new length.
fn rewrite<E: Entry>(path: &Path, entries: &[E]) -> Result<u64, JournalError> {
    let text = entries.iter().map(line).collect::<Result<Vec<_>, _>>()?.concat();
    let replaced = file::replace(path, Readers::Owner, |file| file.write_all(&text));
    replaced.map_err(|source| JournalError::Io { path: path.to_owned(), source })?;
    Ok(text.len() as u64)
}

/// The journal could not be used.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the fields are named after what they hold")]
pub enum JournalError {
    /// The file cannot be read or written.
    #[error("cannot use the journal {path}", path = .path.display())]
    Io { path: PathBuf, source: io::Error },
    /// A line, counted from 1, is not an entry.
    #[error("line {line} of the journal {path} is not an entry", path = .path.display())]
    Line { path: PathBuf, line: usize, source: serde_json::Error },
    /// An entry cannot be written as JSON.
    #[error("cannot write `{subject}` into the journal")]
    Encode { subject: String, source: serde_json::Error },
}

impl Explain for JournalError {
    fn family(&self) -> Family {
        Family::Preflight
    }
    fn hint(&self) -> Option<String> {
        match self {
            JournalError::Io { path, .. } => Some(format!("check free space and permissions of {}", path.display())),
            JournalError::Line { path, .. } => {
                Some(format!("what it lists may still exist: look at it, then move {} away", path.display()))
            }
            JournalError::Encode { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests;
