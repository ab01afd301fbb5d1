//! Standard output that cannot be written to.

use std::fs::File;

use super::{Place, Ran};

#[test]
fn a_result_that_cannot_be_written_is_an_error() {
    let place = Place::with_empty_engine();
    place.hearth(&["init"]).expect(0);
    for args in [
        &["plan", "--offline"][..],
        &["plan", "--offline", "-o", "json"],
        &["plan", "--dot"],
        &["validate"],
        &["validate", "-o", "yaml"],
        &["init", "-"],
        &["schema"],
        &["completions", "bash"],
        &["version"],
        &["help", "up"],
        &["--version"],
    ] {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let ran = Ran::of(args, place.command(args).stdout(full).output().unwrap());
        if args == ["version"] {
            place.compare("output_full", ran);
        } else {
            let ran = ran.expect(20);
            assert!(ran.err.starts_with("error: cannot write to standard output\n"), "{}: {}", ran.args, ran.err);
        }
    }
}

/// As behind `| head -1`.
#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let place = Place::new();
    for args in [&["completions", "bash"][..], &["schema"], &["--help"], &["plan", "--offline", "-f", "profiles/quick.yaml"]] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let ran = Ran::of(args, place.command(args).stdout(writer).output().unwrap()).expect(0);
        assert_eq!(ran.err, "", "{}", ran.args);
    }
}
