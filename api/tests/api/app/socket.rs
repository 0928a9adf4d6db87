//! The server behind a real socket, for what a request built in this process cannot say.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::TestApp;

/// It stops when this is dropped.
pub struct Listening {
    pub address: SocketAddr,
    server: JoinHandle<anyhow::Result<()>>,
}

impl TestApp {
    pub async fn listen(&self) -> Listening {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(api::serve(listener, self.router.clone(), std::future::pending()));
        Listening { address, server }
    }
}

impl Listening {
    /// Sends these bytes, and reads all that comes until the server closes the connection.
    pub async fn exchange(&self, bytes: &str) -> String {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(bytes.as_bytes()).await.unwrap();
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer).await;
        answer
    }

    /// Sends a request whose body has `length` bytes, all of it before it listens, as simple clients do. What cannot be
    /// sent or read is an error, as it is for them.
    pub async fn send_all(&self, head: &str, length: usize) -> std::io::Result<String> {
        let mut stream = TcpStream::connect(self.address).await?;
        stream.write_all(head.as_bytes()).await?;
        stream.write_all(&vec![b' '; length]).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        Ok(answer)
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.server.abort();
    }
}
