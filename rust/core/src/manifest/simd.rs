//! Reading JSON with simd-json: the fast reader, and the one that is used.
//!
//! simd-json unescapes in place, so the content is copied into a buffer first. Copy, tape and work space belong
//! to the [`Parser`] and are used again: in the steady state a document costs no allocation.

use simd_json::{Buffers, INPUT_PADDING, Node, StaticNode, Tape, fill_tape_padded};

use super::shape::{self, Value, View};
use super::{HUGE, MAX_DEPTH, MAX_SIZE, Reference, Shape, damaged};

/// Documents longer than this give their buffers back: a 4 MiB document of nothing but `[0,0,…` fills a tape of
/// 50 MB, which each thread would go on holding.
const KEPT_SIZE: usize = 256 << 10;

/// Reads manifests. Holds buffers only, so one per thread, for as many documents as there are.
pub struct Parser {
    /// A copy of the document, followed by [`INPUT_PADDING`] zeros.
    content: Vec<u8>,
    buffers: Buffers,
    /// Empty between two documents; kept for its allocation.
    tape: Tape<'static>,
}

impl Parser {
    /// A parser without buffers yet.
    pub fn new() -> Self {
        Self { content: Vec::new(), buffers: Buffers::with_max_depth(0, MAX_DEPTH), tape: Tape(Vec::new()) }
    }

    /// Appends what `content` refers to and says what it is.
    ///
    /// In the order in which the registry's own collector visits: configuration, then layers; or the entries of
    /// an index; or `fsLayers`; the subject last. A digest that a document names twice is appended twice.
    ///
    /// Never fails: a document that cannot be read is [`Shape::Damaged`], and whatever it may refer to is
    /// appended all the same.
    pub fn parse(&mut self, content: &[u8], references: &mut Vec<Reference>) -> Shape {
        if content.len() > MAX_SIZE {
            return damaged(content, references);
        }
        self.content.clear();
        self.content.extend_from_slice(content);
        self.content.resize(content.len() + INPUT_PADDING, 0);

        let mut tape = std::mem::replace(&mut self.tape, Tape(Vec::new())).reset();
        let read = fill_tape_padded(&mut self.content, content.len(), &mut self.buffers, &mut tape);
        let shape = match read {
            Ok(()) if !tape.0.iter().any(is_huge) => shape::classify(Cursor(&tape.0), references),
            _ => None,
        };
        self.tape = tape.reset();
        if content.len() > KEPT_SIZE {
            *self = Self::new();
        }
        shape.unwrap_or_else(|| damaged(content, references))
    }
}

impl Default for Parser {
    fn default() -> Self {
        Self::new()
    }
}

fn is_huge(node: &Node<'_>) -> bool {
    matches!(node, Node::Static(StaticNode::F64(number)) if number.abs() >= HUGE)
}

/// The value that begins at the first of these nodes. What comes after it does not belong to it.
#[derive(Clone, Copy)]
struct Cursor<'t>(&'t [Node<'t>]);

impl<'t> Value<'t> for Cursor<'t> {
    type Elements = Elements<'t>;
    type Members = Members<'t>;

    fn view(self) -> View<'t, Self> {
        let Some((first, rest)) = self.0.split_first() else { return View::Null };
        match *first {
            Node::String(text) => View::String(text),
            Node::Object { count, .. } => View::Object(Members(&rest[..count])),
            Node::Array { count, .. } => View::Array(Elements(&rest[..count])),
            Node::Static(StaticNode::Null) => View::Null,
            Node::Static(StaticNode::U64(number)) => View::Integer(number),
            Node::Static(_) => View::Other,
        }
    }
}

/// Splits off the nodes of the first value.
fn split_value<'t>(nodes: &'t [Node<'t>]) -> Option<(Cursor<'t>, &'t [Node<'t>])> {
    let length = match nodes.first()? {
        Node::Object { count, .. } | Node::Array { count, .. } => count + 1,
        Node::String(_) | Node::Static(_) => 1,
    };
    let (value, rest) = nodes.split_at(length);
    Some((Cursor(value), rest))
}

struct Elements<'t>(&'t [Node<'t>]);

impl<'t> Iterator for Elements<'t> {
    type Item = Cursor<'t>;

    fn next(&mut self) -> Option<Cursor<'t>> {
        let (value, rest) = split_value(self.0)?;
        self.0 = rest;
        Some(value)
    }
}

struct Members<'t>(&'t [Node<'t>]);

impl<'t> Iterator for Members<'t> {
    type Item = (&'t str, Cursor<'t>);

    fn next(&mut self) -> Option<(&'t str, Cursor<'t>)> {
        let (key, rest) = self.0.split_first()?;
        let Node::String(key) = *key else { unreachable!("keys and values alternate on a tape") };
        let (value, rest) = split_value(rest)?;
        self.0 = rest;
        Some((key, value))
    }
}
