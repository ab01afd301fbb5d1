//! Headers in which servers report who answered, and at which attempt.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::super::facts::{Amount, Facts};
use super::super::record::ObservationRecord;
use crate::load::{Entry, Ledger};

/// Most values of a header that are listed.
const LISTED: usize = 20;

/// Headers of answers that are counted; the defaults are those of Hearth's own workload.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Answers {
    /// Headers whose values are counted.
    #[serde(default = "Answers::headers")]
    pub headers: Vec<String>,
    /// Headers in which servers count the attempts that a request took, one for each hop that retries.
    #[serde(default = "Answers::attempts")]
    pub attempts: Vec<String>,
}

impl Answers {
    fn headers() -> Vec<String> {
        vec!["x-pod".into()]
    }

    fn attempts() -> Vec<String> {
        vec!["x-attempt".into(), "x-gateway-attempt".into()]
    }

    /// Names of all headers whose values have to be kept.
    pub fn captured(&self) -> Vec<String> {
        self.headers.iter().chain(&self.attempts).cloned().collect()
    }

    /// Which attempt of a request reached a server; 0 if unknown.
    pub(in super::super) fn attempt(&self, ledger: &Ledger, entry: &Entry) -> u8 {
        self.attempts.iter().filter_map(|name| ledger.header(entry, name)?.parse().ok()).max().unwrap_or(0)
    }

    /// How often each value was seen; none if there was none.
    pub(super) fn record(&self, ledger: &Ledger) -> Option<ObservationRecord> {
        let mut rows = Vec::new();
        let mut notes = Vec::new();
        for name in &self.headers {
            let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
            let values = ledger.entries.iter().filter_map(|entry| ledger.header(entry, name));
            values.for_each(|value| *counts.entry(value).or_default() += 1);
            let mut counts: Vec<(&str, u64)> = counts.into_iter().collect();
            counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
            if counts.len() > LISTED {
                notes.push(format!("{name} had {} more values", counts.len() - LISTED));
            }
            let row = |(value, count)| {
                Facts::default().with("header", name.as_str()).with("value", value).with("answers", Amount::requests(count))
            };
            rows.extend(counts.into_iter().take(LISTED).map(row));
        }
        let repeated = ledger.entries.iter().filter(|entry| self.attempt(ledger, entry) > 1).count();
        if repeated > 0 {
            notes.push(format!("{repeated} requests reached a server only after a retry"));
        }
        let record =
            ObservationRecord { observation: "answers".into(), title: "Who answered".into(), totals: Vec::new(), rows, notes };
        (!record.rows.is_empty()).then_some(record)
    }
}

impl Default for Answers {
    fn default() -> Self {
        Answers { headers: Self::headers(), attempts: Self::attempts() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::Outcome;

    #[test]
    fn values_are_counted_and_attempts_noted() {
        let answer = |pod: &str, attempt: &str| vec![Some(pod.to_owned()), Some(attempt.to_owned()), None];
        let entry = |sequence, answer| Entry {
            sequence,
            scheduled: 0,
            released: 0,
            sent: 0,
            done: 1,
            answer,
            status: 200,
            target: 0,
            outcome: Outcome::Ok,
        };
        let answers = Answers::default();
        let ledger = Ledger {
            entries: [1, 1, 2, 0].iter().enumerate().map(|(n, answer)| entry(n as u32, *answer)).collect(),
            headers: answers.captured(),
            answers: vec![answer("was-1", "1"), answer("was-2", "2")],
            settled: 0,
        };
        let record = answers.record(&ledger).expect("some answered");
        let row = |pod: &str, count| {
            Facts::default().with("header", "x-pod").with("value", pod).with("answers", Amount::requests(count))
        };
        assert_eq!(record.rows, [row("was-1", 2), row("was-2", 1)]);
        assert_eq!(record.notes, ["1 requests reached a server only after a retry"]);
        assert_eq!(answers.record(&Ledger::default()), None);
    }
}
