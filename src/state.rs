//! What Hearth keeps about a cluster on this machine: `$XDG_STATE_HOME/hearth/<name>/`, readable by the user only.
//!
//! In: a cluster's name. Out: the paths of its files, and the lock that keeps two commands apart. Only that directory is
//! touched. Nothing in it is authoritative about the cluster; labels and objects in the live world are.

mod lock;
mod run;
#[cfg(test)]
mod tests;

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use crate::error::{Explain, Family};

pub use lock::{Holder, Lock};
pub use run::{RunDir, RunId};

/// The state directory of one cluster. Making this value creates nothing.
#[derive(Debug, Clone)]
pub struct State {
    root: PathBuf,
    name: String,
}

impl State {
    /// The state of cluster `name` under `$XDG_STATE_HOME/hearth`, or `~/.local/state/hearth`.
    ///
    /// # Errors
    /// The name cannot be a directory's, or neither variable is set.
    pub fn of(name: &str) -> Result<State, StateError> {
        Self::under(&base()?, name)
    }

    /// The state of cluster `name` in a base directory other than the user's.
    ///
    /// # Errors
    /// The name cannot be a directory's.
    pub fn under(base: &Path, name: &str) -> Result<State, StateError> {
        if name.is_empty() || name.starts_with('.') || name.contains(['/', '\0']) {
            return Err(StateError::Name { name: name.to_owned() });
        }
        Ok(State { root: base.join(name), name: name.to_owned() })
    }

    /// Names of all clusters with a state directory, sorted.
    ///
    /// # Errors
    /// The base directory is there but cannot be read.
    pub fn names() -> Result<Vec<String>, StateError> {
        directories(&base()?)
    }

    /// The cluster's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The directory itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Whether anything is kept.
    pub fn exists(&self) -> bool {
        self.root.is_dir()
    }

    /// The journal of all runs.
    pub fn journal(&self) -> PathBuf {
        self.root.join("journal.jsonl")
    }

    /// The journal of the changes that faults made, to undo them should a run of `hearth test` be cut off.
    pub fn undo_journal(&self) -> PathBuf {
        self.root.join("undo.jsonl")
    }

    /// The profile of the last `up`.
    pub fn profile(&self) -> PathBuf {
        self.root.join("profile.json")
    }

    /// The host keys that were trusted on first use.
    pub fn known_hosts(&self) -> PathBuf {
        self.root.join("known_hosts")
    }

    /// Identifies this state directory to other machines: the lock inside it keeps runs with the same identity apart. Copies of
    /// a machine, and containers with the same name, have another identity, since it includes an id kept in the directory and
    /// the machine's own id.
    pub fn desk(&self) -> String {
        let path = self.root.join("desk");
        let id = fs::read_to_string(&path).unwrap_or_else(|_| {
            let new = RunId::new().0;
            // one that cannot be stored still serves this run
            let _unwritable = fs::write(&path, &new);
            new
        });
        let machine: String = fs::read_to_string("/etc/machine-id").unwrap_or_default().chars().take(8).collect();
        format!("{}:{} ({id} {machine})", whoami().user_at_machine(), self.root.display())
    }

    /// The administrator's kubeconfig.
    pub fn kubeconfig(&self) -> PathBuf {
        self.root.join("kubeconfig")
    }

    /// The directory of one run, created if absent.
    ///
    /// # Errors
    /// It cannot be created.
    pub fn run(&self, id: &RunId) -> Result<RunDir, StateError> {
        let path = self.root.join("runs").join(&id.0);
        create(&path)?;
        Ok(RunDir { path })
    }

    /// All runs kept, oldest first.
    ///
    /// # Errors
    /// The directory is there but cannot be read.
    pub fn runs(&self) -> Result<Vec<RunId>, StateError> {
        Ok(directories(&self.root.join("runs"))?.into_iter().map(RunId).collect())
    }

