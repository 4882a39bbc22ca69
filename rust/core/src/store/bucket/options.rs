//! Where a bucket is, and what is needed to get in.

use std::fmt;
use std::time::Duration;

use http::HeaderValue;
use object_store::ClientOptions;
use object_store::aws::AmazonS3Builder;
use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use object_store::client::{HttpClient, HttpConnector, ReqwestConnector};
use object_store::gcp::GoogleCloudStorageBuilder;

use super::azure::Azure;
use super::client::Patience;
use super::copies::Copying;
use super::dialect::Dialect;
use super::gcs::Gcs;
use super::s3::S3;

/// What is wrong with a description of a bucket, in words for the operator.
#[derive(Debug, PartialEq, Eq)]
pub struct Unusable(pub String);

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Unusable {}

/// Keys that are secret. They are in no debug output.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret(pub String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

/// Of which service a bucket is.
#[derive(Clone, Debug)]
pub enum Provider {
    /// Amazon S3, or what speaks its language.
    S3 {
        /// The region that signatures name.
        region: String,
        /// Key, secret and session token; nothing for the environment's, a container's or a machine's.
        keys: Option<(String, Secret, Option<Secret>)>,
        /// Whether the bucket is the first part of the path and not of the host's name.
        path_style: bool,
    },
    /// Google Cloud Storage.
    Gcs(GcsKeys),
    /// Azure Blob Storage.
    Azure {
        /// The storage account.
        account: String,
        /// Who is asking.
        keys: AzureKeys,
        /// Whether names begin with a slash, as 2.8 writes them; nothing for what is found in the container.
        leading_slash: Option<bool>,
    },
}

/// How to get into Google Cloud Storage.
#[derive(Clone, Debug)]
pub enum GcsKeys {
    /// By a service account's key, as JSON.
    ServiceAccount(Secret),
    /// By a file that holds one.
    ServiceAccountFile(String),
    /// As the machine does: application default credentials, or its metadata server.
    Default,
}

/// How to get into Azure.
#[derive(Clone, Debug)]
pub enum AzureKeys {
    /// By the account's key.
    SharedKey(Secret),
    /// By a shared access signature: the query of a URL.
    Signature(Secret),
    /// As an application.
    ClientSecret {
        /// Its identity.
        client_id: String,
        /// Where it is known.
        tenant_id: String,
        /// Its secret.
        secret: Secret,
    },
    /// As the machine does: workload identity, managed identity, the environment.
    Default {
        /// Which of its identities, if it has several.
        client_id: Option<String>,
        /// Where it is known.
        tenant_id: Option<String>,
    },
}

/// Whether names begin with a slash.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum LeadingSlash {
    No,
    Yes,
    Unknown,
}

/// A bucket and how it is to be used.
#[derive(Clone, Debug)]
pub struct Options {
    /// Of which service.
    pub provider: Provider,
    /// The name of the bucket, or container.
    pub bucket: String,
    /// What stands before every key, without slashes at either end; may be empty.
    pub root: String,
    /// The URL of the service, without the bucket; nothing for the provider's own.
    pub endpoint: Option<String>,
    /// Whether its certificate has to be good.
    pub verify_tls: bool,
    /// What to say who is asking.
    pub user_agent: Option<String>,
    /// The most requests under way at once.
    pub jobs: usize,
    /// The most requests a second.
    pub max_requests_per_second: Option<f64>,
    /// How long what fails is tried again.
    pub patience: Patience,
    /// The manifest of an inventory report that stands in for a listing of blobs: `s3://bucket/key`, or a path.
    pub inventory: Option<String>,
    /// How large objects are copied.
    pub copying: Copying,
}

/// Requests under way at once where nobody says how many: a LIST or GET takes some 30 ms, and S3 takes 5,500 reads a
/// second for a prefix that it has not split yet.
pub const DEFAULT_JOBS: usize = 100;

/// A request that takes longer than this is sent again. The longest are reads of 8 MiB.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(60);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

impl Options {
    /// A bucket with everything else as usual.
    pub fn new(provider: Provider, bucket: impl Into<String>) -> Self {
        Self {
            provider,
            bucket: bucket.into(),
            root: String::new(),
            endpoint: None,
            verify_tls: true,
            user_agent: None,
            jobs: DEFAULT_JOBS,
            max_requests_per_second: None,
            patience: Patience::default(),
            inventory: None,
            copying: Copying::default(),
        }
    }

