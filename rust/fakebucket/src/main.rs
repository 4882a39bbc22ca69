//! The server as a program: says where it listens, and serves until it is told to end.

use std::error::Error;
use std::io::Write;
use std::process::ExitCode;

use regsweep_fakebucket::{Options, Server};
use tokio::signal::unix::{SignalKind, signal};

const USAGE: &str = "usage: regsweep-fakebucket [--port N] [--threads N] [--no-recording]";

fn main() -> ExitCode {
    let outcome = options(std::env::args().skip(1)).and_then(serve);
    if let Err(error) = outcome {
        // Where standard error is closed there is nobody to tell.
        let _ = writeln!(std::io::stderr(), "regsweep-fakebucket: {error}");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

fn options(mut arguments: impl Iterator<Item = String>) -> Result<Options, Box<dyn Error>> {
    let mut options = Options::default();
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--port" => options.port = arguments.next().ok_or(USAGE)?.parse()?,
            "--threads" => options.threads = arguments.next().ok_or(USAGE)?.parse()?,
            "--no-recording" => options.record_requests = false,
            _ => return Err(USAGE.into()),
        }
    }
    Ok(options)
}

fn serve(options: Options) -> Result<(), Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let (mut terminated, mut interrupted) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        let server = Server::start(options)?;
        let mut output = std::io::stdout();
        writeln!(output, "listening on {}", server.address())?;
        output.flush()?;
        let mut ended = std::pin::pin!(terminated.recv());
        let mut stopped = std::pin::pin!(interrupted.recv());
        std::future::poll_fn(|context| {
            let is_over = ended.as_mut().poll(context).is_ready() || stopped.as_mut().poll(context).is_ready();
            if is_over { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
        })
        .await;
        Ok(())
    })
}
