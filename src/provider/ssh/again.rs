//! Classifies the library's errors: "again", a refusal on one channel, or the end of the connection.

use std::io;

use ssh2::{BlockDirections, ErrorCode, Session};

/// libssh2.h: `LIBSSH2_ERROR_EAGAIN`.
const AGAIN: i32 = -37;

/// An error that may only mean "again".
pub(super) trait MaybeAgain {
    /// True if the operation has to be repeated later.
    fn is_again(&self) -> bool;
    /// Its text if it is a real error.
    fn text(self) -> String;
}

impl MaybeAgain for ssh2::Error {
    fn is_again(&self) -> bool {
        self.code() == ErrorCode::Session(AGAIN)
    }

    fn text(self) -> String {
        self.message().to_owned()
    }
}

impl MaybeAgain for io::Error {
    fn is_again(&self) -> bool {
        self.kind() == io::ErrorKind::WouldBlock
    }

    fn text(self) -> String {
        self.to_string()
    }
}

/// libssh2.h: errors of a single channel, from `CHANNEL_OUTOFORDER` to `CHANNEL_EOF_SENT`; the connection still works.
pub(super) fn is_refusal(error: &ssh2::Error) -> bool {
    matches!(error.code(), ErrorCode::Session(-27..=-20))
}

/// True if an operation left a packet half sent.
pub(super) fn is_outbound(session: &Session) -> bool {
    matches!(session.block_directions(), BlockDirections::Outbound | BlockDirections::Both)
}
