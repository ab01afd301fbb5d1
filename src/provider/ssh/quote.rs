//! Command lines for the remote login shell: sshd takes one string, and gives it to `$SHELL -c`.

use super::error::SshError;
use super::secret::Secret;

/// Starts the line by which a command tells its process group, on standard error.
const GROUP: &str = "hearth-group:";
/// The line that ends what `sudo -S` may read of standard input.
const END: &str = "hearth-end-of-password";

/// How commands become root's.
#[derive(Debug, Clone)]
pub(super) enum Privilege {
    /// The login user is root.
    Root,
    /// `sudo -n`: no password is asked.
    Sudo,
    /// `sudo -S`: the password goes ahead of the command's own standard input.
    Password(Secret),
}

/// A command line, and what has to be sent ahead of its standard input.
pub(super) struct Line {
    pub command: String,
    pub preamble: Option<Vec<u8>>,
}

/// The command line that runs `argv` as root, its arguments as they are, and tells its process group first.
///
/// With a password, a shell drops everything up to a mark: whether sudo read the password (it does not when the
/// user's rights ask for none), the command never sees it.
pub(super) fn privileged(privilege: &Privilege, argv: &[String]) -> Result<Line, SshError> {
    let announce = format!("echo {GROUP}$$ >&2; exec \"$@\"");
    let skip = format!("while IFS= read -r line; do [ \"$line\" != {END} ] || exec \"$@\"; done");
    let mut words = vec!["sh", "-c", &announce, "sh"];
    let preamble = match privilege {
        Privilege::Root => None,
        Privilege::Sudo => {
            words.extend(["sudo", "-n", "--"]);
            None
        }
        Privilege::Password(secret) => {
            words.extend(["sudo", "-k", "-S", "-p", "", "--", "sh", "-c", &skip, "sh"]);
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

/// Ends process groups: politely, then after two seconds for good.
pub(super) fn end_groups(groups: &[u32]) -> [String; 3] {
    let groups = groups.iter().map(u32::to_string).collect::<Vec<_>>().join(" ");
    // `kill -s NAME -- -GROUP` is the one form that every shell understands
    let script = format!(
        "signal() {{ found=; for group in {groups}; do kill -s $1 -- -$group && found=1; done; [ $found ]; }} 2>/dev/null
         signal TERM; n=0; while signal 0 && [ $n -lt 20 ]; do sleep 0.1; n=$((n+1)); done; signal KILL"
    );
    ["sh".to_owned(), "-c".to_owned(), script]
}

/// Takes the line with the process group out of standard error, once it is there as a whole.
pub(super) fn take_group(stderr: &mut Vec<u8>) -> Option<u32> {
    let start = stderr.windows(GROUP.len()).position(|window| window == GROUP.as_bytes())?;
    let digits = start + GROUP.len();
    let end = digits + stderr[digits..].iter().position(|byte| *byte == b'\n')?;
    let group = std::str::from_utf8(&stderr[digits..end]).ok()?.parse().ok()?;
    stderr.drain(start..=end);
    Some(group)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owned(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    /// What a real shell makes of a command line.
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
        assert_eq!(by_shell(&line.command), expected);
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
        assert!(!line.command.contains("hunter2") && line.command.contains("sudo -k -S -p '' --"), "{}", line.command);
        assert_eq!(line.preamble.expect("a password"), b"hunter2\nhearth-end-of-password\n");
    }

    #[test]
    fn the_process_group_is_taken_out_of_standard_error() {
        let mut stderr = b"banner\nhearth-group:12".to_vec();
        assert_eq!(take_group(&mut stderr), None);
        stderr.extend_from_slice(b"34\nreal text");
        assert_eq!(take_group(&mut stderr), Some(1234));
        assert_eq!(stderr, b"banner\nreal text");
    }
}
