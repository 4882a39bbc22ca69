//! All ways to one node of a graph, shortest first, one at a time.
//!
//! Nodes are numbers, 0 the one that ways lead to; some nodes are where ways begin, for one reason or for several. The
//! graph may have circles (a subject and its referrers keep each other; damaged manifests may name anything). A way
//! never goes round in one: inside a circle it takes only steps that bring it nearer to its end. So there are finitely
//! many, every beginning that leads to the end has at least one, and what is left is a graph without circles:
//!
//! ```text
//! distance     of each node to the end
//! components   nodes that lead to each other; steps inside one that do not come nearer are dropped
//! lengths      of each node, which lengths its ways from a beginning have (one bit each), the longest, how many
//! ```
//!
//! With these the next way is found without ever trying a step that leads nowhere: it takes as long as it has steps,
//! times the choices at each.

use std::collections::VecDeque;

/// Lengths that are told apart. All longer ways are one class, and come last, in no order of length.
const LONGEST: u32 = 63;

/// A beginning or a node is asked for by its place.
pub(super) type Number = u32;

/// A graph that leads to node 0, ready for enumeration.
#[derive(Debug)]
pub(super) struct Ways {
    /// From where steps lead to each node: the node, and which of the steps given for it that is.
    sources: Vec<Vec<(Number, Number)>>,
    beginnings: Vec<Vec<Number>>,
    /// Bit n: there is a way of n steps from a beginning. Bit [`LONGEST`]: one of so many or more.
    lengths: Vec<u64>,
    longest: Vec<u32>,
    count: Option<u64>,
}

/// One way, from its beginning on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Way {
    /// The beginning.
    pub(super) beginning: Number,
    /// The nodes from there to the end; of each but the first, which of its steps leads to it.
    pub(super) nodes: Vec<(Number, Option<Number>)>,
}

/// How far an enumeration is.
#[derive(Clone, Debug, Default)]
pub struct Cursor {
    /// The length of the ways that come next.
    length: u32,
    /// From the end backwards: each node, and what is to be tried next there.
    open: Vec<Open>,
}

#[derive(Clone, Copy, Debug)]
struct Open {
    node: Number,
    /// Which step it was that leads from here to the node before.
    step: Option<Number>,
    next_beginning: usize,
    next_source: usize,
}

impl Ways {
    /// Prepares a graph all of whose nodes lead to node 0. `sources`: for each node, from where steps lead to it;
    /// `beginnings`: for each node, the reasons to begin there. Where lengths are equal, ways whose beginnings have
    /// low numbers come early.
    pub(super) fn new(sources: &[Vec<Number>], beginnings: Vec<Vec<Number>>) -> Self {
        let distances = distances(sources);
        let components = components(sources);
        let place = |node: Number| node as usize;
        let leads_nearer = |source: Number, node: usize| {
            components[place(source)] != components[node] || distances[place(source)] > distances[node]
        };
        let mut kept: Vec<Vec<(Number, Number)>> = Vec::with_capacity(sources.len());
        for (node, steps) in sources.iter().enumerate() {
            let numbered = steps.iter().copied().zip(0..);
            kept.push(numbered.filter(|&(source, _)| leads_nearer(source, node)).collect());
        }
        // What leads to a node comes before it: components are numbered as they are left, those that lead to others
        // first, and inside one the farther nodes lead to the nearer.
        let mut order: Vec<usize> = (0..sources.len()).collect();
        order.sort_by_key(|&node| (components[node], std::cmp::Reverse(distances[node])));
        let mut lengths = vec![0; sources.len()];
        let mut longest: Vec<u32> = vec![0; sources.len()];
        let mut counts: Vec<Option<u64>> = vec![Some(0); sources.len()];
        let mut best: Vec<Number> = vec![Number::MAX; sources.len()];
        for node in order {
            lengths[node] = u64::from(!beginnings[node].is_empty());
            counts[node] = Some(beginnings[node].len() as u64);
            best[node] = beginnings[node].iter().copied().min().unwrap_or(Number::MAX);
            for &(source, _) in &kept[node] {
                let source = place(source);
                lengths[node] |= one_longer(lengths[source]);
                if lengths[source] != 0 {
                    longest[node] = longest[node].max(longest[source].saturating_add(1));
                }
                counts[node] = counts[node].zip(counts[source]).and_then(|(one, other)| one.checked_add(other));
                best[node] = best[node].min(best[source]);
            }
            kept[node].sort_by_key(|&(source, step)| (best[place(source)], source, step));
        }
        Self { sources: kept, beginnings, lengths, longest, count: counts[0] }
    }

