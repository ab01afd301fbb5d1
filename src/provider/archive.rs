//! Files as one tar archive, which every provider can unpack on a node.

use std::io;

use super::FileSpec;

/// One archive of all files, owned by root. Folders have no entries: missing ones are made when it is unpacked, with mode 0755.
pub(super) fn archive(files: &[FileSpec]) -> io::Result<Vec<u8>> {
    let mut builder = tar::Builder::new(Vec::new());
    for file in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(file.bytes.len() as u64);
        header.set_mode(file.mode);
        header.set_uid(0);
        header.set_gid(0);
        header.set_cksum();
        builder.append_data(&mut header, file.path.trim_start_matches('/'), file.bytes.as_slice())?;
    }
    builder.into_inner()
}
