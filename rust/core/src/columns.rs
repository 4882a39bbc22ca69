//! Columns of a Parquet file, read by batches: no row is ever put together, and no column that nobody asks for is read.
//!
//! ```text
//! file ─→ row groups ─→ a column of one ─→ pages ─→ values, and nothing where a row has none
//! ```
//!
//! Flat columns only: nothing repeated, nothing nested. Of compressed pages, those of Snappy and gzip.

use std::fs::File;
use std::io;

use parquet::basic::{ConvertedType, LogicalType, TimeUnit};
use parquet::column::reader::ColumnReaderImpl;
pub use parquet::data_type::{BoolType, ByteArrayType, DataType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::reader::{FileReader, SerializedFileReader};

/// Rows that are read at once.
pub const BATCH: usize = 4096;

/// A Parquet file.
pub struct Table {
    reader: SerializedFileReader<File>,
}

impl Table {
    /// Reads what the file says of itself.
    ///
    /// # Errors
    /// When it cannot be read, or is no Parquet file.
    pub fn open(file: File) -> io::Result<Self> {
        SerializedFileReader::new(file).map(|reader| Self { reader }).map_err(unreadable)
    }

    /// The number of the first column whose name will do.
    pub fn find(&self, is_wanted: impl Fn(&str) -> bool) -> Option<usize> {
        let schema = self.reader.metadata().file_metadata().schema_descr();
        // A column within another is called by both names.
        (0..schema.num_columns()).find(|&index| is_wanted(&schema.column(index).path().string()))
    }

    /// How many row groups there are.
    pub fn group_count(&self) -> usize {
        self.reader.num_row_groups()
    }

    /// A column of one row group, by its number.
    ///
    /// # Errors
    /// When it holds other values, or cannot be read.
    pub fn column<T: DataType>(&self, group: usize, column: usize) -> io::Result<Column<T>> {
        let group = self.reader.get_row_group(group).map_err(unreadable)?;
        let descriptor = group.metadata().schema_descr().column(column);
        if descriptor.max_rep_level() > 0 || descriptor.max_def_level() > 1 {
            return Err(io::Error::other(format!("the column {} is a list or part of one", descriptor.name())));
        }
        let reader = group.get_column_reader(column).map_err(unreadable)?;
        let name = descriptor.name();
        let reader = T::get_column_reader(reader)
            .ok_or_else(|| io::Error::other(format!("the column {name} does not hold {}", T::get_physical_type())))?;
        let is_optional = descriptor.max_def_level() > 0;
        Ok(Column { reader, is_optional, levels: Vec::new(), values: Vec::new() })
    }

    /// How many units of a column of times make a second.
    ///
    /// # Errors
    /// When the column does not say that it holds times.
    pub fn units_per_second(&self, column: usize) -> io::Result<i64> {
        let descriptor = self.reader.metadata().file_metadata().schema_descr().column(column);
        match (descriptor.logical_type_ref(), descriptor.converted_type()) {
            (Some(LogicalType::Timestamp(time)), _) => Ok(match time.unit {
                TimeUnit::MILLIS => 1000,
                TimeUnit::MICROS => 1_000_000,
                TimeUnit::NANOS => 1_000_000_000,
            }),
            (_, ConvertedType::TIMESTAMP_MILLIS) => Ok(1000),
            (_, ConvertedType::TIMESTAMP_MICROS) => Ok(1_000_000),
            _ => Err(io::Error::other(format!("the column {} does not say that it holds times", descriptor.name()))),
        }
    }
}

/// A column of one row group, from its beginning to its end.
pub struct Column<T: DataType> {
    reader: ColumnReaderImpl<T>,
    is_optional: bool,
    levels: Vec<i16>,
    values: Vec<T::T>,
}

impl<T: DataType> Column<T> {
    /// Puts the values of the next [`BATCH`] rows into `batch`, in place of what it held: fewer at the end, and then none.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn read(&mut self, batch: &mut Vec<Option<T::T>>) -> io::Result<()> {
        batch.clear();
        while batch.len() < BATCH {
            self.levels.clear();
            self.values.clear();
            let wanted = BATCH - batch.len();
            let (count, ..) =
                self.reader.read_records(wanted, Some(&mut self.levels), None, &mut self.values).map_err(unreadable)?;
            if count == 0 {
                break;
            }
            let mut values = self.values.drain(..);
            if self.is_optional {
                batch.extend(self.levels.iter().map(|&level| if level > 0 { values.next() } else { None }));
            } else {
                batch.extend(values.map(Some));
            }
        }
        Ok(())
    }
}

/// Calls `visit` with every value of a column of texts, in order; with nothing where a row has none.
///
/// # Errors
/// [`io::ErrorKind::NotFound`] when there is no column of that name; when it holds no texts, or cannot be read; the first
/// failure of the visitor.
pub fn for_each_text(
    file: File,
    column: &str,
    mut visit: impl FnMut(Option<&[u8]>) -> io::Result<()>,
) -> io::Result<()> {
    let table = Table::open(file)?;
    let number = table.find(|name| name == column).ok_or_else(|| {
        io::Error::new(io::ErrorKind::NotFound, format!("the file has no column that is called {column}"))
    })?;
    let mut batch = Vec::new();
    for group in 0..table.group_count() {
        let mut texts = table.column::<ByteArrayType>(group, number)?;
        loop {
            texts.read(&mut batch)?;
            if batch.is_empty() {
                break;
            }
            batch.iter().try_for_each(|text| visit(text.as_ref().map(parquet::data_type::AsBytes::as_bytes)))?;
        }
    }
    Ok(())
}

