//! Makes runs of Hearth on one machine wait for each other where they must not do something at the same time.

use std::fs::File;

use super::DockerError;
use crate::artifact::cache_dir;

/// Something that only one run at a time does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// Deriving a node image: the second run finds it made.
    Derive,
    /// Choosing an address pool, until others can see which one it is.
    Pool,
}

/// A turn that lasts until this is dropped, or its process ends.
pub struct Held(#[expect(dead_code, reason = "holds the lock until dropped")] File);

impl Turn {
    /// Waits for the turn.
    ///
    /// # Errors
    /// The lock file in the cache cannot be used.
    pub async fn take(self) -> Result<Held, DockerError> {
        let name = match self {
            Turn::Derive => "derive.lock",
            Turn::Pool => "pool.lock",
        };
        let path = cache_dir()?.join(name);
        let failed = |source| DockerError::Lock { path: path.clone(), source };
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(failed)?;
        }
        let file = File::options().create(true).truncate(false).write(true).open(&path).map_err(failed)?;
        let locked = tokio::task::spawn_blocking(move || file.lock().map(|()| file)).await;
        // the task is dropped only when the program ends
        locked.map_err(|error| failed(std::io::Error::other(error)))?.map(Held).map_err(failed)
    }
}
