//! XML as S3 and Azure write it: flat elements in elements, told one by one with their text.

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use super::dialect::Malformed;

/// Hands over what an XML document holds: the opening of each element, and its text as it closes.
pub(super) enum Element<'a> {
    Opens(&'a [u8]),
    /// Name, text without what is in inner elements, and whether an attribute says that the text is percent-encoded.
    Closes(&'a [u8], &'a [u8], bool),
}

/// Reads a document. Fails where it is no XML, or ends before its root does.
///
/// Listings are most of what regsweep reads, and nothing but tags and text: those are read without the library, in a third
/// of the time. Whatever has more in it than that is the library's.
pub(super) fn read(body: &[u8], visit: impl FnMut(Element<'_>) -> Result<(), Malformed>) -> Result<(), Malformed> {
    let declared =
        if body.starts_with(b"<?xml ") { memchr::memmem::find(body, b"?>").map_or(0, |end| end + 2) } else { 0 };
    let rest = &body[declared..];
    let is_plain = memchr::memmem::find(rest, b"<!").is_none() && memchr::memmem::find(rest, b"<?").is_none();
    if is_plain { read_plain(rest, visit) } else { read_any(body, visit) }
}

const BAD: Malformed = Malformed("the store's answer is no XML");
const SHORT: Malformed = Malformed("the store's answer is cut off");
const UNKNOWN: Malformed = Malformed("the store's answer holds an entity that XML does not have");

/// Reads a document of tags and text alone.
fn read_plain(body: &[u8], mut visit: impl FnMut(Element<'_>) -> Result<(), Malformed>) -> Result<(), Malformed> {
    let mut open: Vec<(&[u8], bool)> = Vec::with_capacity(8);
    let mut unescaped = Vec::new();
    let (mut position, mut complete) = (0, false);
    let mut shape = Shape::default();
    while let Some(start) = memchr::memchr(b'<', &body[position..]) {
        let text = &body[position..position + start];
        if open.len() == 1
            && let Some(length) = shape.fits(&body[position + start..])
        {
            shape.tell(&body[position + start..], &mut unescaped, &mut visit)?;
            position += start + length;
            continue;
        }
        let tag_start = position + start + 1;
        let length = tag_length(&body[tag_start..]).ok_or(SHORT)?;
        let tag = &body[tag_start..tag_start + length];
        position = tag_start + length + 1;
        if complete || (open.is_empty() && !text.iter().all(is_space)) {
            return Err(BAD);
        }
        if let Some(closing) = tag.strip_prefix(b"/") {
            let (name, encoded) = open.pop().filter(|(name, _)| *name == trimmed(closing)).ok_or(BAD)?;
            visit(Element::Closes(local(name), plain(text, &mut unescaped)?, encoded))?;
            shape.closes(name, text, tag_start - 1);
            if open.len() == 1 {
                shape.ends(body, position);
            }
        } else {
            let (tag, is_empty) = tag.strip_suffix(b"/").map_or((tag, false), |tag| (tag, true));
            let (name, attributes) = match tag.iter().position(is_space) {
                Some(end) => tag.split_at(end),
                None => (tag, &b""[..]),
            };
            if name.is_empty() {
                return Err(BAD);
            }
            visit(Element::Opens(local(name)))?;
            if open.len() == 1 {
                shape.begins(tag_start - 1);
            }
            shape.opens(name, is_empty || !attributes.is_empty());
            if is_empty {
                visit(Element::Closes(local(name), b"", false))?;
            } else {
                let encoded = !attributes.is_empty() && {
                    let text = std::str::from_utf8(tag).map_err(|_| BAD)?;
                    is_encoded(&BytesStart::from_content(text, name.len()))
                };
                open.push((name, encoded));
            }
        }
        complete = open.is_empty();
    }
    match (complete, body[position..].iter().all(is_space)) {
        (true, true) => Ok(()),
        (true, false) => Err(BAD),
        (false, _) => Err(SHORT),
    }
}

/// What an element directly in the root is made of, to know the next one of the same make by its bytes: a listing names a
/// thousand keys in one way.
#[derive(Default)]
struct Shape<'a> {
    /// What stands before each text, and after the last, in the order of the document.
    pieces: Vec<&'a [u8]>,
    /// What that means, with the number of the text that an element closes with.
    events: Vec<(&'a [u8], Meaning<'a>)>,
    /// Where the texts of the element that fits now are, from its beginning on.
    texts: Vec<std::ops::Range<usize>>,
    /// What is being found out.
    draft: Draft<'a>,
}

#[derive(Clone, Copy)]
enum Meaning<'a> {
    Opens,
    /// An element that holds nothing but this text.
    ClosesAfter(usize),
    /// One that holds others, and this, whatever else is in it.
    Closes(&'a [u8]),
}

#[derive(Default)]
struct Draft<'a> {
    begins: usize,
    events: Vec<(&'a [u8], Meaning<'a>)>,
    texts: Vec<std::ops::Range<usize>>,
    /// Whether it has in it what no shape says.
    is_odd: bool,
}