    /// How many ways there are; nothing for more than a number can say.
    pub(super) const fn count(&self) -> Option<u64> {
        self.count
    }

    /// The next way; nothing after the last one.
    pub(super) fn next(&self, cursor: &mut Cursor) -> Option<Way> {
        loop {
            let depth = u32::try_from(cursor.open.len()).unwrap_or(u32::MAX).saturating_sub(1);
            let Some(open) = cursor.open.last_mut() else {
                let left = self.lengths[0].checked_shr(cursor.length).filter(|&left| left != 0)?;
                cursor.length += left.trailing_zeros();
                cursor.open.push(Open { node: 0, step: None, next_beginning: 0, next_source: 0 });
                continue;
            };
            let node = open.node as usize;
            let ends_here = if cursor.length < LONGEST { depth == cursor.length } else { depth >= LONGEST };
            if ends_here && let Some(&beginning) = self.beginnings[node].get(open.next_beginning) {
                open.next_beginning += 1;
                let steps = cursor.open.iter().map(|open| (open.node, open.step)).rev();
                return Some(Way { beginning, nodes: steps_of_nodes(steps) });
            }
            if let Some(&(source, step)) = self.sources[node].get(open.next_source) {
                open.next_source += 1;
                if self.leads_on(source as usize, depth + 1, cursor.length) {
                    let next = Open { node: source, step: Some(step), next_beginning: 0, next_source: 0 };
                    cursor.open.push(next);
                }
                continue;
            }
            cursor.open.pop();
            if cursor.open.is_empty() {
                cursor.length += 1;
            }
        }
    }

    /// Whether a node so many steps before the end is on a way of this length (of [`LONGEST`]: or longer).
    fn leads_on(&self, node: usize, depth: u32, length: u32) -> bool {
        match length {
            LONGEST => self.lengths[node] != 0 && depth.saturating_add(self.longest[node]) >= LONGEST,
            length => depth <= length && (self.lengths[node] >> (length - depth)) & 1 == 1,
        }
    }
}

/// While ways are sought backwards, each node has the step that leads on from it; told is the one that leads to it.
fn steps_of_nodes(from_beginning: impl Iterator<Item = (Number, Option<Number>)>) -> Vec<(Number, Option<Number>)> {
    let mut before = None;
    from_beginning.map(|(node, step)| (node, std::mem::replace(&mut before, step))).collect()
}

const fn one_longer(lengths: u64) -> u64 {
    (lengths << 1) | (lengths & (1 << LONGEST))
}

/// How many steps each node is from node 0.
fn distances(sources: &[Vec<Number>]) -> Vec<u32> {
    let mut distances = vec![u32::MAX; sources.len()];
    let mut open = VecDeque::from([0]);
    distances[0] = 0;
    while let Some(node) = open.pop_front() {
        for &source in &sources[node] {
            let source = source as usize;
            if distances[source] == u32::MAX {
                distances[source] = distances[node] + 1;
                open.push_back(source);
            }
        }
    }
    distances
}

