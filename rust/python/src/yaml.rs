//! YAML text as a tree of nodes, by the Rust port of libyaml: yaml.v2, which reads the registry's configuration, is
//! a port of the same parser. What a scalar means is decided in Python (`go_yaml.py`).

use std::collections::HashMap;

use libyaml_safer::{Event, EventData, Parser};
use pyo3::create_exception;
use pyo3::exceptions::PyException;
use pyo3::prelude::*;
use pyo3::types::{PyList, PyTuple};

create_exception!(regsweep._core, YamlSyntaxError, PyException, "Text that is not YAML.");

const PLAIN: &str = "?";
const STRING: &str = libyaml_safer::STR_TAG;

/// The first document's root, or nothing where there is no document.
///
/// A node is `(kind, line, tag, value)`: `"scalar"` with its text, or `"sequence"` and `"mapping"` with a list of
/// nodes (a mapping's keys and values in turn). An alias is the very object that it stands for.
#[pyfunction]
#[pyo3(signature = (text, /))]
pub(crate) fn compose_yaml<'py>(py: Python<'py>, text: &[u8]) -> PyResult<Option<Bound<'py, PyTuple>>> {
    let mut input = text;
    let mut parser = Parser::new();
    parser.set_input_string(&mut input);
    let mut anchors: HashMap<String, Bound<'py, PyTuple>> = HashMap::new();
    // The children of the sequences and mappings that have not ended.
    let mut open: Vec<Bound<'py, PyList>> = Vec::new();
    let mut root = None;
    loop {
        let Event { data, start_mark, .. } = parser.parse().map_err(|error| syntax_error(py, &error))?;
        let (anchor, node, children) = match data {
            EventData::Scalar { anchor, tag, value, plain_implicit, .. } => {
                let tag = tag.as_deref().unwrap_or(if plain_implicit { PLAIN } else { STRING });
                (anchor, ("scalar", start_mark.line, tag, value).into_pyobject(py)?, None)
            }
            EventData::SequenceStart { anchor, tag, .. } => {
                let children = PyList::empty(py);
                let tag = tag.as_deref().unwrap_or(libyaml_safer::SEQ_TAG);
                (anchor, ("sequence", start_mark.line, tag, &children).into_pyobject(py)?, Some(children))
            }
            EventData::MappingStart { anchor, tag, .. } => {
                let children = PyList::empty(py);
                let tag = tag.as_deref().unwrap_or(libyaml_safer::MAP_TAG);
                (anchor, ("mapping", start_mark.line, tag, &children).into_pyobject(py)?, Some(children))
            }
            EventData::Alias { anchor } => {
                let found = anchors.get(&anchor).cloned();
                let unknown = || exception(py, format!("yaml: unknown anchor '{anchor}' referenced"), start_mark.line);
                (None, found.ok_or_else(unknown)?, None)
            }
            EventData::SequenceEnd | EventData::MappingEnd => {
                open.pop();
                continue;
            }
            // Only the first document counts.
            EventData::DocumentEnd { .. } | EventData::StreamEnd => return Ok(root),
            EventData::StreamStart { .. } | EventData::DocumentStart { .. } => continue,
        };
        if let Some(anchor) = anchor {
            anchors.insert(anchor, node.clone());
        }
        match open.last() {
            Some(siblings) => siblings.append(&node)?,
            None => root = Some(node),
        }
        open.extend(children);
    }
}

fn syntax_error(py: Python<'_>, error: &libyaml_safer::Error) -> PyErr {
    match error.problem_mark() {
        Some(mark) => exception(py, format!("yaml: line {}: {}", mark.line + 1, error.problem()), mark.line),
        None => exception(py, format!("yaml: {}", error.problem()), 0),
    }
}

fn exception(py: Python<'_>, message: String, line: u64) -> PyErr {
    let exception = YamlSyntaxError::new_err(message);
    exception.value(py).setattr("line", line).err().unwrap_or(exception)
}
