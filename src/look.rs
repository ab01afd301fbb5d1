//! What a look at the world found. A look that failed is not an absence: only [`Look::Absent`] may lead to a change, only
//! [`Look::Present`] to a success, and [`Look::Unknown`] carries the reason back to the caller.

use crate::error::{BoxError, Result};

/// The three answers of a look.
pub enum Look<T> {
    /// It exists.
    Present(T),
    /// It certainly does not exist.
    Absent,
    /// Neither is certain, for this reason.
    Unknown(BoxError),
}

impl<T> Look<T> {
    /// What is there, or `None` where it is absent.
    ///
    /// # Errors
    /// The reason why it could not be found out.
    pub fn known(self) -> Result<Option<T>> {
        match self {
            Look::Present(found) => Ok(Some(found)),
            Look::Absent => Ok(None),
            Look::Unknown(reason) => Err(reason),
        }
    }

    /// The same answer, about something derived from what is there.
    pub fn map<U>(self, follow: impl FnOnce(T) -> U) -> Look<U> {
        match self {
            Look::Present(found) => Look::Present(follow(found)),
            Look::Absent => Look::Absent,
            Look::Unknown(reason) => Look::Unknown(reason),
        }
    }

    /// True only when it is there.
    pub fn is_present(&self) -> bool {
        matches!(self, Look::Present(_))
    }
}

impl<T, E: Into<BoxError>> From<Result<Option<T>, E>> for Look<T> {
    fn from(found: Result<Option<T>, E>) -> Self {
        match found {
            Ok(Some(found)) => Look::Present(found),
            Ok(None) => Look::Absent,
            Err(reason) => Look::Unknown(reason.into()),
        }
    }
}
