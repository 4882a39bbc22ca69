//! Faults by script: what goes wrong, for which requests, and how often.

use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use hyper::Method;
use serde::{Deserialize, Serialize};

use crate::answer::Spoil;
use crate::operation::{Call, Operation};
use crate::text::contains;

/// The methods that the services have.
const METHODS: [&str; 6] = ["GET", "HEAD", "PUT", "POST", "PATCH", "DELETE"];

/// Something that goes wrong.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// For which requests.
    #[serde(rename = "match", default)]
    pub when: Match,
    /// What goes wrong with them.
    pub action: Action,
}

/// Which requests a rule is for: those that all of this holds for.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Match {
    /// The method, in capitals.
    pub method: Option<String>,
    /// The operation by its name ([`Operation::name`]).
    pub operation: Option<String>,
    /// What the key contains, or the prefix of a listing. For actions on single keys of a listing or a bulk deletion
    /// it says which keys those are.
    pub key_contains: Option<String>,
    /// Only the request of this number among those that match, counted from 1.
    pub nth: Option<u64>,
    /// Only each so-manieth of those that match.
    pub every: Option<u64>,
    /// Not more often than this.
    pub times: Option<u64>,
}

/// What goes wrong. Several things may go wrong together.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[allow(clippy::struct_excessive_bools)] // independent of each other, and given by name
pub struct Action {
    /// Answered with this status, and nothing done.
    pub status: Option<u16>,
    /// The error's code for that status; each service has its own where none is given.
    pub code: Option<String>,
    /// The connection is closed after so many bytes of the body.
    pub truncate_body: Option<u64>,
    /// A page of a listing is spoilt.
    pub truncated_page: Option<TruncatedPage>,
    /// Errors for single keys of a bulk deletion.
    pub per_key_error: Option<PerKeyError>,
    /// Status 200, and an error in the body; nothing done.
    pub slow_down_in_200: bool,
    /// The credentials are said to have expired; nothing done.
    pub expired_token: bool,
    /// Answered so much later.
    pub delay_ms: u64,
    /// A wait between the halves of the body.
    pub slow_body_ms: u64,
    /// The listing shows another `ETag` than the object has.
    pub wrong_etag: bool,
    /// Done, but the connection is closed without an answer.
    pub lose_response: bool,
    /// Said not to be there, though it is.
    pub vanish: bool,
    /// The listing leaves keys out.
    pub omit_from_listing: bool,
}

/// In which way a page of a listing is spoilt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", from = "TruncatedPageText")]
pub enum TruncatedPage {
    /// It says that it is not the last, but not how to go on. Google's and Azure's have no way to say that: they are cut.
    NoToken,
    /// It breaks off in the middle, although the length is as announced.
    Cut,
}

/// `true` is short for `"no_token"`.
#[derive(Deserialize)]
#[serde(untagged)]
enum TruncatedPageText {
    Any(#[allow(dead_code)] bool),
    Named(TruncatedPageName),
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum TruncatedPageName {
    NoToken,
    Cut,
}

impl From<TruncatedPageText> for TruncatedPage {
    fn from(text: TruncatedPageText) -> Self {
        match text {
            TruncatedPageText::Any(_) | TruncatedPageText::Named(TruncatedPageName::NoToken) => Self::NoToken,
            TruncatedPageText::Named(TruncatedPageName::Cut) => Self::Cut,
        }
    }
}

/// An error for single keys within a bulk deletion that is otherwise carried out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PerKeyError {
    /// `AccessDenied`, `InternalError`, `SlowDown`, …
    pub code: String,
    /// For keys that contain this.
    #[serde(default)]
    pub keys_contain: String,
}

impl PerKeyError {
    /// The status that goes with the code, where every key has one of its own.
    pub(crate) fn status(&self) -> u16 {
        match self.code.as_str() {
            "AccessDenied" => 403,
            "SlowDown" => 503,
            _ => 500,
        }
    }
}

/// All rules, and how often each has struck.
#[derive(Debug, Default)]
pub struct Faults {
    rules: Mutex<Vec<Armed>>,
}

/// A rule with its counters.
#[derive(Clone, Debug, Serialize)]
pub struct Armed {
    /// The rule.
    #[serde(flatten)]
    pub rule: Rule,
    /// Requests that matched.
    pub seen: u64,
    /// Requests that it was applied to.
    pub struck: u64,
}

impl Faults {
    fn rules(&self) -> MutexGuard<'_, Vec<Armed>> {
        self.rules.lock().expect("nobody panics while holding the rules")
    }

