//! What every error of Hearth provides: its exit-code family and the next thing to do.

use std::fmt::Write;

/// Declares the families with what each means, so that `--help`, README and code cannot differ.
macro_rules! families {
    ($($name:ident = $code:literal, $meaning:literal;)*) => {
        /// Exit-code families, one per kind of trouble, and one for a plan that is no trouble.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
        #[serde(rename_all = "kebab-case")]
        #[repr(u8)]
        pub enum Family {
            $(#[doc = $meaning] $name = $code,)*
        }

        impl Family {
            /// All of them, by code.
            pub const ALL: &[Family] = &[$(Family::$name),*];

            /// What it means, in the words of `--help` and README.
            pub fn meaning(self) -> &'static str {
                match self {
                    $(Family::$name => $meaning,)*
                }
            }
        }
    };
}

families! {
    Scenario = 1, "a scenario or comparison failed";
    Usage = 2, "usage";
    Changes = 3, "there is something to do (`plan --detailed-exitcode`)";
    Profile = 10, "profile or another input file";
    Preflight = 20, "preflight: this machine, the cluster's lock; or nothing was proven";
    Docker = 30, "Docker";
    Artifact = 40, "artifact or registry";
    Ssh = 50, "SSH";
    Kubeadm = 60, "kubeadm, or a program on a node";
    NotReady = 70, "not ready in time";
    Component = 80, "component";
    Leftover = 90, "clean-up left something";
    Internal = 101, "a mistake in Hearth";
    Interrupted = 130, "interrupted";
}

impl Family {
    /// The process's exit code for this family.
    pub fn code(self) -> u8 {
        self as u8
    }
}

/// An error a user can act on: every error type of the crate implements this.
pub trait Explain: std::error::Error {
    /// Which exit code it leads to.
    fn family(&self) -> Family;
    /// The next thing to do, one sentence, if there is one better than reading the message.
    fn hint(&self) -> Option<String> {
        None
    }
}

/// Any [`Explain`] error, as it travels from a stage to the command line.
pub type BoxError = Box<dyn Explain + Send + Sync>;

/// `Result` with a [`BoxError`].
pub type Result<T, E = BoxError> = std::result::Result<T, E>;

impl<E: Explain + Send + Sync + 'static> From<E> for BoxError {
    fn from(error: E) -> Self {
        Box::new(error)
    }
}

/// A message without what the Kubernetes client wraps around an answer of the API: its own name for it, and the whole answer
/// repeated in Rust's debug format.
pub fn plain(text: &str) -> String {
    const DEBUG: &str = " (Status {";
    let mut text = text.replace("ApiError: ", "");
    while let Some(at) = text.find(DEBUG) {
        let (mut open, mut quoted, mut escaped) = (0, false, false);
        let end = text[at + 1..].char_indices().find(|(_, letter)| {
            match letter {
                _ if escaped => escaped = false,
                '\\' => escaped = quoted,
                '"' => quoted = !quoted,
                '(' if !quoted => open += 1,
                ')' if !quoted => open -= 1,
                _ => {}
            }
            open == 0
        });
        // a message that was cut off has no end
        let end = end.map_or(text.len(), |(end, letter)| at + 1 + end + letter.len_utf8());
        text.replace_range(at..end, "");
    }
    text
}

/// The message with its chain of causes, one line each, without repeats.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = plain(&error.to_string());
    let mut cause = error.source();
    while let Some(inner) = cause {
        let refusal = refusal(inner);
        let line = refusal.map_or_else(|| plain(&inner.to_string()), str::to_owned);
        if !text.contains(&line) {
            let _ = write!(text, "\n  caused by: {line}");
        }
        cause = inner.source().filter(|_| refusal.is_none());
    }
    text
}

/// A [`chain`] in one line, for lists and tables.
pub fn in_one_line(chain: &str) -> String {
    chain.replace("\n  caused by", "; caused by")
}

/// What the API server said when it refused something; the client adds all the other fields of the answer.
fn refusal<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a str> {
    let boxed = || error.downcast_ref::<Box<kube::Error>>().map(|error| &**error);
    match error.downcast_ref::<kube::Error>().or_else(boxed)? {
        kube::Error::Api(status) if !status.message.is_empty() => Some(&status.message),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("cannot apply it")]
    struct Boxed(#[source] Box<kube::Error>);

    #[derive(Debug, thiserror::Error)]
    #[error("cannot apply it")]
    struct Plain(#[source] kube::Error);

    #[test]
    fn what_the_api_server_refused_is_said_in_its_own_words() {
        let refused = || {
            let status = kube::core::Status { code: 403, message: "pods is forbidden".into(), ..Default::default() };
            kube::Error::Api(Box::new(status))
        };
        for text in [chain(&Boxed(Box::new(refused()))), chain(&Plain(refused()))] {
            assert_eq!(text, "cannot apply it\n  caused by: pods is forbidden");
        }
    }

    #[test]
    fn an_answer_of_the_api_is_one_sentence() {
        let status = kube::core::Status {
            message: "Service \"istiod\" is invalid: (spec.clusterIPs[0]): may not change".into(),
            reason: "Invalid".into(),
            code: 422,
            ..Default::default()
        };
        // embedded in a longer message
        let text = chain(&std::io::Error::other(format!("cannot list: {}", kube::Error::Api(Box::new(status)))));
        assert!(text.starts_with("cannot list: Service \"istiod\" is invalid: (spec.clusterIPs[0]): may not change"), "{text}");
        assert!(!text.contains("Status {") && !text.contains("ApiError"), "{text}");
        assert_eq!(plain("a (Status { message: \"x) y\", more: Some(1) }) b"), "a b");
        assert_eq!(plain("cut (Status { message: \"x"), "cut");
    }
}
