//! Uploads in parts on S3: `ListMultipartUploads`, `ListParts`, `CreateMultipartUpload`, `UploadPartCopy`,
//! `CompleteMultipartUpload`, `AbortMultipartUpload`.

use std::ops::Range;

use http::header::{CONTENT_TYPE, IF_NONE_MATCH};
use http::{HeaderValue, Method};

use super::super::dialect::{Malformed, Signed, encode_path, encode_query, range_header, request};
use super::super::parts::{Begun, Multipart, PartPage, UploadMarker, UploadPage};
use super::super::xml::{self, Element};
use super::{S3, number};
use crate::rfc3339;

impl S3 {
    /// The URL of an object with some parameters.
    fn url(&self, key: &[u8], pairs: &[(&str, &[u8])]) -> String {
        format!("{}/{}{}", self.base, encode_path(key), encode_query(pairs))
    }
}

impl Multipart for S3 {
    fn list_uploads<'a>(&'a self, prefix: &'a [u8], after: &'a UploadMarker) -> Signed<'a> {
        let mut pairs: Vec<(&str, &[u8])> = vec![("uploads", b""), ("prefix", prefix)];
        if !after.key.is_empty() {
            pairs.push(("key-marker", &after.key));
        }
        pairs.extend(after.id.as_ref().map(|id| ("upload-id-marker", id.as_bytes())));
        self.sign(request(Method::GET, &self.url(b"", &pairs), Vec::new()))
    }

    fn read_uploads(&self, body: &[u8], page: &mut UploadPage) -> Result<(), Malformed> {
        let (mut key, mut id, mut initiated) = (None, None, None);
        let mut next = UploadMarker::default();
        let (mut is_list, mut depth) = (false, 0_usize);
        let text = |text: &[u8]| Some(String::from_utf8_lossy(text).into_owned()).filter(|text| !text.is_empty());
        xml::read(body, |element| {
            match element {
                Element::Opens(name) => {
                    depth += 1;
                    is_list |= is_answer(name, b"ListMultipartUploads");
                    if name == b"Upload" {
                        (key, id, initiated) = (None, None, None);
                    }
                }
                Element::Closes(name, content, _) => {
                    depth -= 1;
                    match name {
                        // Whoever began it has an `ID` and a name of his own, one level deeper.
                        b"Key" if depth == 2 => key = Some(content.to_vec()),
                        b"UploadId" if depth == 2 => id = text(content),
                        b"Initiated" if depth == 2 => initiated = rfc3339::parse(content),
                        b"Upload" => match (key.take(), id.take(), initiated.take()) {
                            (Some(key), Some(id), Some(initiated)) => page.uploads.push(Begun { key, id, initiated }),
                            _ => {
                                return Err(Malformed(
                                    "a listing names a multipart upload without its key, id and time",
                                ));
                            }
                        },
                        b"NextKeyMarker" => next.key = content.to_vec(),
                        b"NextUploadIdMarker" => next.id = text(content),
                        b"IsTruncated" => page.truncated = content == b"true",
                        _ => {}
                    }
                }
            }
            Ok(())
        })?;
        page.next = Some(next).filter(|next| !next.key.is_empty());
        if is_list { Ok(()) } else { Err(Malformed("the store's answer is no listing of multipart uploads")) }
    }

    fn list_parts<'a>(&'a self, key: &'a [u8], id: &'a str, after: u32) -> Signed<'a> {
        let after = (after > 0).then(|| after.to_string());
        let mut pairs: Vec<(&str, &[u8])> = vec![("uploadId", id.as_bytes())];
        pairs.extend(after.as_ref().map(|after| ("part-number-marker", after.as_bytes())));
        self.sign(request(Method::GET, &self.url(key, &pairs), Vec::new()))
    }

    fn read_parts(&self, body: &[u8], page: &mut PartPage) -> Result<(), Malformed> {
        let (mut size_bytes, mut modified, mut is_list) = (None, None, false);
        xml::read(body, |element| {
            match element {
                Element::Opens(name) if is_answer(name, b"ListParts") => is_list = true,
                Element::Opens(b"Part") => (size_bytes, modified) = (None, None),
                Element::Opens(_) => {}
                Element::Closes(name, content, _) => match name {
                    b"Size" => size_bytes = number(content),
                    b"LastModified" => modified = rfc3339::parse(content),
                    b"Part" => {
                        let (Some(size), Some(modified)) = (size_bytes.take(), modified.take()) else {
                            return Err(Malformed("a listing names a part without its size and time"));
                        };
                        page.size_bytes += size;
                        page.newest = page.newest.max(Some(modified));
                    }
                    b"NextPartNumberMarker" => page.next = number(content).and_then(|next| u32::try_from(next).ok()),
                    b"IsTruncated" => page.truncated = content == b"true",
                    _ => {}
                },
            }
            Ok(())
        })?;
        if is_list { Ok(()) } else { Err(Malformed("the store's answer is no listing of parts")) }
    }

    fn create_upload<'a>(&'a self, key: &'a [u8]) -> Signed<'a> {
        let mut request = request(Method::POST, &self.url(key, &[("uploads", b"")]), Vec::new());
        // What the registry's driver writes.
        request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
        self.sign(request)
    }

    fn read_created(&self, body: &[u8]) -> Result<String, Malformed> {
        let id = last_text(body, b"InitiateMultipartUpload", b"UploadId")?;
        id.ok_or(Malformed("the store does not say what a multipart upload is called"))
    }

    fn copy_part<'a>(
        &'a self,
        from: &'a [u8],
        to: &'a [u8],
        id: &'a str,
        number: u32,
        range: &Range<u64>,
    ) -> Signed<'a> {
        let number = number.to_string();
        let url = self.url(to, &[("partNumber", number.as_bytes()), ("uploadId", id.as_bytes())]);
        let mut request = request(Method::PUT, &url, Vec::new());
        let headers = request.headers_mut();
        headers.insert("x-amz-copy-source", self.copy_source(from));
        headers.insert("x-amz-copy-source-range", range_header(range));
        self.sign(request)
    }

    fn read_copied_part(&self, body: &[u8]) -> Result<String, Malformed> {
        last_text(body, b"CopyPart", b"ETag")?.ok_or(Malformed("the store does not say that a part was copied"))
    }

    fn complete_upload<'a>(&'a self, key: &'a [u8], id: &'a str, etags: &[String]) -> Signed<'a> {
        let mut body = b"<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">".to_vec();
        for (number, etag) in (1..).zip(etags) {
            body.extend_from_slice(format!("<Part><PartNumber>{number}</PartNumber><ETag>").as_bytes());
            xml::escape(etag.as_bytes(), &mut body);
            body.extend_from_slice(b"</ETag></Part>");
        }
        body.extend_from_slice(b"</CompleteMultipartUpload>");
        let mut request = request(Method::POST, &self.url(key, &[("uploadId", id.as_bytes())]), body);
        let headers = request.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/xml"));
        // S3 honours it since 2024; what does not know it completes in any case.
        headers.insert(IF_NONE_MATCH, HeaderValue::from_static("*"));
        self.sign(request)
    }

    fn is_completed(&self, body: &[u8]) -> bool {
        last_text(body, b"CompleteMultipartUpload", b"ETag").is_ok_and(|etag| etag.is_some())
    }

    fn abort_upload<'a>(&'a self, key: &'a [u8], id: &'a str) -> Signed<'a> {
        self.sign(request(Method::DELETE, &self.url(key, &[("uploadId", id.as_bytes())]), Vec::new()))
    }
}

