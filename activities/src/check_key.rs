//! `check_key`: has a child process read an evaluation key that a client uploaded, and makes it ready or refused.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, bail};
use blobs::{BlobHash, BlobStore, MAX_EVALUATION_KEY_BYTES};
use jobs::TenantId;
use store::PgPool;
use store::client_keys::{self, KeyStatus, KeyVerdict as Verdict};
use store::uploads::Custody;
use temporalio_macros::activities;
use temporalio_sdk::activities::{ActivityContext, ActivityError};
use tokio::time::interval;
use tokio_util::sync::CancellationToken;
use workflows::activities::{KeyRef, KeyVerdict};

use crate::fhe::{Children, Ended, KEY_TIME};

const HEARTBEAT: Duration = Duration::from_secs(1);
/// A key that killed as many children is refused.
const DEATHS: u32 = 2;

pub struct CheckKey {
    pub pool: PgPool,
    pub blobs: BlobStore,
    pub children: Children,
}

#[activities]
impl CheckKey {
    #[activity(name = "check_key")]
    pub async fn check_key(self: Arc<Self>, ctx: ActivityContext, key: KeyRef) -> Result<KeyVerdict, ActivityError> {
        // A child that checks cannot be interrupted: dropped with the work, it is killed.
        let mut work = pin!(self.verdict(&key.tenant, key.key_id.0));
        let mut heartbeat = interval(HEARTBEAT);
        loop {
            tokio::select! {
                verdict = &mut work => return Ok(verdict?),
                () = ctx.cancelled() => return Err(ActivityError::cancelled()),
                _ = heartbeat.tick() => ctx.record_heartbeat("checking").await?,
            }
        }
    }

    async fn verdict(&self, tenant: &TenantId, key_id: [u8; 32]) -> Result<KeyVerdict> {
        let Some(known) = client_keys::find(&self.pool, tenant, key_id).await? else {
            return Ok(KeyVerdict::Refused); // Deleted meanwhile: nobody waits for a verdict.
        };
        let status = match known.status {
            KeyStatus::Pending => {
                let verdict = self.look(tenant, key_id).await?;
                tracing::info!(tenant.id = %tenant, ?verdict, "an evaluation key was checked");
                let concluded = client_keys::conclude(&self.pool, tenant, key_id, &verdict).await?;
                concluded.unwrap_or(KeyStatus::Refused)
            }
            decided => decided,
        };
        match status {
            KeyStatus::Ready => Ok(KeyVerdict::Ready),
            KeyStatus::Refused => {
                self.discard(tenant, key_id).await?;
                Ok(KeyVerdict::Refused)
            }
            KeyStatus::Pending => bail!("the key is still pending"),
        }
    }

    /// Deletes what nobody can use, unless the tenant uploaded the same bytes as a blob.
    async fn discard(&self, tenant: &TenantId, key_id: [u8; 32]) -> Result<()> {
        let mut custody = Custody::of(&self.pool, tenant).await?;
        if !custody.is_wanted(key_id).await? {
            self.blobs.delete(tenant, BlobHash(key_id)).await?;
        }
        Ok(custody.release().await?)
    }

    async fn look(&self, tenant: &TenantId, key_id: [u8; 32]) -> Result<Verdict> {
        let lease = self.children.lease(tenant).await?;
        let bytes = self.blobs.get(tenant, BlobHash(key_id), MAX_EVALUATION_KEY_BYTES).await?;
        let refused = |detail: &str| Ok(Verdict::Refused { detail: detail.to_owned() });
        for _ in 0..DEATHS {
            // Of its own: who has read a hostile key serves nobody after it.
            let child = lease.new_child().await?;
            let (_, ended) = child.check_key(bytes.to_vec(), &CancellationToken::new(), KEY_TIME).await?;
            match ended {
                Ended::Done(id) if id == key_id => return Ok(Verdict::Ready),
                // Another encoding of the key, or bytes behind it: one key has one id.
                Ended::Done(_) => return refused("The bytes are not the key's usual encoding."),
                Ended::Refused { detail, .. } => return refused(&detail),
                Ended::Failed { detail } => bail!("the key could not be checked: {detail}"),
                Ended::Died { how, .. } => tracing::error!(tenant.id = %tenant, how, "a key killed its reader"),
                Ended::Stopped => bail!("the key could not be checked: the process stopped"),
            }
        }
        refused("The key cannot be read.")
    }
}
