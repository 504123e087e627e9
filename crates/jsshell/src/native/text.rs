//! Text and bytes.

use encoding_rs::{Encoding, UTF_8};
use rquickjs::function::MutFn;
use rquickjs::{Ctx, Function, Object, TypedArray};

pub fn install<'js>(ctx: &Ctx<'js>, native: &Object<'js>) -> rquickjs::Result<()> {
    native.set("encode", Function::new(ctx.clone(), encode)?)?;
    native.set("decoder", Function::new(ctx.clone(), decoder)?)?;
    native.set("encodingName", Function::new(ctx.clone(), name)?)
}

fn encode<'js>(ctx: Ctx<'js>, text: String) -> rquickjs::Result<TypedArray<'js, u8>> {
    TypedArray::new(ctx, text.into_bytes())
}

/// The name of the encoding that `label` stands for.
fn name(label: String) -> Option<String> {
    let encoding = Encoding::for_label_no_replacement(label.as_bytes())?;
    Some(encoding.name().to_ascii_lowercase())
}

/// A function `(bytes, last, fatal)` that remembers what of a character came at
/// the end of the bytes before; undefined stands for ill-formed bytes.
fn decoder(ctx: Ctx<'_>, label: String, ignore_bom: bool) -> rquickjs::Result<Function<'_>> {
    let encoding = Encoding::for_label_no_replacement(label.as_bytes()).unwrap_or(UTF_8);
    let mut decoder = if ignore_bom {
        encoding.new_decoder_without_bom_handling()
    } else {
        encoding.new_decoder_with_bom_removal()
    };
    let decode = move |bytes: TypedArray<'_, u8>, last: bool, fatal: bool| {
        let bytes = bytes_of(&bytes)?;
        let length = decoder.max_utf8_buffer_length(bytes.len()).unwrap_or(0);
        let mut text = String::with_capacity(length);
        let (_, _, malformed) = decoder.decode_to_string(&bytes, &mut text, last);
        rquickjs::Result::Ok((!(malformed && fatal)).then_some(text))
    };
    Function::new(ctx, MutFn::from(decode))
}

/// A copy of an array's bytes, taken one by one: the engine lends them as a
/// whole only to unsafe code.
pub fn bytes_of(array: &TypedArray<'_, u8>) -> rquickjs::Result<Vec<u8>> {
    let object = array.as_object();
    (0..array.len()).map(|at| object.get(at as u32)).collect()
}
