//! What every verb gets: the terminal, the output options, and the one document that programs read.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Mutex, OnceLock, PoisonError};

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::UsageError;
use super::args::{Format, LogFormat, OutputArgs};
use crate::error::{Explain, Family, Result, chain};
use crate::event::{Event, Record, Sink};
use crate::ui::{JsonLines, OutputError, Printer, Verbosity, failure};

/// What every verb gets.
pub struct Context {
    /// The terminal.
    pub printer: Printer,
    /// Format and verbosity.
    pub output: OutputArgs,
    /// The debug log of the run, once there is one; failures name it.
    pub log: OnceLock<PathBuf>,
    /// The result for programs, printed at the end, with the error if there is one.
    document: Mutex<Option<Value>>,
}

impl Context {
    /// A context in which nothing has happened yet.
    pub fn new(printer: Printer, output: OutputArgs) -> Context {
        Context { printer, output, log: OnceLock::new(), document: Mutex::default() }
    }

    /// Sets the result, in the format the user asked for; `text` is the form for people.
    pub fn result(&self, value: &impl Serialize, text: impl FnOnce() -> String) -> Result<()> {
        match self.output.output {
            Format::Text => self.printer.out(text()),
            Format::Json | Format::Yaml => self.document(serde_json::to_value(value).map_err(UsageError::NotData)?),
        }
        Ok(())
    }

    /// Sets the result for programs.
    pub fn document(&self, value: Value) {
        *self.document.lock().unwrap_or_else(PoisonError::into_inner) = Some(value);
    }

    /// Prints a line before or beside a run.
    pub fn say(&self, text: impl Into<String>) {
        self.talk(Event::Log { text: text.into() }, |text| self.printer.err(text));
    }

    fn talk(&self, event: Event, show: impl FnOnce(&str)) {
        match (self.output.log_format, &event) {
            (LogFormat::Json, _) => JsonLines(self.printer.clone()).record(&Record { at: 0.0, event }),
            (LogFormat::Text, Event::Log { text }) => show(text),
            (LogFormat::Text, _) => {}
        }
    }

    /// Prints what is left to print, and returns the exit code.
    pub fn conclude(&self, outcome: Result<u8>) -> ExitCode {
        let document = self.document.lock().unwrap_or_else(PoisonError::into_inner).take();
        let document = match &outcome {
            Ok(_) => document,
            Err(error) => Some(with_error(document, &**error)),
        };
        if let Some(document) = document {
            print(&self.printer, self.output.output, &document);
        }
        let delivered = self.printer.delivered();
        let code = outcome.and_then(|code| Ok(delivered.map(|()| code)?)).unwrap_or_else(|error| {
            match self.output.log_format {
                LogFormat::Text => failure(&self.printer, &error, self.log.get().map(PathBuf::as_path)),
                LogFormat::Json => self.talk(failed(&*error), |_| {}),
            }
            error.family().code()
        });
        ExitCode::from(code)
    }
}

/// Handles a command line that cannot be read, or one that only asks for help.
pub fn refused(error: &clap::Error) -> ExitCode {
    let printer = Printer::new(Verbosity::Normal);
    if !error.use_stderr() {
        return match error.print().or_else(OutputError::unless_closed) {
            Ok(()) => ExitCode::SUCCESS,
            Err(lost) => {
                let code = lost.family().code();
                failure(&printer, &lost.into(), None);
                ExitCode::from(code)
            }
        };
    }
    let text = error.render().to_string();
    let text = text.trim().trim_start_matches("error: ");
    let document = json!({"error": {"message": text, "code": Family::Usage.code(), "family": Family::Usage}});
    print(&printer, asked_format(), &document);
    let _closed = error.print();
    ExitCode::from(Family::Usage.code())
}

/// The output format asked for by a command line that as a whole cannot be read.
fn asked_format() -> Format {
    let arguments: Vec<String> = std::env::args_os().map(|argument| argument.to_string_lossy().into_owned()).collect();
    let pairs = arguments.iter().zip(arguments.iter().skip(1).map(Some).chain([None]));
    let named = pairs.filter_map(|(one, next)| match one.as_str() {
        "-o" | "--output" => next.map(String::as_str),
        text => text.strip_prefix("--output=").or_else(|| text.strip_prefix("-o")),
    });
    match named.last() {
        Some("json") => Format::Json,
        Some("yaml") => Format::Yaml,
        _ => Format::Text,
    }
}

fn print(printer: &Printer, format: Format, document: &Value) {
    match format {
        Format::Text => {}
        Format::Json => printer.json(document),
        Format::Yaml => match crate::yaml::to_string(document) {
            Ok(text) => printer.raw(&text),
            Err(error) => printer.error(error),
        },
    }
}

/// The result together with the error; a result that is no mapping goes below `result`.
fn with_error(document: Option<Value>, error: &dyn Explain) -> Value {
    let mut fields = match document {
        Some(Value::Object(fields)) => fields,
        Some(other) => Map::from_iter([("result".to_owned(), other)]),
        None => Map::new(),
    };
    let account = json!({
        "message": chain(error), "hint": error.hint(), "code": error.family().code(), "family": error.family()});
    fields.insert("error".into(), account);
    Value::Object(fields)
}

fn failed(error: &dyn Explain) -> Event {
    Event::Failed { message: chain(error), hint: error.hint(), code: error.family().code() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_joins_the_result_it_comes_with() {
        let error = super::super::UsageError::NoProfile;
        let joined = with_error(Some(json!({"name": "demo"})), &error);
        assert_eq!((&joined["name"], &joined["error"]["code"]), (&json!("demo"), &json!(2)));
        assert_eq!(with_error(Some(json!(["one"])), &error)["result"], json!(["one"]));
        assert_eq!(with_error(None, &error).as_object().map(Map::len), Some(1));
    }
}