    /// How an operator would name it, without any secret.
    pub fn url(&self) -> String {
        let scheme = match &self.provider {
            Provider::S3 { .. } => "s3",
            Provider::Gcs(_) => "gs",
            Provider::Azure { .. } => "az",
        };
        let root = self.root.trim_matches('/');
        let slash = if root.is_empty() { "" } else { "/" };
        format!("{scheme}://{}{slash}{root}", self.bucket)
    }

    pub(super) const fn leading_slash(&self) -> LeadingSlash {
        match &self.provider {
            Provider::Azure { leading_slash: None, .. } => LeadingSlash::Unknown,
            Provider::Azure { leading_slash: Some(true), .. } => LeadingSlash::Yes,
            _ => LeadingSlash::No,
        }
    }

    /// What stands before every key.
    pub(super) fn prefix(&self, leading_slash: bool) -> Vec<u8> {
        let root = self.root.trim_matches('/');
        let mut prefix = if leading_slash { b"/".to_vec() } else { Vec::new() };
        prefix.extend_from_slice(root.as_bytes());
        prefix.extend((!root.is_empty()).then_some(b'/'));
        prefix
    }

    fn client_options(&self) -> Result<ClientOptions, Unusable> {
        let agent = self.user_agent.as_deref().unwrap_or(concat!("regsweep/", env!("CARGO_PKG_VERSION")));
        let agent = HeaderValue::from_str(agent).map_err(|_| Unusable("the user agent is no header".to_owned()))?;
        Ok(ClientOptions::new()
            .with_user_agent(agent)
            // Whether to encrypt is said by the endpoint's URL.
            .with_allow_http(true)
            .with_allow_invalid_certificates(!self.verify_tls)
            .with_timeout(REQUEST_TIMEOUT)
            .with_connect_timeout(CONNECT_TIMEOUT)
            .with_pool_max_idle_per_host(self.jobs))
    }

    pub(super) fn http(&self) -> Result<HttpClient, Unusable> {
        // The first to install one wins; there is only this.
        let _ = rustls::crypto::ring::default_provider().install_default();
        ReqwestConnector::default().connect(&self.client_options()?).map_err(unusable)
    }

    pub(super) fn dialect(&self) -> Result<Box<dyn Dialect>, Unusable> {
        match &self.provider {
            Provider::S3 { region, keys, path_style } => {
                // Of the builder only the credentials are used: it knows every place where they may come from.
                let builder = match keys {
                    None => AmazonS3Builder::from_env(),
                    Some((id, secret, token)) => {
                        let builder = AmazonS3Builder::new().with_access_key_id(id).with_secret_access_key(&secret.0);
                        match token {
                            None => builder,
                            Some(token) => builder.with_token(&token.0),
                        }
                    }
                };
                let builder = builder.with_bucket_name(&self.bucket).with_region(region);
                let built = builder.with_client_options(self.client_options()?).build().map_err(unusable)?;
                let base = self.s3_base(region, *path_style)?;
                Ok(Box::new(S3::new(base, self.bucket.clone(), region.clone(), built.credentials().clone())))
            }
            Provider::Gcs(keys) => self.gcs(keys),
            Provider::Azure { account, keys, .. } => self.azure(account, keys),
        }
    }

    fn gcs(&self, keys: &GcsKeys) -> Result<Box<dyn Dialect>, Unusable> {
        let endpoint = self.checked_endpoint(|| "https://storage.googleapis.com".to_owned())?;
        let builder = match keys {
            GcsKeys::ServiceAccount(key) => GoogleCloudStorageBuilder::new().with_service_account_key(&key.0),
            GcsKeys::ServiceAccountFile(path) => GoogleCloudStorageBuilder::new().with_service_account_path(path),
            GcsKeys::Default => GoogleCloudStorageBuilder::from_env(),
        };
        let builder = builder.with_bucket_name(&self.bucket).with_client_options(self.client_options()?);
        let built = builder.build().map_err(unusable)?;
        Ok(Box::new(Gcs::new(endpoint, self.bucket.clone(), built.credentials().clone())))
    }

