//! Which hosts belong to a cluster: a host leaves the record only when it was released, or when its owner says that it is gone
//! for good.

use super::UsageError;
use crate::error::{Explain, Family, Result};
use crate::profile::{Host, Kept, Profile};
use crate::provider::Provider;
use crate::provider::machine::HOME;
use crate::steps::Session;

/// Keeps the profile, together with the hosts that it no longer names but that still belong to the cluster or do not answer;
/// returns those hosts. `forgotten` hosts are not among them.
pub async fn keep(session: &Session, forgotten: &[String]) -> Result<Vec<Host>> {
    let mut leaving = session.provider.leaving().await;
    leaving.retain(|host| !forgotten.contains(&host.name));
    session.profile.keep(&session.state.profile(), &leaving)?;
    Ok(leaving)
}

/// Refuses to continue if another run has added hosts to the record since it was read: this run would not release them.
///
/// # Errors
/// [`UsageError::Changed`].
pub fn refuse_stale(session: &Session) -> Result<()> {
    let known = session.provider.hosts();
    let hosts = Kept::read(&session.state.profile())?.map(|kept| kept.hosts()).unwrap_or_default();
    match hosts.iter().all(|host| known.iter().any(|known| known.name == host.name)) {
        true => Ok(()),
        false => Err(UsageError::Changed { name: session.profile.name.clone() }.into()),
    }
}

/// Refuses a profile in which a host has another address than in the record (`former`): the machine at the old address would be
/// forgotten with all that is on it, and its kubelet would go on under the name.
///
/// # Errors
/// [`MembersError::Moved`], with all of them.
pub fn refuse_moved(profile: &Profile, former: &[Host]) -> Result<(), MembersError> {
    let moved = profile.provider.hosts().iter().filter_map(|host| {
        let was = former.iter().find(|was| was.name == host.name && was.address != host.address)?;
        Some((host.name.clone(), format!("`{}` is at {}, the profile says {}", host.name, was.address, host.address)))
    });
    let (hosts, lines): (Vec<_>, Vec<_>) = moved.unzip();
    match hosts.is_empty() {
        true => Ok(()),
        false => Err(MembersError::Moved { cluster: profile.name.clone(), hosts, lines: lines.join("\n  ") }),
    }
}

/// Refuses to forget a host that answers, or that the profile asks for.
///
/// # Errors
/// [`UsageError::NotToForget`].
pub async fn refuse_to_forget_the_living(session: &Session, forgotten: &[String]) -> Result<()> {
    if forgotten.is_empty() {
        return Ok(());
    }
    let wanted = session.profile.nodes();
    let existing = session.provider.existing().await?;
    for host in forgotten {
        let why = match existing.iter().find(|node| node.name == *host) {
            _ if wanted.contains(host) => ": the profile asks for it, take it out first",
            Some(node) if !node.away => ": it answers, and is released as it leaves",
            Some(_) => continue,
            None => "",
        };
        return Err(UsageError::NotToForget { name: session.profile.name.clone(), host: host.clone(), why }.into());
    }
    Ok(())
}

/// Explains what happens to hosts that left without being released; none if all were.
pub fn unreleased(profile: &Profile, hosts: &[Host]) -> Option<String> {
    let name = |host: &Host| host.name.clone();
    let names = hosts.iter().map(name).collect::<Vec<_>>();
    let first = names.first()?;
    Some(format!(
        "{} does not answer and was left out: the next `hearth up` that reaches it makes it a plain host again, and so does\n{}\n\
         `hearth up --forget {first}` says that it is gone for good",
        names.join(", "),
        by_hand(profile, hosts)
    ))
}

/// A command for each host that makes it a plain host again.
fn by_hand(profile: &Profile, hosts: &[Host]) -> String {
    let user = profile.provider.login();
    let sudo = if user == "root" { "" } else { "sudo " };
    hosts.iter().map(|host| format!("  ssh {user}@{} {sudo}sh {HOME}/release", host.address)).collect::<Vec<_>>().join("\n")
}

/// Hosts were not made plain hosts again, or would not be.
#[derive(Debug, thiserror::Error)]
pub enum MembersError {
    /// They do not answer, and may or may not come back.
    #[error("{} of cluster `{cluster}` does not answer, and is as it was; all others are plain hosts again", .hosts.join(", "))]
    Away {
        /// The cluster's name.
        cluster: String,
        /// Names of the hosts.
        hosts: Vec<String>,
    },
    /// They have other addresses in the profile, where there may be other machines.
    #[error("hosts of cluster `{cluster}` have other addresses:\n  {lines}")]
    Moved {
        /// The cluster's name.
        cluster: String,
        /// Names of the hosts.
        hosts: Vec<String>,
        /// Each with both addresses, a line each.
        lines: String,
    },
    /// Their owner said that they are gone for good.
    #[error("cluster `{cluster}` is gone, but {} was not cleaned: it does not answer. Should it be back:\n{commands}", .hosts.join(", "))]
    Forgotten {
        /// The cluster's name.
        cluster: String,
        /// Names of the hosts.
        hosts: Vec<String>,
        /// What to run on each host should it come back, a line each.
        commands: String,
    },
}

impl MembersError {
    /// The error for hosts that were forgotten.
    pub fn forgotten(profile: &Profile, hosts: &[Host]) -> MembersError {
        let names = hosts.iter().map(|host| host.name.clone()).collect();
        MembersError::Forgotten { cluster: profile.name.clone(), hosts: names, commands: by_hand(profile, hosts) }
    }
}

/// The options that say that these hosts are gone for good, each after a blank.
fn forget(hosts: &[String]) -> String {
    hosts.iter().map(|host| format!(" --forget {host}")).collect()
}

impl Explain for MembersError {
    fn family(&self) -> Family {
        match self {
            MembersError::Away { .. } => Family::Ssh,
            MembersError::Moved { .. } => Family::Preflight,
            MembersError::Forgotten { .. } => Family::Leftover,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            MembersError::Away { hosts, .. } => {
                let forget = forget(hosts);
                Some(format!("switch it on and run `hearth down` again, or say that it is gone for good: `hearth down{forget}`"))
            }
            MembersError::Moved { cluster, hosts, .. } => {
                let forget = forget(hosts);
                Some(format!(
                    "write the address that it has; another machine gets the name once the old one has left the profile and `hearth up` \
                     has released it (`hearth up{forget}` if it is gone for good); a control plane takes `hearth down --name {cluster}`"
                ))
            }
            MembersError::Forgotten { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::{Source, load};

    #[test]
    fn a_host_that_was_left_out_is_told_with_the_command_for_later() {
        let profile = load(&[Source::File("profiles/homelab.yaml".into())], &[]).expect("valid");
        assert_eq!(unreleased(&profile, &[]), None);
        let (host, user) = (&profile.provider.hosts()[1], profile.provider.login());
        let words = unreleased(&profile, std::slice::from_ref(host)).expect("one");
        let sudo = if user == "root" { "" } else { "sudo " };
        let command = format!("ssh {user}@{} {sudo}sh /var/lib/hearth/release", host.address);
        assert!(words.contains(&command) && words.contains(&format!("--forget {}", host.name)), "{words}");
        assert!(MembersError::forgotten(&profile, std::slice::from_ref(host)).to_string().contains(&command));
    }
}
