//! A server in this process that does next to nothing: what remains is the generator's own cost. Tests can make it misbehave.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How the server misbehaves; not at all by default.
#[derive(Debug, Clone, Default)]
pub struct Misbehaviour {
    /// Every n-th request is read but never answered, and its connection closed.
    pub swallow_every: Option<u64>,
    /// When it freezes, counted from its start, and for how long: nothing is answered then.
    pub freeze: Option<(Duration, Duration)>,
    /// The delay before each answer.
    pub delay: Duration,
    /// The body of each answer; `ok` if none.
    pub body: Option<&'static str>,
}

/// A running server; it ends when this is dropped.
#[derive(Debug)]
pub struct Server {
    /// The address it listens on.
    pub address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    misbehaviour: Misbehaviour,
    started: Instant,
    over: AtomicBool,
    requests: AtomicU64,
    swallowed: AtomicU64,
}

impl Server {
    /// Listens on a free port of the loopback address.
    ///
    /// # Errors
    /// There is no port or no thread available.
    pub fn start(misbehaviour: Misbehaviour) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            misbehaviour,
            started: Instant::now(),
            over: AtomicBool::new(false),
            requests: AtomicU64::new(0),
            swallowed: AtomicU64::new(0),
        });
        let accepting = shared.clone();
        std::thread::Builder::new().name("loopback".into()).spawn(move || {
            for stream in listener.incoming() {
                if accepting.over.load(Ordering::Relaxed) {
                    return;
                }
                let shared = accepting.clone();
                if let Ok(stream) = stream {
                    // a connection that ends is the client's business
                    std::thread::spawn(move || drop(shared.serve(stream)));
                }
            }
        })?;
        Ok(Server { address, shared })
    }

    /// How many requests were left unanswered on purpose.
    #[cfg(test)]
    pub fn swallowed(&self) -> u64 {
        self.shared.swallowed.load(Ordering::Relaxed)
    }

    /// How many requests arrived.
    #[cfg(test)]
    pub fn requests(&self) -> u64 {
        self.shared.requests.load(Ordering::Relaxed)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::Relaxed);
        // wakes the accepting thread; if that fails, the thread is already gone
        let _ = TcpStream::connect(self.address);
    }
}

impl Shared {
    fn serve(&self, mut stream: TcpStream) -> io::Result<()> {
        let body = self.misbehaviour.body.unwrap_or("ok");
        let fields = format!("content-length: {}\r\nx-pod: loopback\r\nx-attempt: 1", body.len());
        let answer = format!("HTTP/1.1 200 OK\r\n{fields}\r\n\r\n{body}");
        stream.set_nodelay(true)?;
        let mut buffer = [0; 4096];
        let mut filled = 0;
        loop {
            let count = stream.read(&mut buffer[filled..])?;
            if count == 0 || self.over.load(Ordering::Relaxed) {
                return Ok(());
            }
            filled += count;
            if !buffer[..filled].ends_with(b"\r\n\r\n") {
                continue;
            }
            filled = 0;
            let number = self.requests.fetch_add(1, Ordering::Relaxed) + 1;
            if self.misbehaviour.swallow_every.is_some_and(|every| number.is_multiple_of(every)) {
                self.swallowed.fetch_add(1, Ordering::Relaxed);
                return Ok(());
            }
            std::thread::sleep(self.misbehaviour.delay);
            if let Some((at, lasts)) = self.misbehaviour.freeze
                && self.started.elapsed() >= at
            {
                std::thread::sleep((at + lasts).saturating_sub(self.started.elapsed()));
            }
            stream.write_all(answer.as_bytes())?;
        }
    }
}
