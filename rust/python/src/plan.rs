//! Plans: rows written, read, and narrowed down to what is dead now.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use pyo3::exceptions::PyOSError;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use regsweep_core::plan::{self, Totals};

use crate::descriptor::Descriptor;
use crate::errors::convert;
use crate::marks::Marks;
use crate::wait::run;

#[pyclass(frozen, module = "regsweep._core")]
pub(crate) struct Plan {
    pub(crate) plan: plan::Plan,
}

#[pymethods]
impl Plan {
    #[staticmethod]
    fn read(py: Python<'_>, path: PathBuf) -> PyResult<Self> {
        let mut file = open(&path)?;
        Ok(Self { plan: convert(py, run(py, None, |_| plan::Plan::read(&mut file)))? })
    }

    #[staticmethod]
    fn parse(py: Python<'_>, content: PyBackedBytes) -> PyResult<Self> {
        let mut content: &[u8] = &content;
        Ok(Self { plan: convert(py, run(py, None, |_| plan::Plan::read(&mut content)))? })
    }

    #[getter]
    const fn row_count(&self) -> u64 {
        self.plan.row_count
    }

    #[getter]
    const fn tag_count(&self) -> usize {
        self.plan.tag_count
    }
}

/// Tags, manifests, layer links, blobs, and the bytes of those.
type Counts = (u64, u64, u64, u64, u64);

const fn counts(totals: Totals) -> Counts {
    (totals.tag_count, totals.manifest_count, totals.layer_link_count, totals.blob_count, totals.blob_bytes)
}

#[pyfunction]
pub(crate) fn narrow_plan(
    py: Python<'_>,
    path: PathBuf,
    marks: &Bound<'_, Marks>,
    earlier: Vec<Bound<'_, Plan>>,
    descriptor: i32,
) -> PyResult<(u64, String, Counts, Counts)> {
    let mut file = open(&path)?;
    let earlier: Vec<&plan::Plan> = earlier.iter().map(|list| &list.get().plan).collect();
    let marks = marks.get();
    let narrowed = run(py, None, |control| {
        plan::narrow(&mut file, &marks.get(), &earlier, &mut Descriptor::new(descriptor, control))
    });
    let narrowed = convert(py, narrowed)?;
    let written = narrowed.written;
    Ok((written.row_count, written.sha256, counts(narrowed.totals), counts(narrowed.earlier)))
}

#[pyfunction]
pub(crate) fn count_rows_beyond(py: Python<'_>, path: PathBuf, earlier: Vec<Bound<'_, Plan>>) -> PyResult<u64> {
    let mut file = open(&path)?;
    let earlier: Vec<&plan::Plan> = earlier.iter().map(|list| &list.get().plan).collect();
    convert(py, run(py, None, |_| plan::count_beyond(&mut file, &earlier)))
}

fn open(path: &Path) -> PyResult<BufReader<File>> {
    let file = File::open(path).map_err(|error| PyOSError::new_err((error.raw_os_error(), error.to_string())))?;
    Ok(BufReader::with_capacity(1 << 20, file))
}
