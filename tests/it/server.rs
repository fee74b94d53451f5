//! The accept loop over real sockets on loopback: slow headers, a graceful stop.

use crate::support::Service;
use clientele::api::server::{ServerSettings, serve};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

async fn start(service: &Service, settings: ServerSettings) -> (SocketAddr, oneshot::Sender<()>, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let server = tokio::spawn(serve(listener, service.app.router(), settings, async {
        stopped.await.unwrap();
    }));
    (address, stop, server)
}

async fn read_all(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await.unwrap();
    String::from_utf8_lossy(&bytes).into_owned()
}

#[tokio::test]
async fn a_client_that_never_ends_its_headers_is_let_go() {
    let service = Service::new().await;
    let settings = ServerSettings { header_timeout: Duration::from_millis(200), ..ServerSettings::default() };
    let (address, stop, server) = start(&service, settings).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\nX-Slow: ").await.unwrap();
    // Ends when the server closes the connection; without the timeout this would wait for ever.
    let answer = tokio::time::timeout(Duration::from_secs(20), read_all(&mut stream)).await.unwrap();
    assert!(answer.is_empty() || answer.contains("408"), "{answer}");
    stop.send(()).unwrap();
    server.await.unwrap();
}

#[tokio::test]
async fn a_request_under_way_is_answered_before_the_server_stops() {
    let service = Service::new().await;
    let (address, stop, server) = start(&service, ServerSettings::default()).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    let body = "{\"customer_id\":\"a\",\"text\":\"hello\"}";
    let head = format!(
        "POST /v1/reviews HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&body.as_bytes()[..10]).await.unwrap();
    // The server has the head when a second connection is answered after it.
    let mut probe = TcpStream::connect(address).await.unwrap();
    probe.write_all(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await.unwrap();
    assert!(read_all(&mut probe).await.contains("alive"));
    stop.send(()).unwrap();
    stream.write_all(&body.as_bytes()[10..]).await.unwrap();
    let answer = read_all(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
    server.await.unwrap();
    assert!(TcpStream::connect(address).await.is_err(), "nobody listens any more");
}
