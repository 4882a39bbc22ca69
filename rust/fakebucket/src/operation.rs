//! What is asked of the server: the names under which requests are counted and struck by faults.

/// How a client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Dialect {
    /// S3, path style.
    S3,
    /// Google Cloud Storage's JSON interface.
    Gcs,
    /// Google Cloud Storage's XML interface, which is S3's with other headers.
    GcsXml,
    /// Azure Blob.
    Azure,
}

impl Dialect {
    /// As in the names of counters.
    pub const fn name(self) -> &'static str {
        match self {
            Self::S3 => "s3",
            Self::Gcs => "gcs",
            Self::GcsXml => "gcs_xml",
            Self::Azure => "azure",
        }
    }

    /// The header that numbers answers.
    pub(crate) const fn request_id_header(self) -> &'static str {
        match self {
            Self::S3 => "x-amz-request-id",
            Self::Gcs | Self::GcsXml => "x-guploader-uploadid",
            Self::Azure => "x-ms-request-id",
        }
    }

    /// Whether a page can say that it is not the last, and not how to go on. In the other interfaces, what does not
    /// say how to go on is the last.
    pub(crate) const fn can_lack_a_token(self) -> bool {
        matches!(self, Self::S3 | Self::GcsXml)
    }
}

macro_rules! operations {
    ($($(#[$comment:meta])* $operation:ident $name:literal,)*) => {
        /// What a request does.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Operation { $($(#[$comment])* $operation,)* }

        impl Operation {
            /// All there are.
            pub const ALL: &[Self] = &[$(Self::$operation),*];

            /// As in the names of counters, and in the rules of faults.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$operation => $name,)* }
            }
        }
    };
}

operations! {
    /// A page of keys.
    List "list",
    /// A page of keys with all their versions.
    Versions "versions",
    /// An object's content.
    Get "get",
    /// What is known of an object.
    Head "head",
    /// An upload in one piece.
    Put "put",
    /// A deletion by a request of its own, or in a batch of requests.
    Delete "delete",
    /// S3's deletion of up to 1,000 keys.
    DeleteObjects "delete_objects",
    /// A copy within the server.
    Copy "copy",
    /// Several requests in one, as Google and Azure have it.
    Batch "batch",
    /// One of the requests in a batch, as it is counted. For faults it is a deletion or whatever it does.
    BatchPart "batch_part",
    /// All buckets.
    ListBuckets "list_buckets",
    /// What is known of a bucket.
    HeadBucket "head_bucket",
    /// Where a bucket is.
    BucketLocation "bucket_location",
    /// Whether a bucket keeps versions.
    BucketVersioning "bucket_versioning",
    /// Switches versions on or off.
    SetBucketVersioning "set_bucket_versioning",
    /// Makes a bucket.
    CreateBucket "create_bucket",
    /// Removes an empty bucket.
    DeleteBucket "delete_bucket",
    /// Begins an upload in parts.
    CreateUpload "create_upload",
    /// A part of an upload.
    UploadPart "upload_part",
    /// A part of an upload that is copied from an object.
    UploadPartCopy "upload_part_copy",
    /// Ends an upload in parts.
    CompleteUpload "complete_upload",
    /// Gives an upload in parts up.
    AbortUpload "abort_upload",
    /// Uploads under way.
    ListUploads "list_uploads",
    /// Parts of an upload.
    ListParts "list_parts",
    /// A token to ask with.
    Token "token",
    /// Anything else, which is refused.
    Unknown "unknown",
}

impl Operation {
    /// Whether it writes into a bucket that must be there.
    pub(crate) const fn writes(self) -> bool {
        matches!(self, Self::Put | Self::Copy | Self::CompleteUpload | Self::SetBucketVersioning)
    }
}

/// A request as it is counted: who asks for what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Call {
    pub(crate) dialect: Dialect,
    pub(crate) operation: Operation,
    pub(crate) bucket: String,
    /// The key, or the prefix of a listing.
    pub(crate) key: Vec<u8>,
}
