//! One request after the other, each on its own connection, as `curl` in a loop sends them: a closed loop, whose times include
//! the handshake and hide every queue. It is for repeating measurements made that way; it does not replace the open loop.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use super::connection::connect_outcome;
use super::http::{Prepared, Reader, Response};
use super::ledger::Outcome;
use super::{LoadError, Target, micros, request_id};

/// One request on its own connection, and its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Visit {
    /// Time from before the handshake to the last byte of the answer, in microseconds; `curl` calls it `time_total`.
    pub total: u32,
    /// Its outcome; any complete answer is [`Outcome::Ok`], whatever its status.
    pub outcome: Outcome,
    /// The status of the answer; 0 without one.
    pub status: u16,
    /// CRC-32 of the body; of an empty body if there is no answer.
    pub body: u32,
}

/// Sends one request and waits for its answer; blocks the thread for at most `timeout`.
pub fn visit(target: &Target, id: &str, timeout: Duration) -> Visit {
    let begun = Instant::now();
    let answer = exchange(target, id, begun + timeout);
    let total = micros(begun.elapsed());
    match answer {
        Ok(response) => Visit { total, outcome: Outcome::Ok, status: response.status, body: response.body },
        Err(outcome) => Visit { total, outcome, status: 0, body: 0 },
    }
}

/// Sends `count` requests one after the other. Stops early, with what there is, once `patience` has passed.
///
/// # Errors
/// The thread that sends them died.
pub async fn visits(
    target: Target,
    run: String,
    count: u32,
    timeout: Duration,
    patience: Duration,
) -> Result<Vec<Visit>, LoadError> {
    let begun = Instant::now();
    let all = move || {
        let numbers = (0..count).take_while(|_| begun.elapsed() < patience);
        numbers.map(|number| visit(&target, &request_id(&run, number), timeout)).collect()
    };
    tokio::task::spawn_blocking(all).await.map_err(|_| LoadError::Thread)
}

fn exchange(target: &Target, id: &str, deadline: Instant) -> Result<Response, Outcome> {
    let left = || deadline.saturating_duration_since(Instant::now()).max(Duration::from_micros(1));
    let mut stream = TcpStream::connect_timeout(&target.address, left()).map_err(|error| connect_outcome(&error))?;
    let request = Prepared::new(target);
    let sent = stream.set_nodelay(true).and_then(|()| stream.set_write_timeout(Some(left())));
    sent.and_then(|()| stream.write_all(&request.bytes(id))).map_err(|_| Outcome::ResetAfterWrite)?;
    let mut reader = request.reader(&Vec::new().into());
    let mut scratch = vec![0; 64 * 1024];
    let cut = |reader: &Reader| if reader.has_head() { Outcome::TruncatedBody } else { Outcome::ResetAfterWrite };
    loop {
        if Instant::now() >= deadline {
            return Err(Outcome::Timeout);
        }
        stream.set_read_timeout(Some(left())).map_err(|_| Outcome::ResetAfterWrite)?;
        match stream.read(&mut scratch) {
            Ok(0) => return reader.end().ok_or_else(|| cut(&reader)),
            Ok(count) => match reader.feed(&scratch[..count]) {
                Ok(Some(response)) => return Ok(response),
                Ok(None) => {}
                Err(_) => return Err(Outcome::Malformed),
            },
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return Err(cut(&reader)),
        }
    }
}
