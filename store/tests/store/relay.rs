//! A way to the database that can fall silent, without closing anything.

use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

pub struct Relay {
    /// The same database, through it.
    pub pool: PgPool,
    silent: watch::Sender<bool>,
}

impl Relay {
    pub async fn before(pool: &PgPool) -> Self {
        let options = pool.connect_options();
        let server = (options.get_host().to_owned(), options.get_port());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (silent, is_silent) = watch::channel(false);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect((server.0.as_str(), server.1)).await.unwrap();
                let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
                tokio::spawn(forward(from_client, to_server, is_silent.clone()));
                tokio::spawn(forward(from_server, to_client, is_silent.clone()));
            }
        });
        let through = (*options).clone().host("127.0.0.1").port(port);
        Self { pool: PgPoolOptions::new().max_connections(1).connect_lazy_with(through), silent }
    }

    /// Nothing passes any more.
    pub fn falls_silent(&self) {
        self.silent.send_replace(true);
    }
}

async fn forward(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, silent: watch::Receiver<bool>) {
    let mut buffer = [0; 4096];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        if *silent.borrow() {
            std::future::pending::<()>().await;
        }
        if to.write_all(&buffer[..length]).await.is_err() {
            break;
        }
    }
}
