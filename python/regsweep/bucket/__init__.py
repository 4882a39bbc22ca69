"""What an operator writes of a bucket, turned into what the core opens.

``urls`` reads ``s3://…`` and its like, ``s3_parameters``, ``gcs_parameters`` and ``azure_parameters`` the storage
section of a registry's configuration; both give a ``BucketLocation``. Nothing here speaks to a service, and nothing
here is imported where the storage is on a filesystem.
"""
