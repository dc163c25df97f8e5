//! A real Prometheus that scrapes what a test says.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use super::alerting::Daemon;
use super::{Place, free_port};

/// A user and the hash of its password, for a Prometheus that lets only this one in.
const USERS: &str =
    "basic_auth_users: {alice: '$2b$04$abcdefghijklmnopqrstuuCiRP6uwuebOgMsb3sB1n0pjVVBf0O3K'}\n";

/// A page of metrics, which a test may change.
pub struct Exporter {
    port: u16,
    page: Arc<Mutex<Page>>,
}

/// Makes the page; it is called for every scrape with the number of scrapes before.
type Page = Box<dyn FnMut(u64) -> String + Send>;

impl Exporter {
    pub fn start(page: impl FnMut(u64) -> String + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let page: Arc<Mutex<Page>> = Arc::new(Mutex::new(Box::new(page)));
        let shown = page.clone();
        thread::spawn(move || {
            for (scrapes, stream) in (0..).zip(listener.incoming()) {
                let text = (shown.lock().unwrap())(scrapes);
                drop(answer(stream.unwrap(), &text));
            }
        });
        Self { port, page }
    }

    /// Shows another page from now on.
    pub fn show(&self, page: impl FnMut(u64) -> String + Send + 'static) {
        *self.page.lock().unwrap() = Box::new(page);
    }
}

fn answer(mut stream: TcpStream, text: &str) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut line = String::new();
    while reader.read_line(&mut line)? > 2 {
        line.clear();
    }
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\nConnection: close\r\n";
    write!(stream, "{head}Content-Length: {}\r\n\r\n{text}", text.len())
}

/// A Prometheus that scrapes one exporter, five times a second.
pub struct Scraper {
    daemon: Daemon,
}

impl Scraper {
    pub fn start(place: &Place, exporter: &Exporter) -> Self {
        Self::on_port(place, exporter, free_port(), &[])
    }

    /// One that lets only `alice` with the password `alice123` in.
    pub fn with_password(place: &Place, exporter: &Exporter) -> Self {
        let web = place.file("web.yml", USERS);
        Self::on_port(place, exporter, free_port(), &[format!("--web.config.file={web}")])
    }

    pub fn on_port(place: &Place, exporter: &Exporter, port: u16, more: &[String]) -> Self {
        let text = format!(
            "global: {{scrape_interval: 200ms}}
scrape_configs:
- job_name: test
  static_configs: [{{targets: ['127.0.0.1:{}']}}]
",
            exporter.port
        );
        let config = place.file(&format!("scraping-{port}.yml"), &text);
        let mut arguments = vec![
            format!("--config.file={config}"),
            format!("--storage.tsdb.path={}", place.path(&format!("scraped-{port}")).display()),
            format!("--web.listen-address=127.0.0.1:{port}"),
        ];
        arguments.extend_from_slice(more);
        Self { daemon: Daemon::start(place, "scraper", "prometheus", port, &arguments) }
    }

    pub fn host(&self) -> &str {
        &self.daemon.host
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.daemon.host)
    }
}
