//! Whether the application answers through the gateway: a bring-up ends with the first 200.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::LazyLock;
use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep};

use super::ComponentError;
use crate::profile::Profile;
use crate::progress::Progress;

/// How long to wait for one answer.
const PATIENCE: Duration = Duration::from_secs(2);
/// The path to request: web passes it on to WAS.
const PATH: &str = "/api/whoami";
/// Pause between two requests.
const PAUSE: Duration = Duration::from_millis(100);

/// Uses no proxy between this machine and the gateway, whatever the environment sets.
static CLIENT: LazyLock<ureq::Agent> = LazyLock::new(|| {
    ureq::Agent::config_builder().proxy(None).max_idle_connections(0).timeout_global(Some(PATIENCE)).build().new_agent()
});

/// A request to the application: where to send it, and which host name to ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// Address to connect to.
    gateway: SocketAddrV4,
    /// Host name to ask for; none if any will do.
    host: Option<String>,
}

impl Question {
    /// The request to a profile's application at the gateway's address.
    pub fn of(profile: &Profile, vip: Ipv4Addr) -> Question {
        let gateway = SocketAddrV4::new(vip, 80);
        Question { gateway, host: profile.components.workloads.as_ref().and_then(|workloads| workloads.host()) }
    }

    /// What comes back instead of a 200 from the application; none if it answers.
    pub async fn trouble(&self) -> Option<String> {
        let mut request = CLIENT.get(format!("http://{}{PATH}", self.gateway));
        if let Some(host) = &self.host {
            request = request.header("host", host);
        }
        let ask = move || match request.call() {
            Ok(answer) if answer.status() == 200 => None,
            Ok(answer) => Some(format!("it answers {}", answer.status().as_u16())),
            Err(ureq::Error::StatusCode(404)) => Some("it answers 404: no route leads on".to_owned()),
            Err(ureq::Error::StatusCode(503)) => Some("it answers 503: nothing behind the gateway is ready".to_owned()),
            Err(ureq::Error::StatusCode(code)) => Some(format!("it answers {code}")),
            Err(ureq::Error::Timeout(_)) => {
                Some(format!("nothing comes back within {PATIENCE:?}: nobody has the address, or a firewall is in the way"))
            }
            Err(error) => Some(error.to_string()),
        };
        spawn_blocking(ask).await.unwrap_or_else(|error| Some(error.to_string()))
    }

    /// Waits for a 200. Nothing announces the first answer, so requests are sent ten times a second; what comes back instead is
    /// reported.
    ///
    /// # Errors
    /// [`ComponentError::NoAnswer`] when `limit` passes.
    pub async fn wait(&self, limit: Duration, progress: &Progress) -> Result<(), ComponentError> {
        let start = Instant::now();
        while let Some(last) = self.trouble().await {
            if start.elapsed() > limit {
                return Err(ComponentError::NoAnswer { url: self.to_string(), last, limit });
            }
            progress.say(last);
            sleep(PAUSE).await;
        }
        Ok(())
    }
}

impl fmt::Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Some(host) => write!(f, "http://{host}{PATH} at {}", self.gateway.ip()),
            None => write!(f, "http://{}{PATH}", self.gateway.ip()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn the_application_is_asked_by_its_host_name() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("bound").port();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("a connection");
            let mut head = [0; 1024];
            let read = stream.read(&mut head).expect("a request");
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").expect("written");
            String::from_utf8_lossy(&head[..read]).to_lowercase()
        });
        let question = Question { gateway: SocketAddrV4::new(Ipv4Addr::LOCALHOST, port), host: Some("blog.example.test".into()) };
        assert_eq!(question.to_string(), "http://blog.example.test/api/whoami at 127.0.0.1");
        assert_eq!(question.trouble().await, None);
        let head = server.join().expect("served");
        assert!(head.contains("host: blog.example.test\r\n"), "{head}");
    }
}
