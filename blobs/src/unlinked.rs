//! A local folder below which no symbolic link is followed: whoever can put one there must not lead us to read, write or
//! delete elsewhere. (Whoever can put one there at the very moment between the look and the deed can do so still; the
//! folder itself may be a link, which is its operator's choice.)

use std::fmt;
use std::ops::Range;
use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{StreamExt as _, TryStreamExt as _};
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions, Result,
};

/// A link where none may be.
#[derive(Debug, thiserror::Error)]
#[error("{} is a symbolic link, which is not followed", .0.display())]
struct Linked(PathBuf);

/// A store whose objects lie below a folder, each under its own name.
#[derive(Clone, Debug)]
pub(crate) struct Unlinked<T> {
    inner: T,
    folder: Arc<FilePath>,
}

impl<T> Unlinked<T> {
    pub(crate) fn new(inner: T, folder: &FilePath) -> Self {
        Self { inner, folder: folder.into() }
    }

    async fn check(&self, place: &Path) -> Result<()> {
        check(self.folder.clone(), place).await
    }
}

/// Looks at each part of the way to a place.
///
/// # Errors
/// One of them is a link.
pub(crate) fn look(folder: &FilePath, place: &Path) -> std::io::Result<()> {
    let mut way = folder.to_owned();
    for part in place.parts() {
        way.push(part.as_ref());
        match std::fs::symlink_metadata(&way) {
            Ok(found) if found.is_symlink() => return Err(std::io::Error::other(Linked(way))),
            Ok(_) => {}
            // What is not there, or cannot be looked at, is whoever's that goes there.
            Err(_) => break,
        }
    }
    Ok(())
}

async fn check(folder: Arc<FilePath>, place: &Path) -> Result<()> {
    let place = place.clone();
    let looked = tokio::task::spawn_blocking(move || look(&folder, &place)).await;
    let looked = looked.unwrap_or_else(|error| Err(std::io::Error::other(error)));
    looked.map_err(|error| Error::Generic { store: "folder", source: Box::new(error) })
}

impl<T: fmt::Display> fmt::Display for Unlinked<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Unlinked({})", self.inner)
    }
}

#[async_trait]
impl<T: ObjectStore> ObjectStore for Unlinked<T> {
    async fn put_opts(&self, location: &Path, payload: PutPayload, opts: PutOptions) -> Result<PutResult> {
        self.check(location).await?;
        self.inner.put_opts(location, payload, opts).await
    }

    async fn put_multipart_opts(&self, location: &Path, opts: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        self.check(location).await?;
        self.inner.put_multipart_opts(location, opts).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.check(location).await?;
        self.inner.get_opts(location, options).await
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.check(location).await?;
        self.inner.get_ranges(location, ranges).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let folder = self.folder.clone();
        let checked = locations.and_then(move |location| {
            let folder = folder.clone();
            async move { check(folder, &location).await.map(|()| location) }
        });
        self.inner.delete_stream(checked.boxed())
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let folder = self.folder.clone();
        let checked = self.inner.list(prefix).and_then(move |object| {
            let folder = folder.clone();
            async move { check(folder, &object.location).await.map(|()| object) }
        });
        checked.boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        if let Some(prefix) = prefix {
            self.check(prefix).await?;
        }
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.check(from).await?;
        self.check(to).await?;
        self.inner.copy_opts(from, to, options).await
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        self.check(from).await?;
        self.check(to).await?;
        self.inner.rename_opts(from, to, options).await
    }
}
