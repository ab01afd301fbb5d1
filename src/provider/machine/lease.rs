//! A lease on a host: a file with its holder and the time when it ends. Two runs, even from different machines, never work on
//! one host at the same time; the lease of a killed run ends by itself, or with `hearth unlock`.

use std::time::Duration;

use super::script;
use crate::provider::{Command, Node, NodeError};

/// How long a lease lasts unless it is renewed.
pub const TERM: Duration = Duration::from_secs(90);
/// How often a run renews its leases.
pub const RENEWAL: Duration = Duration::from_secs(30);

/// Someone else holds the lease.
const HELD: i64 = 75;
/// The file with the lease: gone after a reboot, as runs are.
const LEASE: &str = "/run/hearth/lease";

/// $1 is the requester, $2 the term in seconds, $3 the holder in words. The same requester renews its lease.
const ACQUIRE: &str = r#"
mkdir -p /run/hearth && exec 9>/run/hearth/lock && flock -w 10 9 || exit 1
now=$(date +%s)
if read -r ends who holder 2>/dev/null </run/hearth/lease && [ "$who" != "$1" ] && [ "$ends" -gt "$now" ]; then
  echo "$((ends - now)) $who $holder"
  exit 75
fi
echo "$((now + $2)) $1 $3" >/run/hearth/lease
"#;

/// Who holds a lease.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Holder {
    /// User, machine and state directory: runs that share these are kept apart by the directory's lock.
    pub desk: String,
    /// Process and cluster, in words.
    pub who: String,
    /// Seconds until the lease ends; negative if it has ended.
    pub ends_in: i64,
}

impl Holder {
    fn parse(text: &str) -> Option<Holder> {
        let mut words = text.trim().splitn(3, ' ');
        let ends_in = words.next()?.parse().ok()?;
        Some(Holder { desk: in_words(words.next()?), who: words.next().unwrap_or_default().to_owned(), ends_in })
    }
}

/// Takes the lease for `desk`, or renews it. Returns the holder if that is someone else.
pub async fn acquire(node: &impl Node, desk: &str, who: &str) -> Result<Option<Holder>, NodeError> {
    let (term, desk) = (TERM.as_secs().to_string(), one_word(desk));
    let command = script(ACQUIRE, [&desk, &term, who]).timeout(Duration::from_secs(20));
    let argv = command.argv.clone();
    let output = node.exec(command).await?;
    if output.status == HELD {
        return Ok(Holder::parse(&output.text()));
    }
    node.expect_success(&argv, output).map(|_| None)
}

/// The current or last holder of the lease.
pub async fn holder(node: &impl Node) -> Result<Option<Holder>, NodeError> {
    let look = format!("read -r ends rest <{LEASE} && echo \"$((ends - $(date +%s))) $rest\" || true");
    Ok(Holder::parse(&node.run(Command::shell(format!("[ ! -f {LEASE} ] || {{ {look}; }}"))).await?.text()))
}

/// Gives the lease up; without `desk`, whoever holds it.
pub async fn release(node: &impl Node, desk: Option<&str>) -> Result<(), NodeError> {
    const RELEASE: &str = "[ -z \"$1\" ] || grep -qF \" $1 \" /run/hearth/lease 2>/dev/null || exit 0\nrm -rf /run/hearth\n";
    let desk = desk.map(one_word);
    node.run(script(RELEASE, desk.as_deref())).await.map(drop)
}

/// A desk in one word: the shell on the host splits the lease at blanks.
fn one_word(desk: &str) -> String {
    desk.replace('%', "%25").replace(' ', "%20").replace('\t', "%09").replace('\n', "%0A")
}

/// Undoes [`one_word`].
fn in_words(desk: &str) -> String {
    desk.replace("%0A", "\n").replace("%09", "\t").replace("%20", " ").replace("%25", "%")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_holder_is_read_back() {
        let holder = Holder::parse("42 ann@desk:/home/ann/state process 7, cluster homelab\n").expect("well formed");
        assert_eq!((holder.desk.as_str(), holder.ends_in), ("ann@desk:/home/ann/state", 42));
        assert_eq!(holder.who, "process 7, cluster homelab");
        assert_eq!(Holder::parse(""), None);
    }

    /// The host's shell treats a lease whose desk has blanks correctly: the same desk renews it, another one does not get it.
    #[test]
    fn a_lease_survives_blanks() {
        let folder = tempfile::tempdir().expect("a folder");
        let script = ACQUIRE.replace("/run/hearth", &folder.path().display().to_string());
        let ask = |desk: &str| {
            let arguments = ["-c", &script, "sh", &one_word(desk), "90", "process 7, cluster x"];
            let output = std::process::Command::new("sh").args(arguments).output().expect("a shell");
            (output.status.code(), Holder::parse(&String::from_utf8_lossy(&output.stdout)))
        };
        let desk = "ann@desk:/home/ann/my state 100%20";
        assert_eq!(ask(desk).0, Some(0));
        assert_eq!(ask(desk).0, Some(0), "the same desk renews");
        let (code, holder) = ask("bob@desk:/home/bob");
        let holder = holder.expect("someone");
        assert_eq!((code, holder.desk.as_str(), holder.who.as_str()), (Some(75), desk, "process 7, cluster x"));
    }
}