/// Whether an element is the root of an answer of success: `…Result`, or `…Response`, as moto has it.
fn is_answer(name: &[u8], operation: &[u8]) -> bool {
    name.strip_prefix(operation).is_some_and(|rest| matches!(rest, b"Result" | b"Response"))
}

/// The text of an element in an answer of success; nothing where it has none or is no such answer.
fn last_text(body: &[u8], operation: &[u8], wanted: &[u8]) -> Result<Option<String>, Malformed> {
    let (mut is_success, mut found) = (false, None);
    xml::read(body, |element| {
        match element {
            Element::Opens(name) => is_success |= is_answer(name, operation),
            Element::Closes(name, text, _) if name == wanted => {
                found = Some(String::from_utf8_lossy(text).into_owned());
            }
            Element::Closes(..) => {}
        }
        Ok(())
    })?;
    Ok(found.filter(|text| is_success && !text.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::super::tests::s3;
    use super::*;

    #[test]
    fn a_page_of_uploads_is_read_whole_or_not_at_all() {
        let body = "<ListMultipartUploadsResult><Bucket>b</Bucket><KeyMarker>x</KeyMarker><UploadIdMarker/>\
            <NextKeyMarker>c</NextKeyMarker><NextUploadIdMarker>3</NextUploadIdMarker><IsTruncated>true</IsTruncated>\
            <Upload><Key>a&amp;b</Key><UploadId>1.x_y</UploadId><Initiator><ID>i</ID><DisplayName>d</DisplayName>\
            </Initiator><Owner><ID>o</ID></Owner><StorageClass>STANDARD</StorageClass>\
            <Initiated>2026-11-23T07:35:32.000Z</Initiated></Upload></ListMultipartUploadsResult>";
        let mut page = UploadPage::default();
        s3().read_uploads(body.as_bytes(), &mut page).unwrap();
        let initiated = rfc3339::parse(b"2026-11-23T07:35:32Z").unwrap();
        assert_eq!(page.uploads, [Begun { key: b"a&b".to_vec(), id: "1.x_y".to_owned(), initiated }]);
        assert_eq!(page.next, Some(UploadMarker { key: b"c".to_vec(), id: Some("3".to_owned()) }));
        assert!(page.truncated);
        for (from, to) in [("UploadId>", "Id>"), ("Initiated>", "Begun>"), ("ListMultipartUploadsResult", "Other")] {
            let broken = body.replace(from, to);
            assert!(s3().read_uploads(broken.as_bytes(), &mut UploadPage::default()).is_err(), "{from}");
        }
    }

    #[test]
    fn what_is_no_success_is_none() {
        let created =
            "<InitiateMultipartUploadResult><Key>k</Key><UploadId>1.x</UploadId></InitiateMultipartUploadResult>";
        assert_eq!(s3().read_created(created.as_bytes()).unwrap(), "1.x");
        let copied = "<CopyPartResult><LastModified>x</LastModified><ETag>&quot;a&quot;</ETag></CopyPartResult>";
        assert_eq!(s3().read_copied_part(copied.as_bytes()).unwrap(), "\"a\"");
        let done = "<CompleteMultipartUploadResult><ETag>&quot;a-1&quot;</ETag></CompleteMultipartUploadResult>";
        assert!(s3().is_completed(done.as_bytes()) && !s3().is_completed(&done.as_bytes()[..done.len() - 1]));
        let failed = b"<Error><Code>InternalError</Code><ETag>a</ETag><UploadId>1</UploadId></Error>";
        assert!(s3().read_created(failed).is_err() && s3().read_copied_part(failed).is_err());
        assert!(!s3().is_completed(failed) && !s3().is_completed(b""));
    }

    #[test]
    fn parts_are_added_up() {
        let body = "<ListPartsResult><Key>k</Key><UploadId>1</UploadId><PartNumberMarker>0</PartNumberMarker>\
            <NextPartNumberMarker>2</NextPartNumberMarker><IsTruncated>false</IsTruncated>\
            <Part><PartNumber>1</PartNumber><LastModified>2026-11-23T07:35:33Z</LastModified><Size>5</Size></Part>\
            <Part><PartNumber>2</PartNumber><LastModified>2026-11-23T07:35:32Z</LastModified><Size>6</Size></Part>\
            </ListPartsResult>";
        let mut page = PartPage::default();
        s3().read_parts(body.as_bytes(), &mut page).unwrap();
        let newest = rfc3339::parse(b"2026-11-23T07:35:33Z");
        assert_eq!(page, PartPage { size_bytes: 11, newest, truncated: false, next: Some(2) });
        for (from, to) in [("Size>", "Length>"), ("LastModified>", "Time>"), ("ListPartsResult", "Other")] {
            let broken = body.replace(from, to);
            assert!(s3().read_parts(broken.as_bytes(), &mut PartPage::default()).is_err(), "{from}");
        }
    }
}
