//! The server that the examples send to: the one that `PAREA_BASE_URL` names, else one inside the process.

use std::{error::Error, net::Ipv4Addr, path::PathBuf};

use parea::{ApiClient, tree, types::QueryParamsPagination};
use parea_server::{Config, Handle, Server};

/// Where the example's traces go.
pub(crate) struct LocalServer {
    url: String,
    inside: Option<Handle>,
}

/// Port of `parea serve`, so that the page has the same address as later.
const USUAL_PORT: u16 = 7273;

/// Uses `PAREA_BASE_URL`, or starts a server on the usual port or any free one. Its data stays in `.parea-examples`.
pub(crate) async fn find_or_start() -> Result<LocalServer, Box<dyn Error>> {
    if let Ok(url) = std::env::var("PAREA_BASE_URL") {
        return Ok(LocalServer { url, inside: None });
    }
    let config = |port| Config {
        listen: (Ipv4Addr::LOCALHOST, port).into(),
        data: PathBuf::from(".parea-examples"),
        ..Config::default()
    };
    let server = match Server::bind(config(USUAL_PORT)).await {
        Ok(server) => server,
        // Taken, by a `parea serve` most likely.
        Err(parea_server::ServeError::Listen { .. }) => Server::bind(config(0)).await?,
        Err(error) => return Err(error.into()),
    };
    let handle = server.spawn();
    Ok(LocalServer { url: handle.url().to_owned(), inside: Some(handle) })
}

impl LocalServer {
    /// The server's address, as `PAREA_BASE_URL` spells it.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Reads the project's newest traces back from the server and prints their trees, oldest first.
    #[allow(dead_code, reason = "an experiment prints a report instead")]
    pub(crate) async fn print_newest(&self, project: &str, count: usize) -> Result<(), Box<dyn Error>> {
        let key = std::env::var("PAREA_API_KEY").ok();
        let api = ApiClient::new(&self.url, key.as_deref())?;
        let page = api.trace_logs(&QueryParamsPagination::new(project)).await?;
        println!("\nRead back from {}:\n", api.base_url());
        let roots: Vec<_> = page.results.iter().filter(|tree| tree.log.depth == 0).take(count).collect();
        for trace in roots.into_iter().rev() {
            print!("{}", tree::render_tree(trace, tree::Detail::Full));
        }
        Ok(())
    }

    /// Prints the page's address; with `--serve` among the arguments, keeps the server up until Ctrl-C.
    pub(crate) async fn show_and_serve(self, project: &str) -> Result<(), Box<dyn Error>> {
        let serve = std::env::args().any(|argument| argument == "--serve");
        let page = self.url.trim_end_matches("/api/parea/v1");
        println!("\nThe same in the browser: {page}/?project={project}");
        if let Some(server) = self.inside {
            if serve {
                println!("Serving until Ctrl-C.");
                tokio::signal::ctrl_c().await?;
            } else {
                println!("(the server ends with this program; `-- --serve` keeps it up)");
            }
            server.shutdown().await;
        }
        Ok(())
    }
}
