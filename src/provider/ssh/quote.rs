//! Command lines for the remote login shell: sshd takes one string, and passes it to `$SHELL -c`.

use super::error::SshError;
use super::secret::Secret;

/// Prefix of the line on standard error with which a command reports its process group.
const GROUP: &str = "hearth-group:";
/// The line on standard output that separates a command's output from what the login shell prints: bash reads `.bashrc`, which
/// may print a greeting, for every command of sshd. (bash(1), INVOCATION: "Bash attempts to determine when it is being run with
/// its standard input connected to a network connection".)
const BEGIN: &str = "hearth-output:\n";
/// Both marks are searched for up to this many bytes: greetings are shorter.
const GREETING: usize = 64 * 1024;
/// Where programs are searched for. sudo's `secure_path` lacks /usr/local/bin on Red Hat's family, as does sshd's own default
/// on some systems.
const PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// The line that ends what `sudo -S` may read from standard input.
const END: &str = "hearth-end-of-password";

/// How commands become root.
#[derive(Debug, Clone)]
pub(super) enum Privilege {
    /// The login user is root.
    Root,
    /// `sudo -n`: no password is asked for.
    Sudo,
    /// `sudo -S`: the password goes ahead of the command's own standard input.
    Password(Secret),
}

/// A command line, and what has to be sent before its standard input.
pub(super) struct Line {
    pub command: String,
    pub preamble: Option<Vec<u8>>,
}

/// The command line that runs `argv` as root, its arguments passed unchanged. It first prints the mark that starts its own
/// output, and its process group.
///
/// With a password, a shell drops everything up to a mark: whether or not sudo read the password (it does not if the user's
/// rights require none), the command never sees it.
pub(super) fn privileged(privilege: &Privilege, argv: &[String]) -> Result<Line, SshError> {
    let announce = format!("{PATH}:$PATH; export PATH; echo {}; echo {GROUP}$$ >&2; exec \"$@\"", BEGIN.trim_end());
    let skip = format!("while IFS= read -r line; do [ \"$line\" != {END} ] || exec \"$@\"; done");
    let mut words = vec!["sh", "-c", &announce, "sh"];
    let preamble = match privilege {
        Privilege::Root => None,
        Privilege::Sudo => {
            words.extend(["sudo", "-n", "--", "env", PATH]);
            None
        }
        Privilege::Password(secret) => {
            words.extend(["sudo", "-k", "-S", "-p", "", "--", "env", PATH, "sh", "-c", &skip, "sh"]);
            Some(format!("{}\n{END}\n", secret.reveal()).into_bytes())
        }
    };
    words.extend(argv.iter().map(String::as_str));
    Ok(Line { command: plain(&words)?, preamble })
}

/// The command line of `argv` for the login user.
pub(super) fn plain<S: AsRef<str>>(argv: &[S]) -> Result<String, SshError> {
    shlex::try_join(argv.iter().map(AsRef::as_ref)).map_err(|_| SshError::Argument)
}

/// The command that ends process groups: politely, and after two seconds by force.
pub(super) fn end_groups(groups: &[u32]) -> [String; 3] {
    let groups = groups.iter().map(u32::to_string).collect::<Vec<_>>().join(" ");
    // `kill -s NAME -- -GROUP` is the one form that every shell understands
    let script = format!(
        "signal() {{ found=; for group in {groups}; do kill -s $1 -- -$group && found=1; done; [ $found ]; }} 2>/dev/null
         signal TERM; n=0; while signal 0 && [ $n -lt 20 ]; do sleep 0.1; n=$((n+1)); done; signal KILL"
    );
    ["sh".to_owned(), "-c".to_owned(), script]
}

/// Removes the line with the process group from standard error, once it is complete, and anything the login shell printed
/// before it.
pub(super) fn take_group(stderr: &mut Vec<u8>) -> Option<u32> {
    // a shell that traces (`set -x`) prints the command line first, in which no number follows the word
    let starts =
        stderr[..stderr.len().min(GREETING)].windows(GROUP.len()).enumerate().filter(|(_, window)| *window == GROUP.as_bytes());
    let (end, group) = starts.map(|(start, _)| start + GROUP.len()).find_map(|digits| {
        let end = digits + stderr[digits..].iter().position(|byte| *byte == b'\n')?;
        Some((end, std::str::from_utf8(&stderr[digits..end]).ok()?.parse().ok()?))
    })?;
    stderr.drain(..=end);
    Some(group)
}

