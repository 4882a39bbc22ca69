//! Options of a bucket, from a mapping of Python's.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use regsweep_core::store::bucket::{AzureKeys, Copying, GcsKeys, Options, Provider, Secret};

/// Takes options out of a mapping, one by one, so that those which nobody has taken can be named.
struct Source<'py>(Bound<'py, PyDict>);

impl<'py> Source<'py> {
    fn take<T: for<'a> FromPyObject<'a, 'py, Error: Into<PyErr>>>(&self, name: &str) -> PyResult<Option<T>> {
        let Some(value) = self.0.get_item(name)? else { return Ok(None) };
        self.0.del_item(name)?;
        match value.extract() {
            Ok(value) => Ok(Some(value)),
            // Not the value: it may be a secret.
            Err(_) => Err(PyValueError::new_err(format!("{name}: not a value of its type"))),
        }
    }

    fn text(&self, name: &str) -> PyResult<Option<String>> {
        self.take(name)
    }

    fn secret(&self, name: &str) -> PyResult<Option<Secret>> {
        Ok(self.text(name)?.map(Secret))
    }

    fn wanted(&self, name: &str) -> PyResult<String> {
        self.text(name)?.ok_or_else(|| PyValueError::new_err(format!("{name} is missing")))
    }

    fn end(self) -> PyResult<()> {
        match self.0.keys().iter().next() {
            None => Ok(()),
            Some(name) => Err(PyValueError::new_err(format!("{name}: not an option of this provider"))),
        }
    }
}

/// The options that a mapping stands for.
pub(crate) fn options(mapping: &Bound<'_, PyDict>) -> PyResult<Options> {
    let source = Source(mapping.copy()?);
    let provider = match source.wanted("provider")?.as_str() {
        "s3" => s3(&source)?,
        "gcs" => gcs(&source)?,
        "azure" => azure(&source)?,
        other => return Err(PyValueError::new_err(format!("provider: {other:?} is none that regsweep knows"))),
    };
    let mut options = Options::new(provider, source.wanted("bucket")?);
    options.root = source.text("root")?.unwrap_or_default();
    options.endpoint = source.text("endpoint")?;
    options.verify_tls = source.take("verify_tls")?.unwrap_or(true);
    options.user_agent = source.text("user_agent")?;
    let Copying { whole_bytes, part_bytes } = options.copying;
    options.copying = Copying {
        whole_bytes: source.take("copied_whole_bytes")?.unwrap_or(whole_bytes),
        part_bytes: source.take("copied_part_bytes")?.unwrap_or(part_bytes),
    };
    source.end()?;
    Ok(options)
}

fn s3(source: &Source<'_>) -> PyResult<Provider> {
    let keys = match (source.text("access_key_id")?, source.secret("secret_access_key")?) {
        (Some(id), Some(secret)) => Some((id, secret, source.secret("session_token")?)),
        (None, None) => None,
        _ => return Err(PyValueError::new_err("access_key_id and secret_access_key belong together")),
    };
    let region = source.text("region")?.unwrap_or_else(|| "us-east-1".to_owned());
    Ok(Provider::S3 { region, keys, path_style: source.take("path_style")?.unwrap_or(false) })
}

fn gcs(source: &Source<'_>) -> PyResult<Provider> {
    Ok(Provider::Gcs(match (source.secret("service_account_key")?, source.text("service_account_path")?) {
        (Some(key), None) => GcsKeys::ServiceAccount(key),
        (None, Some(path)) => GcsKeys::ServiceAccountFile(path),
        (None, None) => GcsKeys::Default,
        (Some(_), Some(_)) => {
            return Err(PyValueError::new_err("service_account_key and service_account_path are one too many"));
        }
    }))
}

fn azure(source: &Source<'_>) -> PyResult<Provider> {
    let keys = match source.text("credentials")?.as_deref() {
        Some("shared_key") => AzureKeys::SharedKey(Secret(source.wanted("access_key")?)),
        Some("sas") => AzureKeys::Signature(Secret(source.wanted("sas_token")?)),
        Some("client_secret") => AzureKeys::ClientSecret {
            client_id: source.wanted("client_id")?,
            tenant_id: source.wanted("tenant_id")?,
            secret: Secret(source.wanted("client_secret")?),
        },
        Some("default") | None => {
            AzureKeys::Default { client_id: source.text("client_id")?, tenant_id: source.text("tenant_id")? }
        }
        Some(other) => return Err(PyValueError::new_err(format!("credentials: {other:?} is no kind of them"))),
    };
    let leading_slash = match source.text("leading_slash")?.as_deref() {
        Some("auto") | None => None,
        Some("yes") => Some(true),
        Some("no") => Some(false),
        Some(other) => return Err(PyValueError::new_err(format!("leading_slash: {other:?} is not auto, yes or no"))),
    };
    Ok(Provider::Azure { account: source.wanted("account")?, keys, leading_slash })
}
