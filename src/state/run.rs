//! Runs: their names, and where each keeps its log.

use std::fmt;
use std::path::{Path, PathBuf};

use rand::RngExt;
use serde::{Deserialize, Serialize};

/// The directory of one run.
#[derive(Debug, Clone)]
pub struct RunDir {
    pub(super) path: PathBuf,
}

impl RunDir {
    /// The directory itself, for reports and evidence.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The debug log.
    pub fn log(&self) -> PathBuf {
        self.path.join("debug.log")
    }
}

/// A run's name: UTC time and four random characters, for example `20261121-042115-k3f9`; sorts by time.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunId(pub(super) String);

impl RunId {
    /// A new one, for now.
    pub fn new() -> RunId {
        const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
        let mut random = rand::rng();
        let tail: String = (0..4).map(|_| char::from(LETTERS[random.random_range(0..LETTERS.len())])).collect();
        RunId(format!("{}-{tail}", jiff::Timestamp::now().strftime("%Y%m%d-%H%M%S")))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for RunId {
    fn default() -> Self {
        RunId::new()
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
