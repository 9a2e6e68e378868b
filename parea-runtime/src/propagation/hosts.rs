//! A list of hosts.

use std::net::IpAddr;

/// One line of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Pattern {
    Any,
    /// A name or address, at one port or at all.
    Host {
        name: String,
        port: Option<u16>,
    },
    /// Everything below a domain.
    Below {
        domain: String,
        port: Option<u16>,
    },
}

/// Hosts that may know everything.
#[derive(Clone, Debug, Default)]
pub(super) struct Hosts(Vec<Pattern>);

impl Hosts {
    pub(super) fn new(patterns: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        Self(patterns.into_iter().map(|pattern| Pattern::parse(pattern.as_ref())).collect())
    }

    pub(super) fn contain(&self, host: &str, port: Option<u16>) -> bool {
        let host = bare(host);
        let same_port = |wanted: &Option<u16>| wanted.is_none() || *wanted == port;
        self.0.iter().any(|pattern| match pattern {
            Pattern::Any => true,
            Pattern::Host { name, port } => !name.is_empty() && *name == host && same_port(port),
            Pattern::Below { domain, port } => {
                let is_below = |label: &str| label.len() > 1 && label.ends_with('.') && !label.ends_with("..");
                !domain.is_empty() && host.strip_suffix(domain.as_str()).is_some_and(is_below) && same_port(port)
            }
        })
    }
}

impl Pattern {
    /// `api.internal`, `api.internal:8080`, `[::1]:8080`, `*.internal`, `*`. A URL counts as its host and port.
    fn parse(pattern: &str) -> Self {
        let pattern = pattern.trim();
        let pattern = pattern.split_once("://").map_or(pattern, |(_, rest)| rest);
        let authority = pattern.split(['/', '?', '#']).next().unwrap_or_default();
        if authority == "*" {
            return Self::Any;
        }
        let (name, port) = match authority.rsplit_once(':') {
            // Without brackets more than one colon is an address.
            Some((name, port)) if !name.contains(':') || name.ends_with(']') => match port.parse() {
                Ok(port) => (name, Some(port)),
                Err(_) => (authority, None),
            },
            _ => (authority, None),
        };
        match name.strip_prefix("*.") {
            Some(domain) => Self::Below { domain: bare(domain), port },
            None => Self::Host { name: bare(name), port },
        }
    }
}

/// A name in small letters, without the brackets of an address and the dot at the end of a full name; an address, and a name
/// that is not ASCII, as they stand in a URL that was read.
fn bare(host: &str) -> String {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let host = host.strip_suffix('.').unwrap_or(host);
    if let Ok(address) = host.parse::<IpAddr>() {
        return address.to_string();
    }
    #[cfg(feature = "http")]
    if !host.is_ascii()
        && let Ok(url) = reqwest::Url::parse(&format!("http://{host}"))
        && let Some(host) = url.host_str()
    {
        return host.to_owned();
    }
    host.to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_on_the_list_or_not() {
        let hosts = Hosts::new([
            "API.internal",
            "db.internal:8080",
            "*.svc.local",
            "[0:0::1]:9000",
            "::2",
            "https://x.org/path",
            "B\u{fc}cher.example",
            "*.b\u{fc}cher.example",
            "*.",
            "",
            "user@h.example",
        ]);
        for (host, port) in [
            ("api.internal", None),
            ("Api.Internal.", Some(1)),
            ("db.internal", Some(8080)),
            ("a.svc.local", Some(443)),
            ("a.b.svc.local", None),
            ("[::1]", Some(9000)),
            ("::2", None),
            ("x.org", Some(443)),
            #[cfg(feature = "http")]
            ("xn--bcher-kva.example", None),
            #[cfg(feature = "http")]
            ("shop.xn--bcher-kva.example", None),
        ] {
            assert!(hosts.contain(host, port), "{host} {port:?}");
        }
        for (host, port) in [
            ("internal", None),
            ("evil-api.internal", None),
            ("api.internal.evil.org", None),
            ("db.internal", Some(8081)),
            ("db.internal", None),
            ("svc.local", None),
            ("evilsvc.local", None),
            ("::1", Some(9001)),
            ("", None),
            (".svc.local", None),
            ("a..svc.local", None),
            ("evil.org..", None),
            ("h.example", None),
        ] {
            assert!(!hosts.contain(host, port), "{host} {port:?}");
        }
        assert!(Hosts::new(["*"]).contain("anything", None));
        assert!(!Hosts::default().contain("anything", None));
    }
}
