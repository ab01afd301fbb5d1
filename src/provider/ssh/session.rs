//! From an address to a session that is logged in. Everything here blocks, for up to [`TIMEOUT`] per exchange.

use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::fd::{AsFd, AsRawFd};
use std::path::PathBuf;
use std::time::Duration;

use ssh2::{MethodType, Session};

use super::error::{At, SshError};
use super::hostkey::{self, Policy};
use super::secret::Environment;
use super::{auth, jump};

/// How long connecting may take, and each answer until the login.
pub(super) const TIMEOUT: Duration = Duration::from_secs(10);
/// How long data may stay unacknowledged before the kernel gives up, in milliseconds.
const UNACKNOWLEDGED: u32 = 20_000;
/// AES-GCM first: one pass in hardware. Measured on loopback, it is twice as fast as the library's default (ChaCha20).
const CIPHERS: &str = "aes128-gcm@openssh.com,aes256-gcm@openssh.com,aes128-ctr,aes256-ctr,chacha20-poly1305@openssh.com";

/// One host, and how to log in to it.
#[derive(Debug, Clone)]
pub(super) struct Target {
    pub at: At,
    pub host: Ipv4Addr,
    pub port: u16,
    pub user: String,
    pub identity: Option<PathBuf>,
    pub policy: Policy,
    pub environment: Environment,
    pub jump: Option<Box<Target>>,
}

/// Connects, verifies the host, logs in. The session blocks; its requests end after [`TIMEOUT`].
pub(super) fn open(target: &Target) -> Result<Session, SshError> {
    match &target.jump {
        None => {
            let address = SocketAddr::from((target.host, target.port));
            let connect = |source| SshError::Connect { at: target.at.clone(), source };
            let stream = TcpStream::connect_timeout(&address, TIMEOUT).map_err(connect)?;
            stream.set_nodelay(true).map_err(connect)?;
            rustix::net::sockopt::set_tcp_user_timeout(stream.as_fd(), UNACKNOWLEDGED).map_err(|errno| connect(errno.into()))?;
            over(target, stream)
        }
        Some(jump) => {
            let first = open(jump).map_err(|source| SshError::Jump { at: target.at.clone(), source: Box::new(source) })?;
            over(target, jump::tunnel(first, target)?)
        }
    }
}

fn over<S: AsFd + AsRawFd + 'static>(target: &Target, stream: S) -> Result<Session, SshError> {
    let handshake = |source| SshError::Handshake { at: target.at.clone(), source };
    let mut session = Session::new().map_err(handshake)?;
    session.set_timeout(TIMEOUT.as_millis() as u32); // ten seconds fit
    session.set_tcp_stream(stream);
    for direction in [MethodType::CryptCs, MethodType::CryptSc] {
        session.method_pref(direction, CIPHERS).map_err(handshake)?;
    }
    hostkey::prefer(&session, &target.policy, target.host, target.port)?;
    session.handshake().map_err(handshake)?;
    hostkey::verify(&session, &target.policy, &target.environment.known_hosts(), &target.at, target.host, target.port)?;
    auth::login(&session, target)?;
    Ok(session)
}

#[cfg(test)]
mod tests {
    unsafe extern "C" {
        /// The calling thread, or 0 in a library that was built without threads (crypto/threads_none.c).
        fn CRYPTO_THREAD_get_current_id() -> usize;
    }

    #[test]
    fn the_library_below_has_locks() {
        // takes no argument and only reads
        assert_ne!(unsafe { CRYPTO_THREAD_get_current_id() }, 0, "OpenSSL lacks threads: see .cargo/config.toml");
    }
}
