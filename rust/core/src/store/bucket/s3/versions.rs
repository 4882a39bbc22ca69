//! What a bucket on S3 keeps of what was removed: `ListObjectVersions`, `GetObject` of a version, `GetBucketVersioning`.

use http::Method;

use super::super::dialect::{Malformed, Signed, encode_path, encode_query, request};
use super::super::page::md5_of_etag;
use super::super::versions::{Position, Version, VersionPage, Versions};
use super::super::xml::{self, Element};
use super::{S3, number};
use crate::rfc3339;
use crate::store::Stat;

impl Versions for S3 {
    fn list_versions<'a>(&'a self, prefix: &'a [u8], after: &'a Position) -> Signed<'a> {
        let mut pairs: Vec<(&str, &[u8])> = vec![("versions", b""), ("prefix", prefix)];
        if !after.key.is_empty() {
            pairs.push(("key-marker", &after.key));
        }
        pairs.extend(after.version.as_ref().map(|version| ("version-id-marker", version.as_bytes())));
        self.sign(request(Method::GET, &format!("{}/{}", self.base, encode_query(&pairs)), Vec::new()))
    }

    fn read_versions(&self, body: &[u8], page: &mut VersionPage) -> Result<(), Malformed> {
        let mut entry = Entry::default();
        let mut next = Position::default();
        let mut is_list = false;
        xml::read(body, |element| {
            match element {
                Element::Opens(b"ListVersionsResult") => is_list = true,
                Element::Opens(b"Version" | b"DeleteMarker") => entry = Entry::default(),
                Element::Opens(_) => {}
                Element::Closes(name, text, _) => match name {
                    b"Key" => entry.key = text.to_vec(),
                    b"VersionId" => entry.id = String::from_utf8_lossy(text).into_owned(),
                    b"IsLatest" => entry.is_latest = text == b"true",
                    b"LastModified" => entry.modified = rfc3339::parse(text),
                    b"ETag" => entry.md5 = md5_of_etag(text),
                    b"Size" => entry.size_bytes = number(text),
                    b"Version" => page.push(&entry.key, entry.version(false)?),
                    b"DeleteMarker" => page.push(&entry.key, entry.version(true)?),
                    b"NextKeyMarker" => next.key = text.to_vec(),
                    b"NextVersionIdMarker" => {
                        next.version = Some(String::from_utf8_lossy(text).into_owned()).filter(|id| !id.is_empty());
                    }
                    b"IsTruncated" => page.truncated = text == b"true",
                    _ => {}
                },
            }
            Ok(())
        })?;
        page.next = Some(next).filter(|next| !next.key.is_empty());
        if is_list { Ok(()) } else { Err(Malformed("the store's answer is no listing of versions")) }
    }

    fn get_version<'a>(&'a self, key: &'a [u8], version: &str) -> Signed<'a> {
        let query = encode_query(&[("versionId", version.as_bytes())]);
        self.sign(request(Method::GET, &format!("{}/{}{query}", self.base, encode_path(key)), Vec::new()))
    }

    fn ask_versioning(&self) -> Signed<'_> {
        self.sign(request(Method::GET, &format!("{}/?versioning=", self.base), Vec::new()))
    }

    fn read_versioning(&self, body: &[u8]) -> Result<bool, Malformed> {
        let (mut is_answer, mut enabled) = (false, false);
        xml::read(body, |element| {
            match element {
                // The second is what moto calls it.
                Element::Opens(b"VersioningConfiguration" | b"GetBucketVersioningResponse") => is_answer = true,
                Element::Closes(b"Status", text, _) => enabled = text == b"Enabled",
                _ => {}
            }
            Ok(())
        })?;
        if is_answer { Ok(enabled) } else { Err(Malformed("the store does not say whether it keeps versions")) }
    }
}

/// One version, while it is being read.
#[derive(Default)]
struct Entry {
    key: Vec<u8>,
    id: String,
    is_latest: bool,
    modified: Option<std::time::SystemTime>,
    md5: Option<[u8; 16]>,
    size_bytes: Option<u64>,
}

impl Entry {
    fn version(&self, is_marker: bool) -> Result<Version, Malformed> {
        let size_bytes = if is_marker { Some(0) } else { self.size_bytes };
        let (Some(modified), Some(size_bytes), false) = (self.modified, size_bytes, self.id.is_empty()) else {
            return Err(Malformed("a listing of versions names one without its id, size and time"));
        };
        let stat = Stat { size_bytes, modified, md5: self.md5 };
        Ok(Version { id: self.id.clone(), is_marker, is_latest: self.is_latest, stat })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use object_store::StaticCredentialProvider;
    use object_store::aws::AwsCredential;

    use super::*;

    fn s3() -> S3 {
        let credential = AwsCredential { key_id: "k".into(), secret_key: "s".into(), token: None };
        let credentials = Arc::new(StaticCredentialProvider::new(credential));
        S3::new("http://127.0.0.1:1/b".into(), "b".into(), "us-east-1".into(), credentials)
    }

    #[test]
    fn a_page_of_versions_is_read_whole_or_not_at_all() {
        let body = "<ListVersionsResult><KeyMarker>x</KeyMarker><NextKeyMarker>b</NextKeyMarker>\
            <NextVersionIdMarker>3</NextVersionIdMarker><IsTruncated>true</IsTruncated>\
            <DeleteMarker><Key>a&amp;b</Key><VersionId>2</VersionId><IsLatest>true</IsLatest>\
            <LastModified>2026-11-23T07:35:33Z</LastModified><Owner><ID>x</ID></Owner></DeleteMarker>\
            <Version><Key>a&amp;b</Key><VersionId>null</VersionId><IsLatest>false</IsLatest>\
            <LastModified>2026-11-23T07:35:32Z</LastModified><ETag>&quot;d41d8cd98f00b204e9800998ecf8427e&quot;</ETag>\
            <Size>5</Size></Version></ListVersionsResult>";
        let mut page = VersionPage::default();
        s3().read_versions(body.as_bytes(), &mut page).unwrap();
        assert_eq!(page.keys.iter().collect::<Vec<_>>(), [b"a&b", b"a&b"]);
        let seen: Vec<_> = page.versions.iter().map(|one| (one.id.as_str(), one.is_marker, one.is_latest)).collect();
        assert_eq!(seen, [("2", true, true), ("null", false, false)]);
        assert_eq!(page.versions[1].stat.size_bytes, 5);
        assert_eq!(page.next, Some(Position { key: b"b".to_vec(), version: Some("3".to_owned()) }));
        assert!(page.truncated);
        for broken in [body.replace("VersionId", "Id"), body.replace("ListVersionsResult", "Other")] {
            assert!(s3().read_versions(broken.as_bytes(), &mut VersionPage::default()).is_err());
        }
    }

    #[test]
    fn only_enabled_is_enabled() {
        let status = |text: &str| {
            s3().read_versioning(format!("<VersioningConfiguration>{text}</VersioningConfiguration>").as_bytes())
        };
        assert!(status("<Status>Enabled</Status>").unwrap());
        assert!(!status("<Status>Suspended</Status>").unwrap());
        assert!(!status("").unwrap());
        assert!(s3().read_versioning(b"<Error><Code>AccessDenied</Code></Error>").is_err());
    }
}