    /// Adds a rule, which must be one that [`Rule::check`] has nothing against.
    pub fn add(&self, rule: Rule) {
        rule.check().expect("a rule that can strike");
        self.rules().push(Armed { rule, seen: 0, struck: 0 });
    }

    /// Removes all rules.
    pub fn clear(&self) {
        self.rules().clear();
    }

    /// All rules, with how often each has struck.
    pub fn all(&self) -> Vec<Armed> {
        self.rules().clone()
    }

    /// What goes wrong with this request.
    pub(crate) fn strike(&self, method: &Method, call: &Call) -> Strikes {
        let mut strikes = Strikes::default();
        for armed in self.rules().iter_mut() {
            if armed.rule.matches(method, call) && armed.is_due() {
                strikes.add(&armed.rule);
            }
        }
        strikes
    }
}

impl Armed {
    /// Counts a request that matches, and says whether it is one to strike.
    fn is_due(&mut self) -> bool {
        self.seen += 1;
        let Match { nth, every, times, .. } = self.rule.when;
        let is_due = nth.is_none_or(|nth| self.seen == nth)
            && every.is_none_or(|every| self.seen.is_multiple_of(every))
            && times.is_none_or(|times| self.struck < times);
        self.struck += u64::from(is_due);
        is_due
    }
}

impl Rule {
    /// Whether the rule can do what it says: one that cannot would make a test that cannot fail.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn check(&self) -> Result<(), String> {
        let Match { method, operation, nth, every, times, .. } = &self.when;
        if let Some(operation) = operation
            && !Operation::ALL.iter().any(|known| known.name() == operation)
        {
            return Err(format!("{operation} is no operation"));
        }
        if let Some(method) = method
            && !METHODS.contains(&method.as_str())
        {
            return Err(format!("{method} is none of {METHODS:?}"));
        }
        if [nth, every, times].contains(&&Some(0)) {
            return Err("nth, every and times are counted from 1".to_owned());
        }
        match self.action.status {
            Some(status) if !(200..600).contains(&status) => Err(format!("{status} is no status of an answer")),
            _ => Ok(()),
        }
    }

    fn matches(&self, method: &Method, call: &Call) -> bool {
        let Match { method: wanted, operation, key_contains, .. } = &self.when;
        wanted.as_ref().is_none_or(|wanted| method.as_str() == wanted)
            && operation.as_ref().is_none_or(|operation| call.operation.name() == operation)
            && (self.action.is_about_single_keys()
                || key_contains.as_ref().is_none_or(|part| contains(&call.key, part.as_bytes())))
    }
}

impl Action {
    const fn is_about_single_keys(&self) -> bool {
        self.wrong_etag || self.omit_from_listing || self.per_key_error.is_some()
    }
}

/// What goes wrong with one request, by all rules.
#[derive(Clone, Debug, Default)]
#[allow(clippy::struct_excessive_bools)] // as in `Action`
pub(crate) struct Strikes {
    pub(crate) status: Option<(u16, Option<String>)>,
    pub(crate) slow_down_in_200: bool,
    pub(crate) expired_token: bool,
    pub(crate) vanish: bool,
    pub(crate) lose_response: bool,
    pub(crate) delay: Duration,
    pub(crate) spoil: Spoil,
    pub(crate) truncated_page: Option<TruncatedPage>,
    /// Keys that contain any of these are left out of a listing.
    pub(crate) omit: Vec<Vec<u8>>,
    /// Keys that contain any of these are listed with another `ETag`.
    pub(crate) wrong_etag: Vec<Vec<u8>>,
    pub(crate) per_key_errors: Vec<PerKeyError>,
}

impl Strikes {
    fn add(&mut self, rule: &Rule) {
        let Action { truncate_body, truncated_page, per_key_error, .. } = &rule.action;
        let action = &rule.action;
        let keys = || rule.when.key_contains.clone().unwrap_or_default().into_bytes();
        if let Some(status) = action.status {
            self.status = Some((status, action.code.clone()));
        }
        self.slow_down_in_200 |= action.slow_down_in_200;
        self.expired_token |= action.expired_token;
        self.vanish |= action.vanish;
        self.lose_response |= action.lose_response;
        self.delay += Duration::from_millis(action.delay_ms);
        self.spoil.pause += Duration::from_millis(action.slow_body_ms);
        self.spoil.cut_after_bytes = truncate_body.or(self.spoil.cut_after_bytes);
        self.truncated_page = truncated_page.or(self.truncated_page);
        self.omit.extend(action.omit_from_listing.then(keys));
        self.wrong_etag.extend(action.wrong_etag.then(keys));
        self.per_key_errors.extend(per_key_error.clone());
    }

