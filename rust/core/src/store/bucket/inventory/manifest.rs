//! `manifest.json`: of which bucket a report is, of when, and which files it consists of.
//!
//! Amazon S3 User Guide, "Locating your inventory list". What the report does not need to say is not looked at.

use std::time::{Duration, SystemTime};

use serde::Deserialize;
use serde_json::Value;

use super::csv;

/// What a manifest says.
#[derive(Debug)]
pub(super) struct Manifest {
    /// When the service began to make the report.
    pub(super) created: SystemTime,
    pub(super) format: Format,
    pub(super) files: Vec<DataFile>,
}

/// What the data files are.
#[derive(Debug)]
pub(super) enum Format {
    /// Texts between commas, in gzip.
    Csv(csv::Columns),
    Parquet,
}

/// A file with a part of the report.
#[derive(Debug)]
pub(super) struct DataFile {
    /// Its key in the bucket of the report.
    pub(super) key: String,
    pub(super) size_bytes: u64,
    pub(super) md5: [u8; 16],
}

/// The columns that a report has to have, and those that tell which rows count, in small letters without `_`: as CSV and
/// Parquet have in common.
pub(super) const KEY: &str = "key";
pub(super) const SIZE: &str = "size";
pub(super) const MODIFIED: &str = "lastmodifieddate";
pub(super) const IS_LATEST: &str = "islatest";
pub(super) const IS_DELETE_MARKER: &str = "isdeletemarker";

/// The name of a column as both formats have it in common.
pub(super) fn plain_name(name: &str) -> String {
    name.trim().chars().filter(|&letter| letter != '_').map(|letter| letter.to_ascii_lowercase()).collect()
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    source_bucket: String,
    creation_timestamp: Value,
    file_format: String,
    file_schema: String,
    files: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    key: String,
    size: u64,
    #[serde(rename = "MD5checksum")]
    md5: String,
}

impl Manifest {
    /// Reads a manifest, of a report of this bucket.
    ///
    /// # Errors
    /// Why it cannot be used, in words for the operator.
    pub(super) fn parse(content: &[u8], bucket: &str) -> Result<Self, String> {
        let document: Document = serde_json::from_slice(content)
            .map_err(|error| format!("it is no manifest of an inventory report: {error}"))?;
        let source = document.source_bucket.rsplit(":::").next().unwrap_or_default();
        if source != bucket {
            return Err(format!("it is of the bucket {source}, and the store is in {bucket}"));
        }
        let created = created(&document.creation_timestamp)
            .ok_or_else(|| format!("its creationTimestamp is no time: {}", document.creation_timestamp))?;
        let schema = &document.file_schema;
        let (format, names) = match document.file_format.to_ascii_lowercase().as_str() {
            "csv" => {
                let names: Vec<String> = schema.split(',').map(plain_name).collect();
                check_columns(&names, schema)?;
                (Format::Csv(csv::Columns::of(&names)), names)
            }
            "parquet" => (Format::Parquet, parquet_names(schema)),
            "orc" => {
                return Err("its files are ORC, which is not read: let S3 make a report in CSV or Parquet".to_owned());
            }
            _ => {
                let format = document.file_format;
                return Err(format!("its files are {format}, which is not known: reports in CSV and Parquet are read"));
            }
        };
        check_columns(&names, schema)?;
        let files = document.files.into_iter().map(DataFile::of).collect::<Result<_, _>>()?;
        Ok(Self { created, format, files })
    }
}

impl DataFile {
    fn of(entry: Entry) -> Result<Self, String> {
        let mut md5 = [0; 16];
        if faster_hex::hex_decode(entry.md5.as_bytes(), &mut md5).is_err() {
            return Err(format!("the MD5 checksum of {} is none: {:?}", entry.key, entry.md5));
        }
        Ok(Self { key: entry.key, size_bytes: entry.size, md5 })
    }
}

/// Milliseconds since 1970, as a text.
fn created(value: &Value) -> Option<SystemTime> {
    let milliseconds = value.as_u64().or_else(|| value.as_str()?.parse().ok())?;
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_millis(milliseconds))
}

/// The names of the columns in `message s3.inventory { required binary key (UTF8); … }`.
fn parquet_names(schema: &str) -> Vec<String> {
    let fields = schema.split_once('{').map_or("", |(_, fields)| fields);
    fields.split(';').filter_map(|field| field.split_whitespace().nth(2)).map(plain_name).collect()
}

fn check_columns(names: &[String], schema: &str) -> Result<(), String> {
    for (wanted, shown) in [(KEY, "Key"), (SIZE, "Size"), (MODIFIED, "LastModifiedDate")] {
        if !names.iter().any(|name| name == wanted) {
            return Err(format!(
                "it has no column {shown} ({schema}): let S3 put size and last modified date into its reports"
            ));
        }
    }
    Ok(())
}
