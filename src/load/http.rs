//! As much HTTP/1.1 as the generator needs: a request built once, responses read to their last byte.

use super::Target;

/// Most bytes of a response's head.
const HEAD_LIMIT: usize = 32 * 1024;

/// The constant part of every request; an id and [`END`] follow.
pub(super) fn prefix(Target { host, path, .. }: &Target) -> Vec<u8> {
    let version = env!("CARGO_PKG_VERSION");
    format!("GET {path} HTTP/1.1\r\nhost: {host}\r\nuser-agent: hearth/{version}\r\naccept: */*\r\nx-request-id: ").into_bytes()
}

/// What ends a request after its id.
pub(super) const END: &[u8] = b"\r\n\r\n";

/// What the generator keeps of a response's head.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Head {
    pub status: u16,
    /// `x-pod`.
    pub pod: Option<String>,
    /// The larger of `x-attempt` and `x-gateway-attempt`, 0 when neither is there.
    pub attempt: u8,
    /// The server keeps the connection.
    pub keep_alive: bool,
    /// CRC-32 of the body.
    pub body: u32,
}

/// Not a response of HTTP/1.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Malformed;

/// Where in the body the reader is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Body {
    /// The head is not complete.
    Head,
    /// So many bytes are missing.
    Length(u64),
    /// The size line of a chunk comes next.
    ChunkSize,
    /// So many bytes of a chunk and its line end are missing.
    Chunk(u64),
    /// Lines after the last chunk, up to an empty one.
    Trailer,
    /// Everything until the connection ends.
    UntilEnd,
    /// All there.
    Done,
}

/// Reads one response at a time from a stream of bytes. Bodies are counted, not kept.
#[derive(Debug)]
pub(super) struct Reader {
    buffer: Vec<u8>,
    head: Option<Head>,
    body: Body,
    checksum: crc32fast::Hasher,
}

impl Reader {
    pub fn new() -> Self {
        Reader { buffer: Vec::new(), head: None, body: Body::Head, checksum: crc32fast::Hasher::new() }
    }

