//! Files that are named but cannot be read: one family, whichever verb they are for.

use super::Place;

#[test]
fn what_is_named_but_cannot_be_read_is_an_input_file_s_fault() {
    let place = Place::with_empty_engine();
    std::fs::write(place.work.join("program"), b"\x7fELF\x02\xff").unwrap();
    std::fs::create_dir(place.work.join("folder")).unwrap();
    for (verb, what) in
        [(&["validate", "-f"][..], "profile"), (&["test", "--name", "x"], "scenario"), (&["compare"], "comparison")]
    {
        for (file, hint) in [("absent", ""), ("program", "that is not text"), ("folder", "that is a folder")] {
            // scenarios may be given as a folder of them
            if (what, file) == ("scenario", "folder") {
                continue;
            }
            let ran = place.hearth(&[verb, &[file]].concat()).expect(10);
            assert!(ran.err.starts_with(&format!("error: cannot read {what} {file}\n")) && ran.err.contains(hint), "{}", ran.err);
        }
    }
    place.hearth(&["report", "absent"]).expect(10);
    place.snapshot("input_absent", &["validate", "-f", "absent"]);
    place.snapshot("input_program", &["validate", "-f", "program"]);
    place.snapshot("input_folder", &["validate", "-f", "folder"]);
}