/// For each node the number of its component: nodes have the same one if each leads to the other, and a lower one than
/// all others that they lead to. (R. Tarjan, "Depth-first search and linear graph algorithms", 1972; by hand, for
/// indexes may be nested deeper than a stack.)
fn components(sources: &[Vec<Number>]) -> Vec<u32> {
    const NONE: u32 = u32::MAX;
    let mut met = vec![NONE; sources.len()];
    let mut lowest = vec![NONE; sources.len()];
    let mut components = vec![NONE; sources.len()];
    let (mut met_count, mut component_count) = (0, 0);
    let mut unassigned: Vec<usize> = Vec::new();
    let mut open: Vec<(usize, usize)> = vec![(0, 0)];
    while let Some((node, next)) = open.last_mut() {
        let node = *node;
        if *next == 0 {
            (met[node], lowest[node]) = (met_count, met_count);
            met_count += 1;
            unassigned.push(node);
        }
        if let Some(&source) = sources[node].get(*next) {
            *next += 1;
            let source = source as usize;
            if met[source] == NONE {
                open.push((source, 0));
            } else if components[source] == NONE {
                lowest[node] = lowest[node].min(met[source]);
            }
            continue;
        }
        open.pop();
        if lowest[node] == met[node] {
            while let Some(member) = unassigned.pop() {
                components[member] = component_count;
                if member == node {
                    break;
                }
            }
            component_count += 1;
        }
        if let Some(&(above, _)) = open.last() {
            lowest[above] = lowest[above].min(lowest[node]);
        }
    }
    components
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn all(ways: &Ways) -> Vec<Way> {
        let mut cursor = Cursor::default();
        std::iter::from_fn(|| ways.next(&mut cursor)).collect()
    }

    /// Node 0 and a chain of nodes that lead to it, each of which is a beginning.
    fn chain(length: u32) -> Ways {
        let sources: Vec<Vec<u32>> = (1..=length).map(|source| vec![source]).chain([Vec::new()]).collect();
        let beginnings = (0..=length).map(|node| vec![node]).collect();
        Ways::new(&sources, beginnings)
    }

    #[test]
    fn a_node_that_is_a_beginning_is_its_own_way() {
        let ways = Ways::new(&[vec![]], vec![vec![4, 7]]);
        let beginnings: Vec<u32> = all(&ways).iter().map(|way| way.beginning).collect();
        assert_eq!((beginnings, ways.count()), (vec![4, 7], Some(2)));
        assert!(all(&Ways::new(&[vec![]], vec![vec![]])).is_empty());
    }

    #[test]
    fn long_chains_come_whole_and_in_order_as_far_as_lengths_are_told_apart() {
        let ways = chain(200);
        let found = all(&ways);
        assert_eq!((found.len(), ways.count()), (201, Some(201)));
        let lengths: Vec<usize> = found.iter().map(|way| way.nodes.len() - 1).collect();
        assert_eq!(lengths[..63], (0..63).collect::<Vec<usize>>());
        assert_eq!(lengths.iter().collect::<BTreeSet<_>>().len(), 201);
    }

    #[test]
    fn more_ways_than_a_number_can_say_are_enumerated_all_the_same() {
        // Seventy times a choice between two nodes: 2^70 ways.
        let mut sources = vec![vec![1, 2]];
        for layer in 0..70u32 {
            let next = if layer == 69 { vec![] } else { vec![layer * 2 + 3, layer * 2 + 4] };
            sources.extend([next.clone(), next]);
        }
        let beginnings = (0..sources.len()).map(|node| if node > 138 { vec![0] } else { vec![] }).collect();
        let ways = Ways::new(&sources, beginnings);
        assert_eq!(ways.count(), None);
        let mut cursor = Cursor::default();
        let some: BTreeSet<Vec<(u32, Option<u32>)>> = (0..100).map(|_| ways.next(&mut cursor).unwrap().nodes).collect();
        assert_eq!(some.len(), 100);
    }

    #[test]
    fn two_that_keep_each_other_are_told_once_from_each_beginning() {
        // An artifact (1) and its subject (2) lead to each other; the artifact leads to its layer (0).
        let ways = Ways::new(&[vec![1], vec![2], vec![1]], vec![vec![], vec![0], vec![1]]);
        let nodes: Vec<Vec<u32>> =
            all(&ways).iter().map(|way| way.nodes.iter().map(|&(node, _)| node).collect()).collect();
        assert_eq!(nodes, [vec![1, 0], vec![2, 1, 0]]);
    }

    #[test]
    fn steps_are_named_by_their_place_among_those_of_the_node_that_they_lead_to() {
        let ways = Ways::new(&[vec![1, 1, 2], vec![], vec![1]], vec![vec![], vec![0], vec![]]);
        let nodes: Vec<Vec<(u32, Option<u32>)>> = all(&ways).into_iter().map(|way| way.nodes).collect();
        assert_eq!(
            nodes,
            [vec![(1, None), (0, Some(0))], vec![(1, None), (0, Some(1))], vec![(1, None), (2, Some(0)), (0, Some(2))]]
        );
    }

    /// Every way that never meets a node twice, by brute force.
    fn simple(sources: &[Vec<u32>], beginnings: &[Vec<u32>], behind: &mut Vec<u32>, found: &mut BTreeSet<Vec<u32>>) {
        let node = behind.last().copied().unwrap() as usize;
        if !beginnings[node].is_empty() {
            found.insert(behind.iter().rev().copied().collect());
        }
        for &source in &sources[node] {
            if !behind.contains(&source) {
                behind.push(source);
                simple(sources, beginnings, behind, found);
                behind.pop();
            }
        }
    }

    fn graph(any_direction: bool) -> impl Strategy<Value = (Vec<Vec<u32>>, Vec<bool>)> {
        (1..8u32).prop_flat_map(move |count| {
            let steps = vec((0..count, 0..count), 0..16).prop_map(move |steps| {
                let mut sources = vec![BTreeSet::new(); count as usize];
                for (source, node) in steps {
                    if any_direction || source > node {
                        sources[node as usize].insert(source);
                    }
                }
                sources.into_iter().map(|sources| sources.into_iter().collect()).collect()
            });
            (steps, vec(any::<bool>(), count as usize))
        })
    }

    /// Only what leads to node 0, numbered anew: what the ways are given.
    fn leading(sources: &[Vec<u32>]) -> Vec<u32> {
        let mut found = vec![0];
        let mut next = 0;
        while let Some(&node) = found.get(next) {
            next += 1;
            for &source in &sources[node as usize] {
                if !found.contains(&source) {
                    found.push(source);
                }
            }
        }
        found
    }

    fn prepare(sources: &[Vec<u32>], begins: &[bool]) -> (Vec<Vec<u32>>, Vec<Vec<u32>>) {
        let found = leading(sources);
        let number = |node: u32| u32::try_from(found.iter().position(|&other| other == node).unwrap()).unwrap();
        let renumber = |&node: &u32| sources[node as usize].iter().map(|&source| number(source)).collect();
        let beginnings =
            found.iter().zip(0..).map(|(&node, index)| if begins[node as usize] { vec![index] } else { vec![] });
        (found.iter().map(renumber).collect(), beginnings.collect())
    }

    fn told(ways: &Ways) -> Vec<Vec<u32>> {
        all(ways).iter().map(|way| way.nodes.iter().map(|&(node, _)| node).collect()).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn without_circles_all_ways_come_once_and_shortest_first((sources, begins) in graph(false)) {
            let (sources, beginnings) = prepare(&sources, &begins);
            let mut expected = BTreeSet::new();
            simple(&sources, &beginnings, &mut vec![0], &mut expected);
            let ways = Ways::new(&sources, beginnings);
            let found = told(&ways);
            prop_assert!(found.is_sorted_by_key(Vec::len));
            prop_assert_eq!(ways.count(), Some(found.len() as u64));
            prop_assert_eq!(found.len(), expected.len());
            prop_assert_eq!(found.into_iter().collect::<BTreeSet<_>>(), expected);
        }

        #[test]
        fn with_circles_ways_never_go_round_and_every_beginning_has_its_shortest((sources, begins) in graph(true)) {
            let (sources, beginnings) = prepare(&sources, &begins);
            let mut expected = BTreeSet::new();
            simple(&sources, &beginnings, &mut vec![0], &mut expected);
            let ways = Ways::new(&sources, beginnings);
            let found = told(&ways);
            prop_assert!(found.is_sorted_by_key(Vec::len));
            prop_assert_eq!(ways.count(), Some(found.len() as u64));
            let distinct: BTreeSet<Vec<u32>> = found.iter().cloned().collect();
            prop_assert_eq!(distinct.len(), found.len());
            prop_assert!(distinct.is_subset(&expected));
            let shortest = |ways: &BTreeSet<Vec<u32>>, first: u32| {
                ways.iter().filter(|way| way[0] == first).map(Vec::len).min()
            };
            for first in 0..u32::try_from(sources.len()).unwrap() {
                prop_assert_eq!(shortest(&distinct, first), shortest(&expected, first));
            }
        }
    }
}