/// Drops what the login shell printed before the command's own standard output; false while the mark is not there yet.
pub(super) fn drop_greeting(stdout: &mut Vec<u8>) -> bool {
    let start = stdout[..stdout.len().min(GREETING)].windows(BEGIN.len()).position(|window| window == BEGIN.as_bytes());
    let Some(start) = start else { return false };
    stdout.drain(..start + BEGIN.len());
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owned(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    /// Runs a command line in a real shell.
    fn by_shell(command: &str) -> Vec<u8> {
        let output = std::process::Command::new("sh").args(["-c", command]).output().expect("a shell");
        assert!(output.status.success(), "{output:?}");
        output.stdout
    }

    #[test]
    fn arguments_arrive_as_they_are() {
        let awkward = [
            "",
            " ",
            "a b",
            "it's",
            "\"",
            "$HOME",
            "`id`",
            "\\",
            "*",
            "~",
            "a\nb",
            "-n",
            "ä€",
            ";&|<>(){}!#",
            "'\\''",
            "=x",
            "\u{1}",
        ];
        let argv: Vec<&str> = ["printf", "%s\\0"].into_iter().chain(awkward).collect();
        let expected: Vec<u8> = awkward.iter().flat_map(|word| [word.as_bytes(), b"\0"].concat()).collect();
        assert_eq!(by_shell(&plain(&argv).expect("quotable")), expected);
        let line = privileged(&Privilege::Root, &owned(&argv)).expect("quotable");
        let mut output = by_shell(&format!("echo Welcome; {}", line.command));
        assert!(drop_greeting(&mut output));
        assert_eq!(output, expected);
        assert!(plain(&["a\0b"]).is_err());
    }

    #[test]
    fn a_process_group_is_ended_however_stubborn() {
        use std::os::unix::process::{CommandExt, ExitStatusExt};
        for (script, signal) in [("sleep 60; true", 15), ("trap '' TERM; while :; do sleep 0.1; done", 9)] {
            let mut child = std::process::Command::new("sh").args(["-c", script]).process_group(0).spawn().expect("a shell");
            std::thread::sleep(std::time::Duration::from_millis(200));
            by_shell(&format!("{}; true", plain(&end_groups(&[child.id()])).expect("quotable")));
            assert_eq!(child.wait().expect("ended").signal(), Some(signal), "{script}");
        }
    }

    #[test]
    fn passwords_are_not_on_the_command_line() {
        let line = privileged(&Privilege::Password(Secret::new("hunter2")), &owned(&["id", "-u"])).expect("quotable");
        assert!(!line.command.contains("hunter2") && line.command.contains("sudo -k -S -p '' -- env"), "{}", line.command);
        assert_eq!(line.preamble.expect("a password"), b"hunter2\nhearth-end-of-password\n");
    }

    #[test]
    fn the_process_group_is_taken_out_of_standard_error() {
        let mut stderr = b"banner\nhearth-group:12".to_vec();
        assert_eq!(take_group(&mut stderr), None);
        stderr.extend_from_slice(b"34\nreal text");
        assert_eq!(take_group(&mut stderr), Some(1234));
        assert_eq!(stderr, b"real text");
        let mut traced = b"+ sh -c 'echo hearth-group:$$ >&2'\nhearth-group:7\n".to_vec();
        assert_eq!((take_group(&mut traced), traced), (Some(7), Vec::new()));
    }

    #[test]
    fn programs_are_found_whatever_path_sudo_or_sshd_gives() {
        for privilege in [Privilege::Sudo, Privilege::Password(Secret::new("x"))] {
            let line = privileged(&privilege, &owned(&["ctr"])).expect("quotable");
            assert!(line.command.contains("-- env 'PATH=/usr/local/sbin:/usr/local/bin:"), "{}", line.command);
        }
        let line = privileged(&Privilege::Root, &owned(&["sh", "-c", "echo $PATH"])).expect("quotable");
        let path = String::from_utf8(by_shell(&format!("PATH=/usr/bin:/bin; {}", line.command))).expect("text");
        assert_eq!(path, format!("{BEGIN}{}:/usr/bin:/bin\n", PATH.trim_start_matches("PATH=")));
    }
}
