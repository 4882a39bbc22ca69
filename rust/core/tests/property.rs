//! The property above all others: for any tree and any scripted fault, nothing reachable is removed.
//!
//! Trees are built from a small model whose live blobs are known by construction, and put into memory; one fault
//! then hits one operation of a scan, a mark or a removal.
#![allow(clippy::unwrap_used)]

mod model;

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use model::{build, old, pieces, script, stored};
use proptest::prelude::*;
use regsweep_core::digest::{Algorithm, Digest};
use regsweep_core::error::Result;
use regsweep_core::mark::{Marks, Options, mark};
use regsweep_core::progress::Control;
use regsweep_core::remove::{self, Destination, Removed};
use regsweep_core::scan::scan;
use regsweep_core::store::layers::{Fault, Faulty, Operation};
use regsweep_core::store::{List, Read, Remove};

fn run(store: &(impl List + Read), delete_untagged: bool) -> Result<Marks> {
    let control = Control::default();
    let catalog = Arc::new(scan(store, old() + Duration::from_secs(100_000_000), &control)?);
    mark(store, catalog, Options { delete_untagged, ..Options::default() }, &control)
}

fn remove_eligible(store: &(impl List + Read + Remove), marks: &mut Marks) -> Removed {
    remove::remove_eligible(store, marks, Destination::Nowhere(None), &Control::default()).unwrap()
}

fn eligible(marks: &Marks) -> BTreeSet<Digest> {
    marks.blobs.iter().map(|(digest, _)| digest).collect()
}

fn fault() -> impl Strategy<Value = Fault> {
    prop_oneof![
        1 => Just(Fault::Error(ErrorKind::Other)),
        1 => Just(Fault::Error(ErrorKind::NotFound)),
        3 => Just(Fault::Vanish),
        1 => (0..80usize).prop_map(Fault::Short),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn without_faults_just_the_unreachable_is_eligible(pieces in pieces(), delete_untagged: bool) {
        let (store, plain, tagged) = build(&pieces);
        let marks = run(&store, delete_untagged).unwrap();
        let live = if delete_untagged { &tagged } else { &plain };
        let dead: BTreeSet<Digest> = stored(&store).difference(live).copied().collect();
        prop_assert_eq!(eligible(&marks), dead);
        prop_assert!(marks.damaged.is_empty());
    }

    #[test]
    fn whatever_goes_wrong_while_marking_nothing_reachable_is_eligible(
        pieces in pieces(),
        delete_untagged: bool,
        kind in prop_oneof![Just(Operation::List), Just(Operation::Stat), Just(Operation::Read)],
        number in 0..40usize,
        again in 0..2usize,
        fault in fault(),
    ) {
        let (store, plain, tagged) = build(&pieces);
        // A manifest that is cut off whenever it is read is damaged: what only it leads to, and no repository links, is
        // known to nobody.
        let again = if matches!(fault, Fault::Short(_)) { 0 } else { again };
        let store = Faulty::new(store, script(kind, number, again, fault));
        if let Ok(marks) = run(&store, delete_untagged) {
            let live = if delete_untagged { tagged } else { plain };
            let wrong: Vec<Digest> = eligible(&marks).intersection(&live).copied().collect();
            prop_assert!(wrong.is_empty(), "eligible although live: {:?}", wrong);
        }
    }

    #[test]
    fn whatever_goes_wrong_while_removing_the_next_run_finishes(
        pieces in pieces(),
        delete_untagged: bool,
        number in 0..30usize,
        again in 0..4usize,
    ) {
        let (reference, plain, tagged) = build(&pieces);
        remove_eligible(&reference, &mut run(&reference, delete_untagged).unwrap());
        let live = if delete_untagged { tagged } else { plain };
        prop_assert_eq!(&stored(&reference), &live);

        let (store, _, _) = build(&pieces);
        let mut marks = run(&store, delete_untagged).unwrap();
        let fault = Fault::Error(ErrorKind::PermissionDenied);
        let store = Faulty::new(store, script(Operation::Remove, number, again, fault));
        let removed = remove_eligible(&store, &mut marks);
        let store = store.inner();
        prop_assert!(stored(store).is_superset(&live));
        // Every manifest link that is still there still has its manifest.
        for key in store.files() {
            let text = key.to_string();
            if let Some((_, hex)) = text.strip_suffix("/link").and_then(|text| text.split_once("/revisions/sha256/")) {
                let digest = Digest::from_hex(Algorithm::Sha256, hex.as_bytes()).unwrap();
                prop_assert!(stored(store).contains(&digest), "a link without its manifest");
            }
        }
        let mut rest = run(store, delete_untagged).unwrap();
        prop_assert_eq!(removed.failures.is_empty(), rest.blobs.is_empty() && rest.revisions.is_empty() && rest.layer_links.is_empty());
        remove_eligible(store, &mut rest);
        prop_assert_eq!(stored(store), live);
        prop_assert_eq!(store.files(), reference.files());
    }
}
