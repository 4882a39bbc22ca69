//! Reading JSON with `serde_json`: the plain twin that the fast reader is checked against.

use std::borrow::Cow;
use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::shape::{self, Value, View};
use super::{HUGE, MAX_DEPTH, MAX_SIZE, Reference, Shape, damaged};

/// What [`Parser::parse`](super::Parser::parse) does, by plainer means and at less speed.
pub fn parse_plain(content: &[u8], references: &mut Vec<Reference>) -> Shape {
    let shape = match read(content) {
        Some(tree) => shape::classify(&tree, references),
        None => None,
    };
    shape.unwrap_or_else(|| damaged(content, references))
}

/// A JSON value in which every key is kept, however often it occurs.
enum Tree<'c> {
    Null,
    /// An integer that is not negative.
    Integer(u64),
    String(Cow<'c, str>),
    Array(Vec<Tree<'c>>),
    Object(Vec<(Cow<'c, str>, Tree<'c>)>),
    /// `true`, `false` and all other numbers.
    Other,
}

fn read(content: &[u8]) -> Option<Tree<'_>> {
    if content.len() > MAX_SIZE {
        return None;
    }
    let has_float = Cell::new(false);
    let mut reader = serde_json::Deserializer::from_slice(content);
    let tree = Seed { levels: MAX_DEPTH, has_float: &has_float }.deserialize(&mut reader).ok()?;
    reader.end().ok()?;
    // serde_json turns integers beyond 64 bits into floats and rounds some floats wrongly, so once there is a
    // float, the text decides.
    (!has_float.get() || numbers_fit(content)).then_some(tree)
}

/// Whether no number of this JSON document is huge.
fn numbers_fit(content: &[u8]) -> bool {
    let mut in_string = false;
    let mut escaped = false;
    let tokens = content.split(|&byte| {
        if in_string {
            in_string = escaped || byte != b'"';
            escaped = byte == b'\\' && !escaped;
            return true;
        }
        in_string = byte == b'"';
        !matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E')
    });
    tokens.into_iter().all(|token| {
        if !token.iter().any(u8::is_ascii_digit) {
            return true; // between two tokens, or the `e` of `true`
        }
        let text = str::from_utf8(token).expect("digits, signs, points and exponents are ASCII");
        if text.contains(['.', 'e', 'E']) {
            text.parse().is_ok_and(|number: f64| number.abs() < HUGE)
        } else {
            text.parse::<u64>().is_ok() || text.parse::<i64>().is_ok()
        }
    })
}

/// Reads one value, with so many levels of nesting left.
#[derive(Clone, Copy)]
struct Seed<'f> {
    levels: usize,
    has_float: &'f Cell<bool>,
}

impl Seed<'_> {
    fn deeper<E: Error>(self) -> Result<Self, E> {
        let levels = self.levels.checked_sub(1).ok_or_else(|| E::custom("nested too deep"))?;
        Ok(Self { levels, ..self })
    }
}

impl<'c> DeserializeSeed<'c> for Seed<'_> {
    type Value = Tree<'c>;

    fn deserialize<D: Deserializer<'c>>(self, reader: D) -> Result<Tree<'c>, D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'c> Visitor<'c> for Seed<'_> {
    type Value = Tree<'c>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Tree<'c>, E> {
        Ok(Tree::Null)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Tree<'c>, E> {
        Ok(Tree::Other)
    }

    fn visit_u64<E>(self, number: u64) -> Result<Tree<'c>, E> {
        Ok(Tree::Integer(number))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Tree<'c>, E> {
        Ok(Tree::Other)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Tree<'c>, E> {
        self.has_float.set(true);
        Ok(Tree::Other)
    }

    fn visit_borrowed_str<E>(self, text: &'c str) -> Result<Tree<'c>, E> {
        Ok(Tree::String(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Tree<'c>, E> {
        Ok(Tree::String(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'c>>(self, mut elements: A) -> Result<Tree<'c>, A::Error> {
        let seed = self.deeper()?;
        let mut values = Vec::new();
        while let Some(value) = elements.next_element_seed(seed)? {
            values.push(value);
        }
        Ok(Tree::Array(values))
    }

    fn visit_map<A: MapAccess<'c>>(self, mut members: A) -> Result<Tree<'c>, A::Error> {
        let seed = self.deeper()?;
        let mut pairs = Vec::new();
        while let Some(key) = members.next_key_seed(Key)? {
            pairs.push((key, members.next_value_seed(seed)?));
        }
        Ok(Tree::Object(pairs))
    }
}

/// Reads the key of a member.
struct Key;

impl<'c> DeserializeSeed<'c> for Key {
    type Value = Cow<'c, str>;

    fn deserialize<D: Deserializer<'c>>(self, reader: D) -> Result<Cow<'c, str>, D::Error> {
        reader.deserialize_str(self)
    }
}

impl<'c> Visitor<'c> for Key {
    type Value = Cow<'c, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_borrowed_str<E>(self, text: &'c str) -> Result<Cow<'c, str>, E> {
        Ok(Cow::Borrowed(text))
    }

    fn visit_str<E>(self, text: &str) -> Result<Cow<'c, str>, E> {
        Ok(Cow::Owned(text.to_owned()))
    }
}

impl<'t> Value<'t> for &'t Tree<'t> {
    type Elements = std::slice::Iter<'t, Tree<'t>>;
    type Members = Members<'t>;

    fn view(self) -> View<'t, Self> {
        match self {
            Tree::Null => View::Null,
            Tree::Integer(number) => View::Integer(*number),
            Tree::String(text) => View::String(text),
            Tree::Array(values) => View::Array(values.iter()),
            Tree::Object(pairs) => View::Object(Members(pairs.iter())),
            Tree::Other => View::Other,
        }
    }
}

struct Members<'t>(std::slice::Iter<'t, (Cow<'t, str>, Tree<'t>)>);

impl<'t> Iterator for Members<'t> {
    type Item = (&'t str, &'t Tree<'t>);

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next().map(|(key, value)| (&**key, value))
    }
}
