//! Files that appear whole or not at all, also after a power cut.

use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Who may read a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Readers {
    /// Its owner.
    Owner,
    /// Everybody, less what the process's umask takes away.
    Everybody,
}

/// Puts what `write` writes in the place of `path`. Other processes see the whole old file or the whole new one, also after a
/// power cut. Missing folders are made; a link stays a link, and the file it points to is replaced.
///
/// # Errors
/// The file could not be written in full; then the old one stands as it was.
pub fn replace(path: &Path, readers: Readers, write: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<()> {
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let folder = folder_of(&path);
    fs::create_dir_all(&folder)?;
    let mode = match readers {
        Readers::Owner => 0o600,
        Readers::Everybody => 0o666,
    };
    // a unique name, opened only if it is new: two writers never share a partial file
    let part = tempfile::Builder::new().prefix(".part-").permissions(Permissions::from_mode(mode)).tempfile_in(&folder)?;
    let (mut file, part) = part.into_parts();
    write(&mut file)?;
    file.sync_all()?;
    part.persist(&path)?;
    sync_folder(&path)
}

/// Makes a file's name durable: its content may be on disk before its folder lists it.
///
/// # Errors
/// The folder cannot be opened or synced.
pub fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(folder_of(path))?.sync_all()
}

fn folder_of(path: &Path) -> PathBuf {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_owned()
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).expect("there").permissions().mode() & 0o777
    }

    #[test]
    fn a_failed_write_leaves_the_old_file_and_nothing_else() {
        let folder = tempfile::tempdir().expect("scratch");
        let path = folder.path().join("deep/file");
        replace(&path, Readers::Owner, |file| file.write_all(b"old")).expect("written");
        assert_eq!(mode(&path), 0o600);
        let failed = replace(&path, Readers::Owner, |file| {
            file.write_all(b"ne")?;
            Err(io::Error::other("no space"))
        });
        assert!(failed.is_err());
        assert_eq!(fs::read_to_string(&path).expect("there"), "old");
        assert_eq!(fs::read_dir(folder.path().join("deep")).expect("there").count(), 1, "no part is left");
    }

    #[test]
    fn a_link_stays_a_link() {
        let folder = tempfile::tempdir().expect("scratch");
        let (real, link) = (folder.path().join("real"), folder.path().join("link"));
        fs::write(&real, "old").expect("written");
        std::os::unix::fs::symlink(&real, &link).expect("linked");
        replace(&link, Readers::Everybody, |file| file.write_all(b"new")).expect("written");
        assert!(link.is_symlink());
        assert_eq!(fs::read_to_string(&real).expect("there"), "new");
    }

    #[test]
    fn many_writers_never_mix() {
        let folder = tempfile::tempdir().expect("scratch");
        let path = folder.path().join("file");
        std::thread::scope(|scope| {
            for letter in b'a'..b'i' {
                let path = &path;
                scope.spawn(move || replace(path, Readers::Owner, |file| file.write_all(&[letter; 4096])).expect("written"));
            }
        });
        let bytes = fs::read(&path).expect("there");
        assert!(bytes.len() == 4096 && bytes.iter().all(|byte| *byte == bytes[0]));
    }
}