    fn azure(&self, account: &str, keys: &AzureKeys) -> Result<Box<dyn Dialect>, Unusable> {
        let endpoint = self.checked_endpoint(|| format!("https://{account}.blob.core.windows.net"))?;
        let builder = match keys {
            AzureKeys::SharedKey(key) => MicrosoftAzureBuilder::new().with_access_key(&key.0),
            AzureKeys::Signature(signature) => {
                MicrosoftAzureBuilder::new().with_config(AzureConfigKey::SasKey, &signature.0)
            }
            AzureKeys::ClientSecret { client_id, tenant_id, secret } => {
                MicrosoftAzureBuilder::new().with_client_secret_authorization(client_id, &secret.0, tenant_id)
            }
            AzureKeys::Default { client_id, tenant_id } => {
                let mut builder = MicrosoftAzureBuilder::from_env();
                if let Some(client_id) = client_id {
                    builder = builder.with_client_id(client_id);
                }
                match tenant_id {
                    None => builder,
                    Some(tenant_id) => builder.with_tenant_id(tenant_id),
                }
            }
        };
        let builder = builder.with_account(account).with_container_name(&self.bucket);
        let built = builder.with_client_options(self.client_options()?).build().map_err(unusable)?;
        let base = format!("{endpoint}/{}", self.bucket);
        Ok(Box::new(Azure::new(base, account.to_owned(), built.credentials().clone())))
    }

    /// The URL of the service, without a slash at its end.
    fn checked_endpoint(&self, own: impl FnOnce() -> String) -> Result<String, Unusable> {
        let endpoint = self.endpoint.clone().unwrap_or_else(own);
        let endpoint = endpoint.trim_end_matches('/');
        let is_url = endpoint
            .split_once("://")
            .is_some_and(|(scheme, host)| matches!(scheme, "http" | "https") && !host.is_empty());
        if is_url && endpoint.parse::<http::Uri>().is_ok() {
            return Ok(endpoint.to_owned());
        }
        Err(Unusable(format!("{endpoint} is no URL of a service: it begins with http:// or https://")))
    }

    fn s3_base(&self, region: &str, path_style: bool) -> Result<String, Unusable> {
        let domain = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
        let endpoint = self.checked_endpoint(|| format!("https://s3.{region}.{domain}"))?;
        let (scheme, host) = endpoint.split_once("://").expect("it was checked");
        let base = if path_style {
            format!("{endpoint}/{}", self.bucket)
        } else {
            format!("{scheme}://{}.{host}", self.bucket)
        };
        match base.parse::<http::Uri>() {
            Ok(_) => Ok(base),
            Err(error) => Err(Unusable(format!("{base} is no URL: {error}"))),
        }
    }
}

#[allow(clippy::needless_pass_by_value, reason = "as `map_err` hands it over")]
fn unusable(error: object_store::Error) -> Unusable {
    Unusable(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(endpoint: Option<&str>) -> Options {
        let provider = Provider::S3 { region: "eu-west-1".into(), keys: None, path_style: false };
        Options { endpoint: endpoint.map(str::to_owned), ..Options::new(provider, "b") }
    }

    #[test]
    fn a_bucket_is_in_the_host_or_in_the_path() {
        let base = |endpoint, path_style| options(endpoint).s3_base("eu-west-1", path_style).unwrap();
        assert_eq!(base(None, false), "https://b.s3.eu-west-1.amazonaws.com");
        assert_eq!(base(None, true), "https://s3.eu-west-1.amazonaws.com/b");
        assert_eq!(base(Some("http://127.0.0.1:7070/"), true), "http://127.0.0.1:7070/b");
        assert_eq!(base(Some("https://minio.example:9000"), false), "https://b.minio.example:9000");
        for bad in ["127.0.0.1:7070", "ftp://x", "http://", "http://a b"] {
            assert!(options(Some(bad)).s3_base("eu-west-1", true).is_err(), "{bad}");
        }
    }

    #[test]
    fn secrets_are_in_no_debug_output() {
        let keys = Some(("AKIA".to_owned(), Secret("hidden".into()), Some(Secret("hidden".into()))));
        let provider = Provider::S3 { region: "r".into(), keys, path_style: true };
        assert!(!format!("{:?}", Options::new(provider, "b")).contains("hidden"));
    }
}