impl<'a> Shape<'a> {
    fn begins(&mut self, position: usize) {
        self.draft.begins = position;
        self.draft.events.clear();
        self.draft.texts.clear();
        self.draft.is_odd = false;
    }

    fn opens(&mut self, name: &'a [u8], is_odd: bool) {
        self.draft.is_odd |= is_odd;
        self.draft.events.push((name, Meaning::Opens));
    }

    /// An element ends with a text, which ends at a position.
    fn closes(&mut self, name: &'a [u8], text: &'a [u8], end: usize) {
        let draft = &mut self.draft;
        let is_leaf = matches!(draft.events.last(), Some((_, Meaning::Opens)));
        if is_leaf {
            draft.events.push((name, Meaning::ClosesAfter(draft.texts.len())));
            draft.texts.push(end - text.len()..end);
        } else {
            draft.is_odd |= memchr::memchr(b'&', text).is_some();
            draft.events.push((name, Meaning::Closes(text)));
        }
    }

    /// The element in the root ends at a position: what follows may be like it.
    fn ends(&mut self, body: &'a [u8], end: usize) {
        let draft = &mut self.draft;
        self.pieces.clear();
        if draft.is_odd || draft.texts.is_empty() {
            return;
        }
        let mut from = draft.begins;
        for text in &draft.texts {
            self.pieces.push(&body[from..text.start]);
            from = text.end;
        }
        self.pieces.push(&body[from..end]);
        std::mem::swap(&mut self.events, &mut draft.events);
    }

    /// How long the element at the beginning of a text is, if it has this shape.
    fn fits(&mut self, body: &[u8]) -> Option<usize> {
        let (last, pieces) = self.pieces.split_last()?;
        self.texts.clear();
        let mut position = 0;
        for piece in pieces {
            position += body[position..].starts_with(piece).then_some(piece.len())?;
            let length = memchr::memchr(b'<', &body[position..])?;
            self.texts.push(position..position + length);
            position += length;
        }
        body[position..].starts_with(last).then_some(position + last.len())
    }

    /// Tells the element that fits.
    fn tell(
        &self,
        body: &[u8],
        unescaped: &mut Vec<u8>,
        visit: &mut impl FnMut(Element<'_>) -> Result<(), Malformed>,
    ) -> Result<(), Malformed> {
        self.events.iter().try_for_each(|&(name, meaning)| match meaning {
            Meaning::Opens => visit(Element::Opens(local(name))),
            Meaning::ClosesAfter(text) => {
                visit(Element::Closes(local(name), plain(&body[self.texts[text].clone()], unescaped)?, false))
            }
            Meaning::Closes(text) => visit(Element::Closes(local(name), text, false)),
        })
    }
}

/// A text without references.
fn plain<'a>(text: &'a [u8], unescaped: &'a mut Vec<u8>) -> Result<&'a [u8], Malformed> {
    if memchr::memchr(b'&', text).is_none() { Ok(text) } else { unescape(text, unescaped) }
}

/// How long a tag is up to its `>`, which is not the one in the value of an attribute.
fn tag_length(body: &[u8]) -> Option<usize> {
    let length = memchr::memchr(b'>', body)?;
    // Nearly no tag has any.
    if memchr::memchr2(b'"', b'\'', &body[..length]).is_none() {
        return Some(length);
    }
    let mut quote = None;
    body.iter().position(|&byte| {
        match quote {
            None if matches!(byte, b'"' | b'\'') => quote = Some(byte),
            Some(open) if open == byte => quote = None,
            _ => {}
        }
        quote.is_none() && byte == b'>'
    })
}

/// What XML takes for white space.
#[allow(clippy::trivially_copy_pass_by_ref, reason = "as iterators hand it over")]
const fn is_space(byte: &u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

fn trimmed(name: &[u8]) -> &[u8] {
    let end = name.iter().rposition(|byte| !is_space(byte)).map_or(0, |last| last + 1);
    &name[..end]
}

/// Whether an element's text is percent-encoded: Azure's way to name what XML cannot hold.
fn is_encoded(start: &BytesStart<'_>) -> bool {
    let mut attributes = start.attributes().flatten();
    attributes.any(|attribute| attribute.key.as_ref() == b"Encoded" && attribute.value.as_ref() == b"true")
}

/// A name without its namespace.
fn local(name: &[u8]) -> &[u8] {
    memchr::memchr(b':', name).map_or(name, |colon| &name[colon + 1..])
}

fn unescape<'a>(text: &[u8], to: &'a mut Vec<u8>) -> Result<&'a [u8], Malformed> {
    to.clear();
    let mut rest = text;
    while let Some(start) = memchr::memchr(b'&', rest) {
        to.extend_from_slice(&rest[..start]);
        let end = memchr::memchr(b';', &rest[start..]).ok_or(UNKNOWN)?;
        let reference =
            quick_xml::events::BytesRef::new(std::str::from_utf8(&rest[start + 1..start + end]).map_err(|_| UNKNOWN)?);
        push_reference(&reference, to)?;
        rest = &rest[start + end + 1..];
    }
    to.extend_from_slice(rest);
    Ok(to)
}

