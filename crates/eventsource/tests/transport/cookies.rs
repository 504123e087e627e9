//! Cookies on the wire.

use crate::support::{get, run, serve_bytes};
use http::{HeaderValue, header};
use tidings_eventsource::protocol::Request;
use tidings_eventsource::transport::{Hyper, Jar, Transport, WithCookies};

#[test]
fn r8_cookies_come_and_go_where_the_request_says_so() {
    run(async {
        let redirect =
            b"HTTP/1.1 302 X\r\nSet-Cookie: a=1; Path=/\r\nSet-Cookie: b=2; HttpOnly\r\n\
                         Set-Cookie: c=\xff\r\nLocation: /\r\n\r\n";
        let mut server = serve_bytes(redirect).await;
        let page = server.url("/x");
        let jar = Jar::new();
        let transport = WithCookies::new(Hyper::builder().no_proxy().build(), jar.clone());
        let mut cookies_sent = async |cookies: bool, own: Option<&'static str>| {
            let mut request = Request {
                cookies,
                ..get(page.clone())
            };
            if let Some(own) = own {
                let own = HeaderValue::from_static(own);
                request.headers.insert(header::COOKIE, own);
            }
            transport.send(request).await.expect("a response");
            let head = server.head().await;
            head.into_iter().find(|line| line.starts_with("cookie:"))
        };
        assert_eq!(cookies_sent(false, None).await, None);
        assert_eq!(cookies_sent(true, None).await, None, "nothing was kept");
        let both = cookies_sent(true, None).await.expect("cookies");
        assert!(both.contains("a=1") && both.contains("b=2"), "{both}");
        let three = cookies_sent(true, Some("own=0")).await.expect("cookies");
        assert!(three.starts_with("cookie: own=0; a=1"), "{three}");
        assert_eq!(cookies_sent(false, None).await, None);
        let own = cookies_sent(false, Some("own=0")).await;
        assert_eq!(own.as_deref(), Some("cookie: own=0"));

        assert!(jar.get(&page).starts_with("a=1"));
        assert!(!jar.get(&page).contains("b=2"));
        jar.clear();
        assert_eq!(cookies_sent(true, None).await, None);
    });
}
