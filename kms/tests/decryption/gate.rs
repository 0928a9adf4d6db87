//! A node behind a gate: it answers nothing until the gate opens.

use std::sync::{Arc, OnceLock};

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

pub struct Gate {
    pub url: String,
    /// Where it leads, host:port.
    target: Arc<OnceLock<String>>,
    knocks: watch::Receiver<u32>,
    open: watch::Sender<bool>,
}

impl Gate {
    /// A closed gate that leads nowhere yet.
    pub async fn closed() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (knock, knocks) = watch::channel(0);
        let (open, opened) = watch::channel(false);
        let target = Arc::new(OnceLock::new());
        let leads_to = target.clone();
        tokio::spawn(async move {
            while let Ok((mut outside, _)) = listener.accept().await {
                knock.send_modify(|knocks| *knocks += 1);
                let (mut opened, target) = (opened.clone(), Arc::clone(&leads_to));
                tokio::spawn(async move {
                    if opened.wait_for(|open| *open).await.is_ok() {
                        let mut inside = TcpStream::connect(target.get().unwrap()).await.unwrap();
                        let _ = copy_bidirectional(&mut outside, &mut inside).await;
                    }
                });
            }
        });
        Self { url, target, knocks, open }
    }

    /// Puts it before a node; returns the gate's address.
    pub fn before(&self, node: &str) -> String {
        self.target.set(node.strip_prefix("http://").unwrap().to_owned()).unwrap();
        self.url.clone()
    }

    /// Waits until somebody asks the node.
    pub async fn is_knocked_at(&self) {
        self.knocks.clone().wait_for(|knocks| *knocks > 0).await.unwrap();
    }

    pub fn opens(&self) {
        self.open.send_replace(true);
    }
}
