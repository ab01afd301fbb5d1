//! Kubeconfig files: the cluster's own, and its entries in the user's, merged only on request.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::ClusterError;
use crate::file::{self, Readers};

/// kind's name for a cluster's context, so that tools that expect it find it.
pub fn context(cluster: &str) -> String {
    format!("kind-{cluster}")
}

/// The user's kubeconfig by kubectl's rule: the first of `$KUBECONFIG` that exists, else its last, else `~/.kube/config`.
pub fn user_file() -> PathBuf {
    let listed: Vec<PathBuf> = std::env::var_os("KUBECONFIG")
        .iter()
        .flat_map(std::env::split_paths)
        .filter(|path| !path.as_os_str().is_empty())
        .collect();
    let existing = listed.iter().find(|path| path.exists()).or(listed.last()).cloned();
    existing.unwrap_or_else(|| PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(".kube/config"))
}

/// Writes a file only its owner can read, whole or not at all.
pub fn write(path: &Path, kubeconfig: &Value) -> Result<(), ClusterError> {
    write_whole(path, kubeconfig)
}

/// Puts the entries of `kubeconfig` into `path` and makes its context the current one. Other entries stay as they are.
pub fn merge(path: &Path, kubeconfig: &Value) -> Result<(), ClusterError> {
    edit(path, |target| {
        for list in ["clusters", "users", "contexts"] {
            for entry in kubeconfig[list].as_array().into_iter().flatten() {
                let entries = list_of(target, list);
                entries.retain(|existing| existing["name"] != entry["name"]);
                entries.push(entry.clone());
            }
        }
        target["current-context"] = kubeconfig["current-context"].clone();
    })
}

/// True when `path` has an entry named `name`.
pub fn contains(path: &Path, name: &str) -> Result<bool, ClusterError> {
    let config = read(path).map_err(failed("read", path))?;
    Ok(["clusters", "users", "contexts"]
        .iter()
        .any(|list| config[list].as_array().is_some_and(|entries| entries.iter().any(|entry| entry["name"] == name))))
}

/// True when `path` has a cluster named `name` with the same authority as in the file `own`: a name alone proves nothing.
pub fn is_ours(path: &Path, own: &Path, name: &str) -> Result<bool, ClusterError> {
    let authority = |path: &Path| {
        let config = read(path).map_err(failed("read", path))?;
        let entries = config["clusters"].as_array().cloned().unwrap_or_default();
        let entry = entries.into_iter().find(|entry| entry["name"] == name);
        Ok::<_, ClusterError>(entry.and_then(|entry| entry["cluster"].get("certificate-authority-data").cloned()))
    };
    let (there, ours) = (authority(path)?, authority(own)?);
    Ok(ours.is_some() && there == ours)
}

/// Removes the entries named `name` from `path`; other entries stay as they are.
pub fn remove(path: &Path, name: &str) -> Result<(), ClusterError> {
    if !path.exists() || !contains(path, name)? {
        return Ok(());
    }
    edit(path, |target| {
        for list in ["clusters", "users", "contexts"] {
            list_of(target, list).retain(|entry| entry["name"] != name);
        }
        if target["current-context"] == name {
            target["current-context"] = json!("");
        }
    })
}

/// Changes a kubeconfig under an exclusive lock that waits for other runs of Hearth. kubectl and kind lock by creating
/// `<file>.lock`; that lock is taken too, so that they do not write at the same time.
fn edit(path: &Path, change: impl FnOnce(&mut Value)) -> Result<(), ClusterError> {
    let lock = Lock::acquire(path).map_err(failed("lock", path))?;
    let mut config = read(path).map_err(failed("read", path))?;
    change(&mut config);
    let written = write_whole(path, &config);
    drop(lock);
    written
}

type Source = Box<dyn std::error::Error + Send + Sync>;

fn failed(action: &'static str, path: &Path) -> impl FnOnce(Source) -> ClusterError {
    let path = path.to_owned();
    move |source| ClusterError::Kubeconfig { action, path, source }
}

fn read(path: &Path) -> Result<Value, Source> {
    let empty = || json!({"apiVersion": "v1", "kind": "Config"});
    match fs::read_to_string(path) {
        Ok(text) => Ok(crate::yaml::documents(&text)?.into_iter().next().unwrap_or_else(empty)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(empty()),
        Err(error) => Err(error.into()),
    }
}

fn list_of<'a>(config: &'a mut Value, list: &str) -> &'a mut Vec<Value> {
    if !config[list].is_array() {
        config[list] = json!([]);
    }
    match &mut config[list] {
        Value::Array(entries) => entries,
        _ => unreachable!("made an array above"),
    }
}

fn write_whole(path: &Path, config: &Value) -> Result<(), ClusterError> {
    let text = crate::yaml::to_string(config)?;
    file::replace(path, Readers::Owner, |file| file.write_all(text.as_bytes()))
        .map_err(|error| failed("write", path)(error.into()))
}

/// The lock file that kubectl and kind use, held by creating it; waits up to ten seconds for another holder.
struct Lock(PathBuf);

impl Lock {
    fn acquire(path: &Path) -> Result<Self, Source> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let mut name = path.as_os_str().to_owned();
        name.push(".lock");
        let name = PathBuf::from(name);
        for _ in 0..200 {
            match File::options().write(true).create_new(true).open(&name) {
                Ok(_) => return Ok(Lock(name)),
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                    std::thread::sleep(std::time::Duration::from_millis(50));
                }
                Err(error) => return Err(error.into()),
            }
        }
        Err(format!("another program holds {}; remove it if none runs", name.display()).into())
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn sample(name: &str) -> Value {
        json!({"current-context": name, "clusters": [{"name": name, "cluster": {"server": "https://x"}}],
               "users": [{"name": name, "user": {}}], "contexts": [{"name": name, "context": {"cluster": name}}]})
    }

    #[test]
    fn merging_and_removing_leaves_others_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config");
        merge(&path, &sample("other")).unwrap();
        let before = fs::read_to_string(&path).unwrap();
        merge(&path, &sample("kind-demo")).unwrap();
        assert!(contains(&path, "kind-demo").unwrap());
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        remove(&path, "kind-demo").unwrap();
        assert!(!contains(&path, "kind-demo").unwrap());
        merge(&path, &sample("other")).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), before);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no lock or part file is left");
    }

    #[test]
    fn a_cluster_is_known_by_its_authority_and_not_by_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let with = |authority: &str| {
            let mut config = sample("kind-demo");
            config["clusters"][0]["cluster"]["certificate-authority-data"] = json!(authority);
            config
        };
        write(&path("own"), &with("ours")).unwrap();
        for (authority, ours) in [("ours", true), ("of a real kind cluster", false)] {
            write(&path("user"), &with(authority)).unwrap();
            assert_eq!(is_ours(&path("user"), &path("own"), "kind-demo").unwrap(), ours);
            assert!(!is_ours(&path("user"), &path("none"), "kind-demo").unwrap(), "nothing is known of ours");
        }
    }

    #[test]
    fn many_writers_lose_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config");
        std::thread::scope(|scope| {
            for number in 0..16 {
                let path = &path;
                scope.spawn(move || merge(path, &sample(&format!("kind-{number}"))).unwrap());
            }
        });
        assert!((0..16).all(|number| contains(&path, &format!("kind-{number}")).unwrap()));
    }
}