#[allow(clippy::needless_pass_by_value, reason = "as `map_err` hands it over")]
fn unreadable(error: ParquetError) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error.to_string())
}

#[cfg(test)]
pub(crate) mod tests {
    use std::io::Seek;
    use std::sync::Arc;

    use parquet::basic::{Compression, GzipLevel};
    use parquet::file::properties::WriterProperties;
    use parquet::file::writer::SerializedFileWriter;
    use parquet::schema::parser::parse_message_type;

    use super::*;

    /// One value of a row.
    #[derive(Clone, Debug)]
    pub(crate) enum Cell {
        None,
        Text(&'static str),
        Number(i64),
        Flag(bool),
    }

    /// A file of rows, so many to a row group.
    pub(crate) fn write(schema: &str, rows: &[Vec<Cell>], group: usize, compression: Compression) -> File {
        let file = tempfile::tempfile().unwrap();
        let schema = Arc::new(parse_message_type(schema).unwrap());
        let properties = Arc::new(WriterProperties::builder().set_compression(compression).build());
        let mut writer = SerializedFileWriter::new(file.try_clone().unwrap(), schema, properties).unwrap();
        for rows in rows.chunks(group) {
            let mut group = writer.next_row_group().unwrap();
            let mut number = 0;
            while let Some(mut column) = group.next_column().unwrap() {
                let cells = rows.iter().map(|row| row[number].clone());
                let levels: Vec<i16> = cells.clone().map(|cell| i16::from(!matches!(cell, Cell::None))).collect();
                let texts =
                    cells.clone().filter_map(|cell| if let Cell::Text(text) = cell { Some(text) } else { None });
                let numbers =
                    cells.clone().filter_map(|cell| if let Cell::Number(one) = cell { Some(one) } else { None });
                let flags = cells.filter_map(|cell| if let Cell::Flag(flag) = cell { Some(flag) } else { None });
                match column.untyped() {
                    parquet::column::writer::ColumnWriter::ByteArrayColumnWriter(column) => {
                        let texts: Vec<_> = texts.map(Into::into).collect();
                        column.write_batch(&texts, Some(&levels), None).unwrap();
                    }
                    parquet::column::writer::ColumnWriter::Int64ColumnWriter(column) => {
                        column.write_batch(&numbers.collect::<Vec<_>>(), Some(&levels), None).unwrap();
                    }
                    parquet::column::writer::ColumnWriter::BoolColumnWriter(column) => {
                        column.write_batch(&flags.collect::<Vec<_>>(), Some(&levels), None).unwrap();
                    }
                    _ => panic!("no column that tests have"),
                }
                column.close().unwrap();
                number += 1;
            }
            group.close().unwrap();
        }
        writer.close().unwrap();
        let mut file = file;
        file.rewind().unwrap();
        file
    }

    const SCHEMA: &str =
        "message keep { required binary digest (UTF8); optional binary tag (UTF8); optional int64 n; }";

    fn rows(count: i64) -> Vec<Vec<Cell>> {
        let tag = |number: i64| if number % 3 == 0 { Cell::None } else { Cell::Text("tag") };
        (0..count).map(|number| vec![Cell::Text("digest"), tag(number), Cell::Number(number)]).collect()
    }

    fn texts(file: File, column: &str) -> io::Result<Vec<Option<String>>> {
        let mut found = Vec::new();
        for_each_text(file, column, |text| {
            found.push(text.map(|text| String::from_utf8_lossy(text).into_owned()));
            Ok(())
        })?;
        Ok(found)
    }

    #[test]
    fn a_column_is_read_through_row_groups_and_batches_with_what_is_not_there() {
        for compression in [Compression::UNCOMPRESSED, Compression::SNAPPY, Compression::GZIP(GzipLevel::default())] {
            let count = i64::try_from(BATCH).unwrap() + 100;
            let found = texts(write(SCHEMA, &rows(count), BATCH / 2 + 1, compression), "tag").unwrap();
            assert_eq!(found.len(), BATCH + 100);
            for (number, tag) in found.iter().enumerate() {
                assert_eq!(tag.as_deref(), (number % 3 != 0).then_some("tag"), "{number}");
            }
        }
    }

    #[test]
    fn what_is_not_there_or_no_text_is_named() {
        let file = || write(SCHEMA, &rows(3), 10, Compression::SNAPPY);
        let missing = texts(file(), "digests").unwrap_err();
        assert_eq!(missing.kind(), io::ErrorKind::NotFound);
        assert!(missing.to_string().contains("digests"), "{missing}");
        assert!(texts(file(), "n").unwrap_err().to_string().contains("the column n does not hold"));
        assert!(Table::open(file()).unwrap().units_per_second(2).is_err());
    }

    #[test]
    fn what_is_no_parquet_file_or_cut_off_is_an_error() {
        let file = tempfile::tempfile().unwrap();
        assert!(texts(file, "tag").is_err());
        let file = write(SCHEMA, &rows(10), 10, Compression::SNAPPY);
        file.set_len(file.metadata().unwrap().len() - 20).unwrap();
        assert!(texts(file, "tag").is_err());
    }
}
