//! Signals by name, which is how SSH reports a program that was killed by one.

/// Number of a signal by its name in SSH (RFC 4254, 6.10), including the names that OpenSSH adds with a suffix.
pub(super) fn signal_number(name: &str) -> i64 {
    let names = [
        ("HUP", 1),
        ("INT", 2),
        ("QUIT", 3),
        ("ILL", 4),
        ("TRAP", 5),
        ("ABRT", 6),
        ("BUS", 7),
        ("FPE", 8),
        ("KILL", 9),
        ("USR1", 10),
        ("SEGV", 11),
        ("USR2", 12),
        ("PIPE", 13),
        ("ALRM", 14),
        ("TERM", 15),
        ("SYS", 31),
    ];
    let name = name.split('@').next().unwrap_or(name);
    names.iter().find(|(known, _)| *known == name).map_or(127, |(_, number)| *number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_and_without_a_suffix_are_known() {
        assert_eq!((signal_number("TERM"), signal_number("KILL"), signal_number("SYS@openssh.com")), (15, 9, 31));
        assert_eq!(signal_number("ODD"), 127);
    }
}