    /// Takes bytes; the head once the response is complete. What came after it is an error: nothing was asked yet.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<Option<Head>, Malformed> {
        self.buffer.extend_from_slice(bytes);
        while self.step()? {}
        if self.body != Body::Done {
            return Ok(None);
        }
        if self.buffer.is_empty() { Ok(self.take()) } else { Err(Malformed) }
    }

    /// The connection ended: the head if that completes the response.
    pub fn end(&mut self) -> Option<Head> {
        if self.body == Body::UntilEnd { self.take() } else { None }
    }

    /// True once the head has arrived.
    pub fn has_head(&self) -> bool {
        self.head.is_some()
    }

    fn take(&mut self) -> Option<Head> {
        self.body = Body::Head;
        self.buffer.clear();
        let body = std::mem::take(&mut self.checksum).finalize();
        self.head.take().map(|head| Head { body, ..head })
    }

    /// Consumes what it can; false when more bytes are needed, or none.
    fn step(&mut self) -> Result<bool, Malformed> {
        match self.body {
            Body::Head => self.read_head(),
            Body::Length(left) => Ok(self.skip(left, left, Body::Length, Body::Done)),
            // the line end after a chunk is not of the body
            Body::Chunk(left) => Ok(self.skip(left, left.saturating_sub(2), Body::Chunk, Body::ChunkSize)),
            Body::ChunkSize => match httparse::parse_chunk_size(&self.buffer) {
                Ok(httparse::Status::Complete((used, size))) => {
                    self.buffer.drain(..used);
                    self.body = if size == 0 { Body::Trailer } else { Body::Chunk(size.checked_add(2).ok_or(Malformed)?) };
                    Ok(true)
                }
                Ok(httparse::Status::Partial) if self.buffer.len() < HEAD_LIMIT => Ok(false),
                _ => Err(Malformed),
            },
            Body::Trailer => match self.buffer.windows(2).position(|pair| pair == b"\r\n") {
                Some(end) => {
                    self.buffer.drain(..end + 2);
                    self.body = if end == 0 { Body::Done } else { Body::Trailer };
                    Ok(end != 0)
                }
                None if self.buffer.len() < HEAD_LIMIT => Ok(false),
                None => Err(Malformed),
            },
            Body::UntilEnd => {
                self.checksum.update(&self.buffer);
                self.buffer.clear();
                Ok(false)
            }
            Body::Done => Ok(false),
        }
    }

    /// Passes over `left` bytes, of which the first `body` are of the body.
    fn skip(&mut self, left: u64, body: u64, more: fn(u64) -> Body, then: Body) -> bool {
        let used = left.min(self.buffer.len() as u64);
        self.checksum.update(&self.buffer[..used.min(body) as usize]);
        self.buffer.drain(..used as usize);
        self.body = if used == left { then } else { more(left - used) };
        used == left && then != Body::Done
    }

    fn read_head(&mut self) -> Result<bool, Malformed> {
        let mut fields = [httparse::EMPTY_HEADER; 64];
        let mut response = httparse::Response::new(&mut fields);
        let used = match response.parse(&self.buffer).map_err(|_| Malformed)? {
            httparse::Status::Complete(used) => used,
            httparse::Status::Partial if self.buffer.len() < HEAD_LIMIT => return Ok(false),
            httparse::Status::Partial => return Err(Malformed),
        };
        let status = response.code.unwrap_or_default();
        let mut head = Head { status, keep_alive: response.version == Some(1), ..Head::default() };
        let mut length = None;
        let mut chunked = false;
        for field in response.headers.iter() {
            let value = std::str::from_utf8(field.value).unwrap_or_default().trim();
            match field.name.to_ascii_lowercase().as_str() {
                "content-length" => length = Some(value.parse::<u64>().map_err(|_| Malformed)?),
                "transfer-encoding" => chunked = value.to_ascii_lowercase().ends_with("chunked"),
                "connection" if value.eq_ignore_ascii_case("close") => head.keep_alive = false,
                "x-pod" => head.pod = Some(value.to_owned()),
                "x-attempt" | "x-gateway-attempt" => head.attempt = head.attempt.max(value.parse().unwrap_or(0)),
                _ => {}
            }
        }
        self.buffer.drain(..used);
        // 1xx announce a response, they are none
        if (100..200).contains(&status) && status != 101 {
            return Ok(true);
        }
        self.body = match (status, chunked, length) {
            (204 | 304, _, _) | (_, false, Some(0)) => Body::Done,
            (_, true, _) => Body::ChunkSize,
            (_, false, Some(length)) => Body::Length(length),
            (_, false, None) => Body::UntilEnd,
        };
        if self.body == Body::UntilEnd {
            head.keep_alive = false;
        }
        self.head = Some(head);
        Ok(self.body != Body::Done)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds a response whole, then byte by byte: both must see the same.
    fn read(text: &str) -> Result<Option<Head>, Malformed> {
        let whole = Reader::new().feed(text.as_bytes());
        let mut reader = Reader::new();
        let mut last = Ok(None);
        for byte in text.as_bytes() {
            last = reader.feed(&[*byte]);
            if last != Ok(None) {
                break;
            }
        }
        assert_eq!(whole, last);
        whole
    }

    #[test]
    fn bodies_end_by_length_by_chunks_or_with_the_connection() {
        let head = |body: &[u8]| {
            let body = crc32fast::hash(body);
            Ok(Some(Head { status: 200, keep_alive: true, pod: Some("was-1".into()), attempt: 2, body }))
        };
        let fields = "x-pod: was-1\r\nX-Attempt: 1\r\nx-gateway-attempt: 2\r\n";
        assert_eq!(read(&format!("HTTP/1.1 200 OK\r\n{fields}content-length: 3\r\n\r\nabc")), head(b"abc"));
        let chunks = "transfer-encoding: chunked\r\n\r\n3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\nt: u\r\n\r\n";
        assert_eq!(read(&format!("HTTP/1.1 200 OK\r\n{fields}{chunks}")), head(b"abc0123456789"));
        let mut reader = Reader::new();
        assert_eq!(reader.feed(b"HTTP/1.0 200 OK\r\n\r\nabc"), Ok(None));
        assert_eq!(reader.end(), Some(Head { status: 200, body: crc32fast::hash(b"abc"), ..Head::default() }));
    }

    #[test]
    fn empty_bodies_and_announcements() {
        let empty = |status| Ok(Some(Head { status, keep_alive: true, ..Head::default() }));
        assert_eq!(read("HTTP/1.1 204 No Content\r\n\r\n"), empty(204));
        assert_eq!(read("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"), empty(200));
        let close = read("HTTP/1.1 503 X\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
        assert_eq!(close, Ok(Some(Head { status: 503, ..Head::default() })));
    }

    #[test]
    fn what_is_cut_short_or_no_http_is_no_response() {
        let mut reader = Reader::new();
        assert_eq!(reader.feed(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nabc"), Ok(None));
        assert!(reader.has_head() && reader.end().is_none());
        assert_eq!(Reader::new().feed(b"SSH-2.0-OpenSSH_9.2\r\n"), Err(Malformed));
        assert_eq!(Reader::new().feed(b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nab"), Err(Malformed));
        assert_eq!(Reader::new().feed(b"HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n"), Err(Malformed));
    }
}
