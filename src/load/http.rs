//! As much HTTP/1.1 as the generator needs: requests built once, responses read to their last byte.

use std::fmt::Write;
use std::sync::Arc;

use super::Target;

/// Most bytes of a response's head.
const HEAD_LIMIT: usize = 32 * 1024;

/// A request, complete except for its id.
#[derive(Debug)]
pub(super) struct Prepared {
    before_id: Vec<u8>,
    after_id: Vec<u8>,
    /// Its responses have no body, whatever their length header says.
    bodiless: bool,
}

impl Prepared {
    pub fn new(target: &Target) -> Self {
        let Target { method, path, host, .. } = target;
        let mut head = format!("{method} {path} HTTP/1.1\r\nhost: {host}\r\n");
        let given = |name: &str| target.headers.iter().any(|(other, _)| other.eq_ignore_ascii_case(name));
        let agent = concat!("hearth/", env!("CARGO_PKG_VERSION"));
        for (name, value) in [("user-agent", agent), ("accept", "*/*")].into_iter().filter(|(name, _)| !given(name)) {
            // writing to a String cannot fail
            let _ = write!(head, "{name}: {value}\r\n");
        }
        for (name, value) in &target.headers {
            let _ = write!(head, "{name}: {value}\r\n");
        }
        if !target.body.is_empty() {
            let _ = write!(head, "content-length: {}\r\n", target.body.len());
        }
        head.push_str("x-request-id: ");
        let after_id = [b"\r\n\r\n".as_slice(), &target.body].concat();
        Prepared { before_id: head.into_bytes(), after_id, bodiless: method == "HEAD" }
    }

    /// The bytes of the request with this id.
    pub fn bytes(&self, id: &str) -> Vec<u8> {
        [&self.before_id, id.as_bytes(), &self.after_id].concat()
    }

    /// A reader for its response, which keeps these headers.
    pub fn reader(&self, capture: &Arc<[String]>) -> Reader {
        Reader::new(capture.clone(), self.bodiless)
    }
}

/// What the generator keeps of a response.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Response {
    pub status: u16,
    /// True if the server keeps the connection open.
    pub keep_alive: bool,
    /// CRC-32 of its body.
    pub body: u32,
    /// Values of the captured headers; none for a header that is missing.
    pub headers: Vec<Option<String>>,
}

/// Not a response of HTTP/1.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Malformed;

/// The reader's position in the response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Body {
    /// The head is not complete yet.
    Head,
    /// This many bytes are missing.
    Length(u64),
    /// The size line of a chunk comes next.
    ChunkSize,
    /// This many bytes of a chunk, and of its line end, are missing.
    Chunk(u64),
    /// Lines after the last chunk, up to an empty one.
    Trailer,
    /// The body lasts until the connection ends.
    UntilEnd,
    /// The response is complete.
    Done,
}

/// Reads one response from a stream of bytes. Of the body only a checksum is kept.
#[derive(Debug)]
pub(super) struct Reader {
    capture: Arc<[String]>,
    bodiless: bool,
    buffer: Vec<u8>,
    response: Option<Response>,
    checksum: crc32fast::Hasher,
    body: Body,
}

impl Reader {
    fn new(capture: Arc<[String]>, bodiless: bool) -> Self {
        let checksum = crc32fast::Hasher::new();
        Reader { capture, bodiless, buffer: Vec::new(), response: None, checksum, body: Body::Head }
    }