    /// The error for one key of a bulk deletion.
    pub(crate) fn key_error(&self, key: &[u8]) -> Option<&PerKeyError> {
        self.per_key_errors.iter().find(|error| contains(key, error.keys_contain.as_bytes()))
    }

    /// Whether a listing shows another `ETag` for this key.
    pub(crate) fn has_wrong_etag(&self, key: &[u8]) -> bool {
        self.wrong_etag.iter().any(|part| contains(key, part))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operation::Dialect;

    fn rule(text: &str) -> Rule {
        serde_json::from_str(text).expect("a rule")
    }

    fn struck(rules: &[Rule], keys: &[&str]) -> Vec<bool> {
        let faults = Faults::default();
        for rule in rules {
            faults.add(rule.clone());
        }
        let strike = |key: &&str| {
            let (dialect, operation) = (Dialect::S3, Operation::Get);
            let call = Call { dialect, operation, bucket: "b".to_owned(), key: key.as_bytes().to_owned() };
            faults.strike(&Method::GET, &call).status.is_some()
        };
        keys.iter().map(strike).collect()
    }

    #[test]
    fn a_rule_strikes_what_it_matches() {
        for (text, expected) in [
            (r#"{"action": {"status": 500}}"#, [true, true, true, true]),
            (r#"{"match": {"key_contains": "a"}, "action": {"status": 500}}"#, [true, true, false, true]),
            (r#"{"match": {"key_contains": "a", "nth": 2}, "action": {"status": 500}}"#, [false, true, false, false]),
            (r#"{"match": {"every": 2}, "action": {"status": 500}}"#, [false, true, false, true]),
            (r#"{"match": {"times": 1, "every": 2}, "action": {"status": 500}}"#, [false, true, false, false]),
            (r#"{"match": {"method": "GET", "operation": "get"}, "action": {"status": 429}}"#, [true; 4]),
            (r#"{"match": {"method": "PUT"}, "action": {"status": 429}}"#, [false; 4]),
            (r#"{"match": {"operation": "list"}, "action": {"status": 429}}"#, [false; 4]),
            (r#"{"match": {}, "action": {"delay_ms": 1}}"#, [false; 4]),
        ] {
            assert_eq!(struck(&[rule(text)], &["a", "ba", "c", "da"]), expected, "{text}");
        }
    }

    #[test]
    fn a_rule_that_says_something_unknown_is_no_rule() {
        for text in [r#"{"action": {"stauts": 500}}"#, r#"{"match": {"key": "a"}, "action": {}}"#, "{}"] {
            assert!(serde_json::from_str::<Rule>(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_rule_that_cannot_strike_is_refused() {
        for text in [
            r#"{"match": {"method": "get"}, "action": {}}"#,
            r#"{"match": {"operation": "lits"}, "action": {}}"#,
            r#"{"match": {"nth": 0}, "action": {}}"#,
            r#"{"match": {"every": 0}, "action": {}}"#,
            r#"{"action": {"status": 42}}"#,
        ] {
            assert!(rule(text).check().is_err(), "{text}");
        }
    }

    #[test]
    fn a_page_is_truncated_in_two_ways() {
        let page = |text| rule(text).action.truncated_page;
        assert_eq!(page(r#"{"action": {"truncated_page": true}}"#), Some(TruncatedPage::NoToken));
        assert_eq!(page(r#"{"action": {"truncated_page": "cut"}}"#), Some(TruncatedPage::Cut));
    }

    #[test]
    fn actions_on_single_keys_match_whatever_is_listed() {
        let faults = Faults::default();
        faults.add(rule(
            r#"{"match": {"key_contains": "a"}, "action": {"omit_from_listing": true, "wrong_etag": true}}"#,
        ));
        let (dialect, operation) = (Dialect::S3, Operation::List);
        let call = Call { dialect, operation, bucket: "b".to_owned(), key: Vec::new() };
        let strikes = faults.strike(&Method::GET, &call);
        assert_eq!(strikes.omit, [b"a"]);
        assert_eq!((strikes.has_wrong_etag(b"cab"), strikes.has_wrong_etag(b"b")), (true, false));
        assert_eq!(faults.all()[0].struck, 1);
    }
}
