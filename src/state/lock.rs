//! One command at a time: an advisory lock that the kernel releases when its holder dies, however that happens.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::{RunId, State, StateError, create};

/// How often a waiting command tries again.
const RETRY: Duration = Duration::from_millis(200);

/// The holder of a lock, as it described itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Holder {
    /// Process id.
    pub pid: u32,
    /// The command line.
    pub command: String,
    /// Since when.
    pub started: jiff::Timestamp,
    /// The name of its run.
    pub run_id: String,
}

impl Holder {
    fn this(run: &RunId) -> Holder {
        let arguments: Vec<String> = std::env::args_os().map(|argument| argument.to_string_lossy().into_owned()).collect();
        let command = arguments.split_first().map(|(program, rest)| {
            let name = Path::new(program).file_name().map_or_else(|| program.clone(), |name| name.to_string_lossy().into_owned());
            [&[name], rest].concat().join(" ")
        });
        Holder {
            pid: std::process::id(),
            command: command.unwrap_or_default(),
            started: jiff::Timestamp::now(),
            run_id: run.to_string(),
        }
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let started = self.started.strftime("%Y-%m-%d %H:%M:%S UTC");
        write!(f, "`{}`, process {}, since {started}, run {}", self.command, self.pid, self.run_id)
    }
}

/// The right to work on a cluster; given up when dropped.
#[derive(Debug)]
pub struct Lock {
    path: PathBuf,
    file: File,
}

impl Lock {
    /// Takes the cluster's lock, creating its state directory if absent. While somebody else holds it, tries for as long as
    /// `wait`; without `wait`, only once.
    ///
    /// # Errors
    /// [`StateError::Held`] with the holder, or the directory cannot be used.
    pub async fn acquire(state: &State, run: &RunId, wait: Option<Duration>) -> Result<Lock, StateError> {
        let give_up = Instant::now() + wait.unwrap_or_default();
        loop {
            if let Some(mut lock) = attempt(state)? {
                lock.write(&Holder::this(run))?;
                return Ok(lock);
            }
            if Instant::now() >= give_up {
                let holder = holder(&state.root.join(NAME));
                return Err(StateError::Held { name: state.name.clone(), holder });
            }
            tokio::time::sleep(RETRY).await;
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    fn write(&mut self, holder: &Holder) -> Result<(), StateError> {
        let text = serde_json::to_vec(holder).map_err(io::Error::other);
        let written = text.and_then(|text| {
            self.file.set_len(0)?;
            self.file.write_all(&text)
        });
        written.map_err(|source| StateError::Io { path: self.path.clone(), source })
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing the file releases the lock; an empty file shows that nobody holds it.
        let _ = self.file.set_len(0);
    }
}

const NAME: &str = "lock";

/// One try; none when somebody else holds it.
fn attempt(state: &State) -> Result<Option<Lock>, StateError> {
    let path = state.root.join(NAME);
    let failed = |source| StateError::Io { path: path.clone(), source };
    loop {
        create(&state.root)?;
        let file = match OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(&path) {
            // the directory was removed in the meantime: make it again
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            file => file.map_err(failed)?,
        };
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Err(rustix::io::Errno::WOULDBLOCK) => return Ok(None),
            Err(rustix::io::Errno::INTR) => continue,
            locked => locked.map_err(|error| failed(error.into()))?,
        }
        // The previous holder may have removed the file: then this is a lock on nothing.
        let ours = file.metadata().map_err(failed)?;
        match fs::metadata(&path) {
            Ok(there) if there.ino() == ours.ino() && there.dev() == ours.dev() => return Ok(Some(Lock { path, file })),
            _ => {}
        }
    }
}

/// What the holder wrote; none if it has not done so yet.
fn holder(path: &Path) -> Option<Holder> {
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}
