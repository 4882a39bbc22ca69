//! A bucket on an object store in this process that does what it is told.
#![allow(dead_code, clippy::unwrap_used, missing_docs, unreachable_pub, reason = "not every test uses all of it")]

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use proptest::prelude::*;
use regsweep_core::error::Result;
use regsweep_core::layout::quarantine as layout_quarantine;
use regsweep_core::mark::{Marks, Options as Marking, mark};
use regsweep_core::progress::Control;
use regsweep_core::scan::scan;
use regsweep_core::store::bucket::{AzureKeys, Bucket, Condition, GcsKeys, Options, Patience, Provider, Secret};
use regsweep_core::store::memory::MemoryStore;
use regsweep_core::store::{List, Read};
use regsweep_fakebucket::bucket::Versioning;
use regsweep_fakebucket::faults::{Action, Match, Rule};
use regsweep_fakebucket::moment::Moment;
use regsweep_fakebucket::object::Object;
use regsweep_fakebucket::{Dialect, Operation, Server};

use super::model::{self, old};

pub const BUCKET: &str = "registry";
pub const ROOT: &str = "some/root";

pub struct Fixture {
    pub server: Server,
    pub dialect: Dialect,
    number: Mutex<u64>,
}

pub fn dialects() -> impl Strategy<Value = Dialect> {
    prop_oneof![Just(Dialect::S3), Just(Dialect::Gcs), Just(Dialect::Azure)]
}

impl Fixture {
    pub fn new() -> Self {
        let server = Server::start(regsweep_fakebucket::Options::default()).unwrap();
        server.buckets().create(BUCKET);
        Self { server, dialect: Dialect::S3, number: Mutex::new(0) }
    }

    pub fn speaking(self, dialect: Dialect) -> Self {
        Self { dialect, ..self }
    }

    /// With all files of a store in memory.
    pub fn of(store: &MemoryStore) -> Self {
        let fixture = Self::new();
        for (key, (content, _)) in store.contents() {
            fixture.put(&key.to_string(), &content);
        }
        fixture
    }

    pub fn put(&self, key: &str, content: &[u8]) {
        self.put_object(key, Object::new(content.to_vec()));
    }

    /// Turns versions on. What is there already stays, as a version of its own.
    pub fn versioned(self) -> Self {
        self.server.buckets().get(BUCKET).unwrap().write().versioning = Versioning::Enabled;
        self
    }

    /// Writes an object, now.
    pub fn put_now(&self, key: &str, content: &[u8]) {
        let number = self.server.buckets().next_number();
        let bucket = self.server.buckets().get(BUCKET).unwrap();
        bucket.write().put(format!("{ROOT}/{key}").as_bytes(), Object::new(content.to_vec()), Moment::now(), number);
    }

    pub fn put_object(&self, key: &str, object: Object) {
        let mut number = self.number.lock().unwrap();
        *number += 1;
        let seconds = old().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_micros();
        let modified = Moment::from_microseconds(i64::try_from(seconds).unwrap());
        let bucket = self.server.buckets().get(BUCKET).unwrap();
        bucket.write().put(format!("{ROOT}/{key}").as_bytes(), object, modified, *number);
    }

    pub fn delete(&self, key: &str) {
        let bucket = self.server.buckets().get(BUCKET).unwrap();
        assert!(bucket.write().delete(format!("{ROOT}/{key}").as_bytes(), Moment::now(), 0).is_some());
    }

    pub fn options(&self) -> Options {
        let (provider, endpoint) = match self.dialect {
            Dialect::S3 => {
                let keys = Some(("key".to_owned(), Secret("secret".to_owned()), None));
                (Provider::S3 { region: "us-east-1".to_owned(), keys, path_style: true }, self.server.url())
            }
            Dialect::Gcs => {
                let key = r#"{"private_key":"","private_key_id":"","client_email":"","disable_oauth":true}"#;
                (Provider::Gcs(GcsKeys::ServiceAccount(Secret(key.to_owned()))), self.server.url())
            }
            Dialect::GcsXml => unreachable!("regsweep speaks JSON with Google"),
            Dialect::Azure => {
                let account = "devstoreaccount1".to_owned();
                let endpoint = format!("{}/{account}", self.server.url());
                let keys = AzureKeys::SharedKey(Secret("a2V5".to_owned()));
                (Provider::Azure { account, keys, leading_slash: None }, endpoint)
            }
        };
        let patience =
            Patience { first_wait: Duration::from_millis(1), tries: 4, throttled: Duration::from_millis(1500) };
        Options {
            root: ROOT.to_owned(),
            endpoint: Some(endpoint),
            patience,
            jobs: 16,
            ..Options::new(provider, BUCKET)
        }
    }

    pub fn open(&self) -> Bucket {
        Bucket::open(&self.options()).unwrap()
    }

    pub fn requests(&self, operation: Operation) -> u64 {
        self.server.journal().count(self.dialect, operation)
    }

    pub fn fault(&self, operation: &str, key: &str, times: u64, action: Action) {
        let when = Match {
            operation: Some(operation.to_owned()),
            key_contains: (!key.is_empty()).then(|| key.to_owned()),
            times: Some(times),
            ..Match::default()
        };
        self.server.faults().add(Rule { when, action });
    }

    pub fn keys(&self) -> BTreeSet<String> {
        let bucket = self.server.buckets().get(BUCKET).unwrap();
        let bucket = bucket.read();
        let keys = bucket.current_keys().map(|key| String::from_utf8(key.to_vec()).unwrap());
        keys.map(|key| key.strip_prefix(ROOT).unwrap()[1..].to_owned()).collect()
    }
}

pub fn run(store: &(impl List + Read), delete_untagged: bool) -> Result<Marks> {
    let control = Control::default();
    let catalog = Arc::new(scan(store, old() + Duration::from_secs(100_000_000), &control)?);
    mark(store, catalog, Marking { delete_untagged, ..Marking::default() }, &control)
}

/// Begins a run as the journal does.
pub fn begin(bucket: &Bucket, run: &[u8]) {
    let begun = layout_quarantine::run(run).join(layout_quarantine::BEGUN);
    bucket.write_object(&begun, b"", &Condition::Always, &Control::default()).unwrap();
}
pub fn sample() -> Vec<model::Piece> {
    let piece = |number: u8| model::Piece {
        repository: number % 2,
        layers: vec![number, number / 2],
        children: Vec::new(),
        subject: None,
        tagged: true,
        linked: true,
    };
    (0..10).map(piece).collect()
}

/// The tag that a store of [`sample`] has, and the key of its link.
pub fn first_tag(fixture: &Fixture) -> String {
    let keys = fixture.keys();
    keys.into_iter().find(|key| key.contains("/tags/") && key.ends_with("/current/link")).unwrap()
}
