//! A server with its threads, for programs that have others to do.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::runtime::{Builder, Runtime};

use crate::bucket::Buckets;
use crate::faults::Faults;
use crate::journal::Journal;
use crate::service::Service;
use crate::throttle::Throttle;

/// How a server is run.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// The port on 127.0.0.1; 0: any that is free.
    pub port: u16,
    /// Threads that answer.
    pub threads: usize,
    /// Whether requests are remembered one by one; they are counted in any case.
    pub record_requests: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { port: 0, threads: 2, record_requests: true }
    }
}

/// A server that answers until it is dropped.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    service: Arc<Service>,
    /// Always there, but while it is dropped.
    runtime: Option<Runtime>,
}

impl Server {
    /// Starts to answer, with no buckets.
    ///
    /// # Errors
    /// When the port is taken, or threads cannot be started.
    pub fn start(options: Options) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, options.port))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let runtime = Builder::new_multi_thread()
            .worker_threads(options.threads.max(1))
            .thread_name("fakebucket")
            .enable_all()
            .build()?;
        let service = Arc::new(Service::new(options.record_requests));
        let listener = {
            let _context = runtime.enter();
            tokio::net::TcpListener::from_std(listener)?
        };
        runtime.spawn(accept(listener, Arc::clone(&service)));
        Ok(Self { address, service, runtime: Some(runtime) })
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// What clients are given as the endpoint of S3 or of Google.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The buckets, to fill and to look at.
    pub fn buckets(&self) -> &Buckets {
        &self.service.buckets
    }

    /// What is to go wrong.
    pub fn faults(&self) -> &Faults {
        &self.service.faults
    }

    /// How slow it is to be.
    pub fn throttle(&self) -> &Throttle {
        &self.service.throttle
    }

    /// What has been asked.
    pub fn journal(&self) -> &Journal {
        &self.service.journal
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // Waiting would panic where the owner is in a runtime of its own.
            runtime.shutdown_background();
        }
    }
}

async fn accept(listener: tokio::net::TcpListener, service: Arc<Service>) {
    loop {
        // What fails here is the client's connection, or for want of descriptors: the next may do.
        let Ok((stream, _)) = listener.accept().await else { continue };
        let service = Arc::clone(&service);
        tokio::spawn(async move {
            if stream.set_nodelay(true).is_err() {
                return;
            }
            let answer = service_fn(|request| service.answer(request));
            // Errors are those of clients that go away, and our own on purpose.
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), answer).await;
        });
    }
}
