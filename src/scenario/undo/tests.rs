use super::*;

fn change(id: &str, undo: Undo) -> Change {
    let at = "2026-11-26T00:00:00Z".parse().expect("a time");
    Change { id: id.into(), run: "r".into(), at, undo, settle_ms: 0, lease: None, made: None }
}

fn standstill(id: &str) -> Change {
    change(id, Undo::Standstill { node: "w".into() })
}

#[tokio::test]
async fn what_was_opened_and_not_closed_stands_with_what_the_server_made_of_it() {
    let scratch = tempfile::tempdir().expect("scratch");
    let path = scratch.path().join("undo.jsonl");
    assert_eq!(file::standing(&path).expect("absent is empty"), []);
    let file = file::File::open(&path).expect("made");
    file.opened(&standstill("a")).await.expect("written");
    file.opened(&standstill("b")).await.expect("written");
    file.closed("a").await.expect("written");
    assert_eq!(file::standing(&path).expect("readable"), [standstill("b")]);
    let made = Change { made: Some(vec![Some(Value::from(3)), None]), ..standstill("b") };
    file.opened(&made).await.expect("written");
    assert_eq!(file::standing(&path).expect("readable"), [made]);
}

#[tokio::test]
async fn nodes_are_woken_by_the_file_alone_latest_change_first() {
    struct Noted(std::sync::Mutex<Vec<String>>);
    impl Nodes for Noted {
        fn run<'a>(&'a self, node: &'a str, script: String) -> super::super::nodes::Pending<'a, String> {
            self.0.lock().expect("unpoisoned").push(format!("{node}: {script}"));
            Box::pin(async { Ok(String::new()) })
        }
        fn pause<'a>(&'a self, _: &'a str, _: Duration) -> super::super::nodes::Pending<'a, ()> {
            unreachable!("nothing pauses here")
        }
        fn resume<'a>(&'a self, node: &'a str) -> super::super::nodes::Pending<'a, ()> {
            self.0.lock().expect("unpoisoned").push(format!("{node} goes on"));
            Box::pin(async { Ok(()) })
        }
    }
    let scratch = tempfile::tempdir().expect("scratch");
    let path = scratch.path().join("undo.jsonl");
    let file = file::File::open(&path).expect("made");
    file.opened(&standstill("a")).await.expect("written");
    let script = Undo::OnNode { node: "n2".into(), script: "kill -CONT 1".into() };
    file.opened(&change("b", script)).await.expect("written");
    let nodes = Noted(std::sync::Mutex::default());
    wake_nodes(&nodes, &path).await.expect("woken");
    assert_eq!(*nodes.0.lock().expect("unpoisoned"), ["n2: kill -CONT 1", "w goes on"]);
    assert_eq!(file::standing(&path).expect("readable").len(), 2, "entries stay for heal");
}

#[tokio::test]
async fn only_a_lease_that_is_over_is_overdue() {
    let scratch = tempfile::tempdir().expect("scratch");
    let path = scratch.path().join("undo.jsonl");
    let far = Timestamp::now().checked_add(Duration::from_secs(60)).expect("in range");
    let file = file::File::open(&path).expect("made");
    file.opened(&standstill("a")).await.expect("written");
    file.opened(&Change { lease: Some(far), ..standstill("b") }).await.expect("written");
    assert!(!is_overdue(&path).expect("readable"));
    file.opened(&Change { lease: Some(standstill("c").at), ..standstill("c") }).await.expect("written");
    assert_eq!(overdue(&path).expect("readable").iter().map(|change| change.id.as_str()).collect::<Vec<_>>(), ["c"]);
}
