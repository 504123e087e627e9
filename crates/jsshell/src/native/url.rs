//! The URL standard's parser, setters and forms.

use rquickjs::{Ctx, Function, Object};
use url::form_urlencoded::{self, Serializer};
use url::{Url, quirks};

pub fn install<'js>(ctx: &Ctx<'js>, native: &Object<'js>) -> rquickjs::Result<()> {
    native.set("parseUrl", Function::new(ctx.clone(), parse)?)?;
    native.set("urlPart", Function::new(ctx.clone(), part)?)?;
    native.set("setUrlPart", Function::new(ctx.clone(), set_part)?)?;
    native.set("parseForm", Function::new(ctx.clone(), parse_form)?)?;
    native.set("serializeForm", Function::new(ctx.clone(), serialize_form)?)
}

fn parse(url: String, base: Option<String>) -> Option<String> {
    let base = match base {
        Some(base) => Some(Url::parse(&base).ok()?),
        None => None,
    };
    let url = Url::options().base_url(base.as_ref()).parse(&url).ok()?;
    Some(url.into())
}

/// A getter of the interface `URL`. `url` is one that [`parse`] gave.
fn part(url: String, name: String) -> String {
    let Ok(url) = Url::parse(&url) else {
        return String::new();
    };
    let part = match name.as_str() {
        "origin" => return quirks::origin(&url),
        "protocol" => quirks::protocol(&url),
        "username" => quirks::username(&url),
        "password" => quirks::password(&url),
        "host" => quirks::host(&url),
        "hostname" => quirks::hostname(&url),
        "port" => quirks::port(&url),
        "pathname" => quirks::pathname(&url),
        "search" => quirks::search(&url),
        "hash" => quirks::hash(&url),
        _ => "",
    };
    part.to_owned()
}

/// A setter of the interface: what can't be set leaves the URL as it was.
fn set_part(text: String, name: String, value: String) -> String {
    let Ok(mut url) = Url::parse(&text) else {
        return text;
    };
    let set = match name.as_str() {
        "protocol" => quirks::set_protocol(&mut url, &value),
        "username" => quirks::set_username(&mut url, &value),
        "password" => quirks::set_password(&mut url, &value),
        "host" => quirks::set_host(&mut url, &value),
        "hostname" => quirks::set_hostname(&mut url, &value),
        "port" => quirks::set_port(&mut url, &value),
        "pathname" => {
            quirks::set_pathname(&mut url, &value);
            Ok(())
        }
        "search" => {
            quirks::set_search(&mut url, &value);
            Ok(())
        }
        "hash" => {
            quirks::set_hash(&mut url, &value);
            Ok(())
        }
        _ => Err(()),
    };
    if set.is_ok() { url.into() } else { text }
}

fn parse_form(text: String) -> Vec<Vec<String>> {
    let pairs = form_urlencoded::parse(text.as_bytes());
    pairs
        .map(|(name, value)| vec![name.into_owned(), value.into_owned()])
        .collect()
}

fn serialize_form(pairs: Vec<Vec<String>>) -> String {
    let mut form = Serializer::new(String::new());
    for pair in &pairs {
        if let [name, value] = pair.as_slice() {
            form.append_pair(name, value);
        }
    }
    form.finish()
}
