//! Named facts: the findings of a fault or an observation, in a form that reports can show for any fault or observation.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// A number and its unit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Amount {
    /// The number.
    pub value: f64,
    /// Its unit: `req`, `ms` or `%`.
    pub unit: String,
}

impl Amount {
    /// A time in milliseconds.
    pub fn ms(value: f64) -> Self {
        Amount { value, unit: "ms".into() }
    }

    /// A number of requests.
    pub fn requests(count: u64) -> Self {
        Amount { value: count as f64, unit: "req".into() }
    }
}

/// One fact.
#[derive(Debug, Clone, PartialEq)]
pub enum Fact {
    /// A text.
    Text(String),
    /// A number with its unit.
    Amount(Amount),
    /// It could not be found out.
    Unknown,
}

impl From<&str> for Fact {
    fn from(text: &str) -> Self {
        Fact::Text(text.to_owned())
    }
}

impl From<Amount> for Fact {
    fn from(amount: Amount) -> Self {
        Fact::Amount(amount)
    }
}

impl<T: Into<Fact>> From<Option<T>> for Fact {
    fn from(fact: Option<T>) -> Self {
        fact.map_or(Fact::Unknown, Into::into)
    }
}

/// Facts by name, in the order in which they were set. In JSON each is a text, an amount, or null for what could not be found
/// out.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Facts(Map<String, Value>);

impl Facts {
    /// Sets a fact; reports show its name unchanged, so it is written in words: `in flight`.
    pub fn set(&mut self, name: &str, fact: impl Into<Fact>) {
        let value = match fact.into() {
            Fact::Text(text) => text.into(),
            Fact::Amount(Amount { value, unit }) => json!({"value": value, "unit": unit}),
            Fact::Unknown => Value::Null,
        };
        self.0.insert(name.to_owned(), value);
    }

    /// These facts and one more.
    pub fn with(mut self, name: &str, fact: impl Into<Fact>) -> Self {
        self.set(name, fact);
        self
    }

    /// The fact with that name; none if it was never set.
    pub fn get(&self, name: &str) -> Option<Fact> {
        Some(match self.0.get(name)? {
            Value::String(text) => Fact::Text(text.clone()),
            value => Amount::deserialize(value).map_or(Fact::Unknown, Fact::Amount),
        })
    }

    /// The names of all facts.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_keep_their_order_and_come_back_out_of_json() {
        let facts = Facts::default().with("node", "w1").with("in flight", Amount::requests(4)).with("retries", None::<Amount>);
        let text = serde_json::to_string(&facts).expect("plain data");
        assert_eq!(text, r#"{"node":"w1","in flight":{"value":4.0,"unit":"req"},"retries":null}"#);
        let back: Facts = serde_json::from_str(&text).expect("its own form");
        assert_eq!(back.names().collect::<Vec<_>>(), ["node", "in flight", "retries"]);
        assert_eq!(back.get("in flight"), Some(Fact::Amount(Amount::requests(4))));
        assert_eq!((back.get("retries"), back.get("pod")), (Some(Fact::Unknown), None));
    }
}
