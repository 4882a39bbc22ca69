//! Reading the small XML documents that clients send.

use quick_xml::Reader;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::Event;

/// An element's beginning or end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tag<'a> {
    /// `<Name>`
    Open(&'a str),
    /// `</Name>`, with the text since the last tag.
    Close(&'a str, &'a str),
}

/// Goes through a document; none if it is not well-formed, or if `visit` says so.
///
/// Namespace prefixes are left out of names, and texts come as they are, white space included.
pub(crate) fn read(document: &[u8], mut visit: impl FnMut(Tag<'_>) -> Option<()>) -> Option<()> {
    let mut reader = Reader::from_reader(document);
    reader.config_mut().expand_empty_elements = true;
    let mut text = String::new();
    let mut depth = 0_usize;
    let mut elements = 0_usize;
    loop {
        match reader.read_event().ok()? {
            Event::Start(start) => {
                text.clear();
                depth += 1;
                elements += 1;
                visit(Tag::Open(std::str::from_utf8(start.local_name().into_inner()).ok()?))?;
            }
            Event::End(end) => {
                depth = depth.checked_sub(1)?;
                visit(Tag::Close(std::str::from_utf8(end.local_name().into_inner()).ok()?, &text))?;
                text.clear();
            }
            Event::Text(part) => text.push_str(std::str::from_utf8(&part).ok()?),
            Event::CData(part) => text.push_str(std::str::from_utf8(&part).ok()?),
            Event::GeneralRef(reference) => match reference.resolve_char_ref().ok()? {
                Some(character) => text.push(character),
                None => text.push_str(resolve_predefined_entity(std::str::from_utf8(&reference).ok()?)?),
            },
            Event::Eof => return (depth == 0 && elements > 0).then_some(()),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(document: &str, name: &str) -> Option<Vec<String>> {
        let mut texts = Vec::new();
        read(document.as_bytes(), |tag| {
            if let Tag::Close(found, text) = tag
                && found == name
            {
                texts.push(text.to_owned());
            }
            Some(())
        })?;
        Some(texts)
    }

    #[test]
    fn texts_are_unescaped_and_keep_their_white_space() {
        let document =
            "<?xml version='1.0'?><D xmlns='x'><K> a&amp;b &#13;&lt;</K>\n <K/><n:K><![CDATA[<c>]]></n:K></D>";
        assert_eq!(texts(document, "K"), Some(vec![" a&b \r<".to_owned(), String::new(), "<c>".to_owned()]));
    }

    #[test]
    fn what_is_not_well_formed_is_nothing() {
        for document in ["", "text", "<D>", "<D><K></D>", "<D>&unknown;</D>", "</D>"] {
            assert_eq!(texts(document, "K"), None, "{document}");
        }
    }
}
