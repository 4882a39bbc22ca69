//! XML as S3 and Azure write it: flat elements in elements, told one by one with their text.

use quick_xml::Reader;
use quick_xml::events::Event;

use super::dialect::Malformed;

/// Hands over what an XML document holds: the opening of each element, and its text as it closes.
pub(super) enum Element<'a> {
    Opens(&'a [u8]),
    /// Name, text without what is in inner elements, and whether an attribute says that the text is percent-encoded.
    Closes(&'a [u8], &'a [u8], bool),
}

/// Reads a document. Fails where it is no XML, or ends before its root does.
pub(super) fn read(body: &[u8], mut visit: impl FnMut(Element<'_>) -> Result<(), Malformed>) -> Result<(), Malformed> {
    const BAD: Malformed = Malformed("the store's answer is no XML");
    const SHORT: Malformed = Malformed("the store's answer is cut off");
    let mut reader = Reader::from_reader(body);
    let mut text = Vec::new();
    let (mut depth, mut complete, mut encoded) = (0_usize, false, false);
    loop {
        match reader.read_event().map_err(|_| if complete { BAD } else { SHORT })? {
            Event::Start(start) => {
                depth += 1;
                text.clear();
                // Azure: a name that XML cannot hold.
                encoded = start
                    .attributes()
                    .flatten()
                    .any(|attribute| attribute.key.as_ref() == b"Encoded" && attribute.value.as_ref() == b"true");
                visit(Element::Opens(start.local_name().as_ref()))?;
            }
            Event::Empty(empty) => {
                visit(Element::Opens(empty.local_name().as_ref()))?;
                visit(Element::Closes(empty.local_name().as_ref(), b"", false))?;
                complete |= depth == 0;
            }
            Event::Text(part) => text.extend_from_slice(&part),
            Event::CData(part) => text.extend_from_slice(&part),
            Event::GeneralRef(reference) => push_reference(&reference, &mut text)?,
            Event::End(end) => {
                visit(Element::Closes(end.local_name().as_ref(), &text, encoded))?;
                text.clear();
                encoded = false;
                depth -= 1;
                complete |= depth == 0;
            }
            Event::Eof if complete => return Ok(()),
            Event::Eof => return Err(SHORT),
            Event::Decl(_) | Event::Comment(_) | Event::PI(_) | Event::DocType(_) => {}
        }
    }
}

fn push_reference(reference: &quick_xml::events::BytesRef<'_>, text: &mut Vec<u8>) -> Result<(), Malformed> {
    const UNKNOWN: Malformed = Malformed("the store's answer holds an entity that XML does not have");
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