/// Reads any document.
fn read_any(body: &[u8], mut visit: impl FnMut(Element<'_>) -> Result<(), Malformed>) -> Result<(), Malformed> {
    let mut reader = Reader::from_reader(body);
    let mut text = Vec::new();
    let mut open: Vec<bool> = Vec::new();
    let mut complete = false;
    loop {
        match reader.read_event().map_err(|_| if complete { BAD } else { SHORT })? {
            Event::Start(start) => {
                text.clear();
                open.push(is_encoded(&start));
                visit(Element::Opens(start.local_name().as_ref()))?;
            }
            Event::Empty(empty) => {
                text.clear();
                visit(Element::Opens(empty.local_name().as_ref()))?;
                visit(Element::Closes(empty.local_name().as_ref(), b"", false))?;
                complete |= open.is_empty();
            }
            Event::Text(part) => text.extend_from_slice(&part),
            Event::CData(part) => text.extend_from_slice(&part),
            Event::GeneralRef(reference) => push_reference(&reference, &mut text)?,
            Event::End(end) => {
                let encoded = open.pop().unwrap_or_default();
                visit(Element::Closes(end.local_name().as_ref(), &text, encoded))?;
                text.clear();
                complete |= open.is_empty();
            }
            Event::Eof if complete => return Ok(()),
            Event::Eof => return Err(SHORT),
            Event::Decl(_) | Event::Comment(_) | Event::PI(_) | Event::DocType(_) => {}
        }
    }
}

fn push_reference(reference: &quick_xml::events::BytesRef<'_>, text: &mut Vec<u8>) -> Result<(), Malformed> {
    if let Some(character) = reference.resolve_char_ref().map_err(|_| UNKNOWN)? {
        text.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        return Ok(());
    }
    text.push(match &**reference {
        b"amp" => b'&',
        b"lt" => b'<',
        b"gt" => b'>',
        b"quot" => b'"',
        b"apos" => b'\'',
        _ => return Err(UNKNOWN),
    });
    Ok(())
}

/// Text between tags, with what XML does not allow there written as entities.
pub(super) fn escape(text: &[u8], to: &mut Vec<u8>) {
    for &byte in text {
        match byte {
            b'&' => to.extend_from_slice(b"&amp;"),
            b'<' => to.extend_from_slice(b"&lt;"),
            b'>' => to.extend_from_slice(b"&gt;"),
            // As they are, XML makes one line feed of both, or nothing at all.
            0..32 => to.extend_from_slice(format!("&#{byte};").as_bytes()),
            _ => to.push(byte),
        }
    }
}

/// The code and message of an error, in the elements that both services use.
pub(super) fn error(body: &[u8]) -> (String, String) {
    let (mut code, mut message) = (String::new(), String::new());
    // What there is of it will do.
    let _ = read(body, |element| {
        if let Element::Closes(name, text, _) = element {
            let text = || String::from_utf8_lossy(text).into_owned();
            match name {
                b"Code" if code.is_empty() => code = text(),
                b"Message" if message.is_empty() => message = text(),
                _ => {}
            }
        }
        Ok(())
    });
    (code, message)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn texts(body: &str) -> Option<Vec<(String, String)>> {
        let mut found = Vec::new();
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let read = read(body.as_bytes(), |element| {
            if let Element::Closes(name, content, _) = element {
                found.push((text(name), text(content)));
            }
            Ok(())
        });
        read.ok().map(|()| found)
    }

    type Seen = Vec<(bool, Vec<u8>, Vec<u8>, bool)>;

    fn seen(
        read: impl FnOnce(&mut dyn FnMut(Element<'_>) -> Result<(), Malformed>) -> Result<(), Malformed>,
    ) -> Option<Seen> {
        let mut seen = Vec::new();
        let done = read(&mut |element| {
            seen.push(match element {
                Element::Opens(name) => (true, name.to_vec(), Vec::new(), false),
                Element::Closes(name, text, encoded) => (false, name.to_vec(), text.to_vec(), encoded),
            });
            Ok(())
        });
        done.ok().map(|()| seen)
    }

    fn elements() -> impl Strategy<Value = String> {
        let leaf = prop_oneof![
            "[a-z0-9/.&&[^&]]{0,12}".prop_map(|text| format!("<Key>{text}</Key>")),
            Just("<ETag>&quot;x&amp;&#65;&quot;</ETag>".to_owned()),
            Just("<Empty/>".to_owned()),
            Just("<Name Encoded=\"true\">%20</Name>".to_owned()),
            Just("<n:Size a='b'>7</n:Size >".to_owned()),
            Just("\n  ".to_owned()),
        ];
        leaf.prop_recursive(3, 20, 5, |inner| {
            proptest::collection::vec(inner, 0..5).prop_map(|all| format!("<Contents>{}</Contents>", all.concat()))
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn both_ways_to_read_are_one(
            all in proptest::collection::vec(elements(), 0..6), alike in 1..4_usize, cut in 0..400_usize, noise: u8
        ) {
            let all: String = all.iter().map(|one| one.repeat(alike)).collect();
            let whole = format!("<List xmlns=\"x\">{all}</List>\n").into_bytes();
            let plain = seen(|visit| read_plain(&whole, visit));
            prop_assert!(plain.is_some());
            prop_assert_eq!(&plain, &seen(|visit| read_any(&whole, visit)));
            // What is damaged is taken by both, or by neither that would take it for something else.
            let mut damaged = whole.clone();
            damaged.truncate((whole.len() - 2).min(cut));
            prop_assert!(seen(|visit| read_plain(&damaged, visit)).is_none(), "cut off");
            let mut damaged = whole;
            let place = cut % damaged.len();
            damaged[place] = noise;
            if let (Some(one), Some(other)) =
                (seen(|visit| read_plain(&damaged, visit)), seen(|visit| read_any(&damaged, visit)))
                && !damaged.contains(&b'!') && !damaged.contains(&b'?')
            {
                prop_assert_eq!(one, other, "{}", String::from_utf8_lossy(&damaged));
            }
        }
    }

    #[test]
    fn text_comes_with_its_element() {
        let found =
            texts("<?xml version='1.0'?>\n<L xmlns='x'><K>a&amp;b&#x41;<![CDATA[<]]></K><E/><T>&quot;q&quot;</T></L>");
        let expected = [("K", "a&bA<"), ("E", ""), ("T", "\"q\""), ("L", "")];
        assert_eq!(found.unwrap(), expected.map(|(name, text)| (name.to_owned(), text.to_owned())));
    }

    #[test]
    fn what_is_cut_off_is_no_document() {
        let whole = "<L><C><K>a</K></C></L>";
        assert!(texts(whole).is_some());
        for end in 0..whole.len() {
            assert!(texts(&whole[..end]).is_none(), "{}", &whole[..end]);
        }
        assert!(texts("<L><K>&nonsense;</K></L>").is_none());
        assert!(texts("plain text").is_none());
    }

    #[test]
    fn what_is_escaped_is_read_back() {
        let odd = "a&b<c>\"'\n\r\t";
        let mut body = b"<L><K>".to_vec();
        escape(odd.as_bytes(), &mut body);
        body.extend_from_slice(b"</K></L>");
        assert_eq!(texts(std::str::from_utf8(&body).unwrap()).unwrap()[0].1, odd);
    }

    #[test]
    fn errors_say_what_is_wrong() {
        let body = "<Error><Code>SlowDown</Code><Message>Please reduce</Message><HostId>x</HostId></Error>";
        assert_eq!(error(body.as_bytes()), ("SlowDown".to_owned(), "Please reduce".to_owned()));
        assert_eq!(error(b"<html>"), (String::new(), String::new()));
    }
}