    /// Takes bytes; returns the response once it is complete. Bytes after it are an error, since nothing was requested yet.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<Option<Response>, Malformed> {
        self.buffer.extend_from_slice(bytes);
        while self.step()? {}
        if self.body != Body::Done {
            return Ok(None);
        }
        if self.buffer.is_empty() { Ok(self.take()) } else { Err(Malformed) }
    }

    /// To be called when the connection has ended: returns the response if that completes it.
    pub fn end(&mut self) -> Option<Response> {
        if self.body == Body::UntilEnd { self.take() } else { None }
    }

    /// True once the head has arrived.
    pub fn has_head(&self) -> bool {
        self.response.is_some()
    }

    fn take(&mut self) -> Option<Response> {
        self.body = Body::Head;
        let body = std::mem::take(&mut self.checksum).finalize();
        self.response.take().map(|response| Response { body, ..response })
    }

    /// Consumes what it can; false if it needs more bytes, or no more.
    fn step(&mut self) -> Result<bool, Malformed> {
        match self.body {
            Body::Head => self.read_head(),
            Body::Length(left) => Ok(self.skip(left, left, Body::Length, Body::Done)),
            // the line end after a chunk is not part of the body
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

    /// Skips up to `left` bytes, of which the first `content` belong to the body.
    fn skip(&mut self, left: u64, content: u64, more: fn(u64) -> Body, then: Body) -> bool {
        let used = left.min(self.buffer.len() as u64);
        self.checksum.update(&self.buffer[..used.min(content) as usize]);
        self.buffer.drain(..used as usize);
        self.body = if used == left { then } else { more(left - used) };
        used == left && then != Body::Done
    }

    fn read_head(&mut self) -> Result<bool, Malformed> {
        let mut fields = [httparse::EMPTY_HEADER; 64];
        let mut head = httparse::Response::new(&mut fields);
        let used = match head.parse(&self.buffer).map_err(|_| Malformed)? {
            httparse::Status::Complete(used) => used,
            httparse::Status::Partial if self.buffer.len() < HEAD_LIMIT => return Ok(false),
            httparse::Status::Partial => return Err(Malformed),
        };
        let status = head.code.unwrap_or_default();
        let mut response = Response { status, keep_alive: head.version == Some(1), ..Response::default() };
        response.headers = vec![None; self.capture.len()];
        let mut length = None;
        let mut chunked = false;
        for field in head.headers.iter() {
            let value = std::str::from_utf8(field.value).unwrap_or_default().trim();
            match field.name.to_ascii_lowercase().as_str() {
                "content-length" => length = Some(value.parse::<u64>().map_err(|_| Malformed)?),
                "transfer-encoding" => chunked = value.to_ascii_lowercase().ends_with("chunked"),
                "connection" if value.eq_ignore_ascii_case("close") => response.keep_alive = false,
                _ => {}
            }
            if let Some(index) = self.capture.iter().position(|name| name.eq_ignore_ascii_case(field.name)) {
                response.headers[index] = Some(value.to_owned());
            }
        }
        self.buffer.drain(..used);
        // 1xx announce a response, but are none
        if (100..200).contains(&status) && status != 101 {
            return Ok(true);
        }
        self.body = match (status, chunked, length) {
            _ if self.bodiless => Body::Done,
            (204 | 304, _, _) | (_, false, Some(0)) => Body::Done,
            (_, true, _) => Body::ChunkSize,
            (_, false, Some(length)) => Body::Length(length),
            (_, false, None) => Body::UntilEnd,
        };
        if self.body == Body::UntilEnd {
            response.keep_alive = false;
        }
        self.response = Some(response);
        Ok(self.body != Body::Done)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reader() -> Reader {
        let headers = vec!["x-pod".to_owned(), "X-Attempt".to_owned(), "x-absent".to_owned()];
        Reader::new(headers.into(), false)
    }

    fn response(status: u16, headers: [Option<&str>; 3], body: &str) -> Response {
        let headers = headers.map(|value| value.map(str::to_owned)).to_vec();
        Response { status, keep_alive: true, body: crc32fast::hash(body.as_bytes()), headers }
    }

    /// Feeds a response as a whole, then byte by byte: both must give the same result.
    fn read(text: &str) -> Result<Option<Response>, Malformed> {
        let whole = reader().feed(text.as_bytes());
        let mut reader = reader();
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
        let fields = "x-pod: was-1\r\nx-attempt: 1\r\n";
        let captured = [Some("was-1"), Some("1"), None];
        let expected = response(200, captured, "abc");
        assert_eq!(read(&format!("HTTP/1.1 200 OK\r\n{fields}content-length: 3\r\n\r\nabc")), Ok(Some(expected)));
        let chunks = "transfer-encoding: chunked\r\n\r\n3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\nt: u\r\n\r\n";
        let expected = response(200, captured, "abc0123456789");
        assert_eq!(read(&format!("HTTP/1.1 200 OK\r\n{fields}{chunks}")), Ok(Some(expected)));
        let mut reader = reader();
        assert_eq!(reader.feed(b"HTTP/1.0 200 OK\r\n\r\nabc"), Ok(None));
        assert_eq!(reader.end(), Some(Response { keep_alive: false, ..response(200, [None; 3], "abc") }));
    }

    #[test]
    fn empty_bodies_and_announcements() {
        let empty = |status| response(status, [None; 3], "");
        assert_eq!(read("HTTP/1.1 204 No Content\r\n\r\n"), Ok(Some(empty(204))));
        assert_eq!(read("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"), Ok(Some(empty(200))));
        let close = read("HTTP/1.1 503 X\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
        assert_eq!(close, Ok(Some(Response { keep_alive: false, ..empty(503) })));
        let mut head = Reader::new(Vec::new().into(), true);
        let expected = Response { status: 200, keep_alive: true, ..Response::default() };
        assert_eq!(head.feed(b"HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\n"), Ok(Some(expected)));
    }

    #[test]
    fn what_is_cut_short_or_no_http_is_no_response() {
        let mut cut = reader();
        assert_eq!(cut.feed(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nabc"), Ok(None));
        assert!(cut.has_head() && cut.end().is_none());
        assert_eq!(reader().feed(b"SSH-2.0-OpenSSH_9.2\r\n"), Err(Malformed));
        assert_eq!(reader().feed(b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nab"), Err(Malformed));
        assert_eq!(reader().feed(b"HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n"), Err(Malformed));
    }

    #[test]
    fn a_request_has_its_headers_its_id_and_its_body() {
        let address = std::net::SocketAddr::from(([127, 0, 0, 1], 80));
        let mut target = Target::get(address, "shop", "/a");
        let get = String::from_utf8(Prepared::new(&target).bytes("r-1")).expect("text");
        let agent = concat!("hearth/", env!("CARGO_PKG_VERSION"));
        let head = format!("GET /a HTTP/1.1\r\nhost: shop\r\nuser-agent: {agent}\r\naccept: */*\r\n");
        assert_eq!(get, format!("{head}x-request-id: r-1\r\n\r\n"));
        (target.method, target.body) = ("POST".into(), b"{}".to_vec());
        target.headers = vec![("User-Agent".into(), "me".into()), ("Accept".into(), "text/html".into())];
        let post = String::from_utf8(Prepared::new(&target).bytes("r-2")).expect("text");
        let head = "POST /a HTTP/1.1\r\nhost: shop\r\nUser-Agent: me\r\nAccept: text/html\r\ncontent-length: 2\r\n";
        assert_eq!(post, format!("{head}x-request-id: r-2\r\n\r\n{{}}"));
    }
}