    /// Removes everything kept about the cluster and gives up the lock. Another command waiting for the lock gets it, on a new
    /// directory.
    ///
    /// # Errors
    /// Something could not be removed.
    pub fn remove(&self, lock: Lock) -> Result<(), StateError> {
        let failed = |path: &Path, source| StateError::Io { path: path.to_owned(), source };
        for entry in fs::read_dir(&self.root).map_err(|error| failed(&self.root, error))? {
            let path = entry.map_err(|error| failed(&self.root, error))?.path();
            // The lock goes last: while it is there, nobody else starts to fill the directory.
            if path == lock.path() {
                continue;
            }
            let removed = if path.is_dir() && !path.is_symlink() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
            removed.map_err(|error| failed(&path, error))?;
        }
        fs::remove_file(lock.path()).map_err(|error| failed(lock.path(), error))?;
        match fs::remove_dir(&self.root) {
            // Somebody took over between the two calls: the directory is theirs now.
            Err(error) if error.kind() != io::ErrorKind::DirectoryNotEmpty => Err(failed(&self.root, error)),
            _ => Ok(()),
        }
    }
}

/// Who runs this, to show to others.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The user's name.
    pub user: String,
    /// The machine's name.
    pub machine: String,
    /// Process id.
    pub process: u32,
}

impl Caller {
    /// `ann@desk`.
    pub fn user_at_machine(&self) -> String {
        format!("{}@{}", self.user, self.machine)
    }
}

/// Who runs this.
pub fn whoami() -> Caller {
    let user = std::env::var("USER").or_else(|_| std::env::var("LOGNAME")).unwrap_or_else(|_| "root".to_owned());
    let machine = rustix::system::uname().nodename().to_string_lossy().into_owned();
    Caller { user, machine, process: std::process::id() }
}

/// The directory all clusters' states are in. Relative values of the variable are ignored, as its specification asks.
fn base() -> Result<PathBuf, StateError> {
    let absolute = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let state = absolute("XDG_STATE_HOME").or_else(|| Some(absolute("HOME")?.join(".local/state")));
    Ok(state.ok_or(StateError::NoHome)?.join("hearth"))
}

fn create(path: &Path) -> Result<(), StateError> {
    let created = DirBuilder::new().recursive(true).mode(0o700).create(path);
    created.map_err(|source| StateError::Io { path: path.to_owned(), source })
}

/// Names of the directories in `path`, sorted; none if it is absent.
fn directories(path: &Path) -> Result<Vec<String>, StateError> {
    let failed = |source| StateError::Io { path: path.to_owned(), source };
    let entries = match fs::read_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(failed)?,
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(failed)?;
        if entry.path().is_dir() {
            names.extend(entry.file_name().into_string());
        }
    }
    names.sort();
    Ok(names)
}

/// Why the state cannot be used.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say what the fields are")]
pub enum StateError {
    /// The name cannot be a directory's.
    #[error("`{name}` cannot name a cluster")]
    Name { name: String },
    /// No place to keep anything.
    #[error("no directory to keep state in: neither XDG_STATE_HOME nor HOME is an absolute path")]
    NoHome,
    /// A file or directory cannot be used.
    #[error("cannot use {path}", path = .path.display())]
    Io {
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// Another command is working on the cluster.
    #[error("another command works on cluster `{name}`{}", .holder.as_ref().map(|holder| format!(": {holder}")).unwrap_or_default())]
    Held {
        name: String,
        /// Who holds it; none if they have not written it yet.
        holder: Option<Holder>,
    },
}

impl Explain for StateError {
    fn family(&self) -> Family {
        match self {
            StateError::Name { .. } => Family::Usage,
            StateError::NoHome | StateError::Io { .. } | StateError::Held { .. } => Family::Preflight,
        }
    }
    fn hint(&self) -> Option<String> {
        match self {
            StateError::Name { .. } => None,
            StateError::NoHome => Some("set HOME or XDG_STATE_HOME".to_owned()),
            StateError::Io { path, .. } => Some(format!("check free space, owner and permissions of {}", path.display())),
            StateError::Held { .. } => Some("wait until it is done, or pass `--wait` to do so here".to_owned()),
        }
    }
}
