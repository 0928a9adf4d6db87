//! The server behind a real socket, for what a request built in this process cannot say.

use std::net::SocketAddr;
use std::time::Duration;

use api::Door;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::TestApp;

/// After which a server that does not close a connection will not close it.
const PATIENCE: Duration = Duration::from_secs(20);

/// It stops when this is dropped.
pub struct Listening {
    pub address: SocketAddr,
    pub stop: CancellationToken,
    pub server: JoinHandle<anyhow::Result<()>>,
}

/// As the defaults of the configuration.
pub fn wide_door() -> Door {
    Door { head_timeout: Duration::from_secs(30), max_connections: 10_000, tls: None }
}

impl TestApp {
    pub async fn listen(&self) -> Listening {
        self.listen_behind(wide_door()).await
    }

    pub async fn listen_behind(&self, door: Door) -> Listening {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, stop) = (listener.local_addr().unwrap(), CancellationToken::new());
        let server = tokio::spawn(api::serve(listener, self.router.clone(), door, stop.clone().cancelled_owned()));
        Listening { address, stop, server }
    }
}

impl Listening {
    pub async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Sends these bytes, and reads all that comes until the server closes the connection.
    pub async fn exchange(&self, bytes: impl AsRef<[u8]>) -> String {
        let mut stream = self.connect().await;
        stream.write_all(bytes.as_ref()).await.unwrap();
        until_closed(&mut stream).await
    }

    /// Sends a request whose body has `length` bytes, all of it before it listens, as simple clients do. What cannot be
    /// sent or read is an error, as it is for them.
    pub async fn send_all(&self, head: &str, length: usize) -> std::io::Result<String> {
        let mut stream = TcpStream::connect(self.address).await?;
        stream.write_all(head.as_bytes()).await?;
        stream.write_all(&vec![b' '; length]).await?;
        let mut answer = String::new();
        tokio::time::timeout(PATIENCE, stream.read_to_string(&mut answer)).await??;
        Ok(answer)
    }
}

/// All that comes until the other side closes, cleanly or not.
pub async fn until_closed(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    let read = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await;
    _ = read.expect("the server closes the connection in time");
    String::from_utf8_lossy(&answer).into_owned()
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.server.abort();
    }
}
