//! `tidings decode`: an event stream on standard input, its events on
//! standard output as they arrive.

use crate::printer::{Form, Printer};
use std::io::{self, ErrorKind, Read, Write};
use tidings_codec::{Decoder, Item, Limits};

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outcome {
    /// How many events were written.
    pub events: u64,
    /// How many were larger than the [`Limits`], reported and skipped. The
    /// command fails if there are any.
    pub too_large: u64,
}

/// Decodes `input` until it ends; each event is written to `output` and
/// flushed before more input is read. What was skipped, and an event that the
/// end cut off, is reported to `errors`. When nobody reads `output` any more
/// (a closed pipe), that is a normal end.
///
/// # Errors
/// Those of `input` and `output`; every event before is written.
pub fn run(
    mut input: impl Read,
    output: impl Write,
    mut errors: impl Write,
    form: Form,
    limits: Limits,
) -> io::Result<Outcome> {
    let mut decoder = Decoder::with_limits(limits);
    let mut printer = Printer::new(output, form);
    let mut outcome = Outcome {
        events: 0,
        too_large: 0,
    };
    let mut chunk = vec![0; 64 << 10];
    loop {
        let mut bytes = match input.read(&mut chunk) {
            Ok(0) => break,
            Ok(len) => &chunk[..len],
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        while let Some(item) = decoder.next(&mut bytes) {
            match item {
                Item::Event(event) => match printer.event(&event) {
                    Ok(()) => outcome.events += 1,
                    Err(error) if error.kind() == ErrorKind::BrokenPipe => return Ok(outcome),
                    Err(error) => return Err(error),
                },
                Item::Retry(millis) => printer.retry(millis),
                Item::TooLarge(too_large) => {
                    outcome.too_large += 1;
                    let number = outcome.events + outcome.too_large;
                    report(&mut errors, format_args!("event {number}: {too_large}"));
                }
                Item::Comment(_) => {}
            }
        }
    }
    if decoder.is_mid_event() {
        let text = "the stream ends inside an event, which a reader drops";
        report(&mut errors, format_args!("{text}"));
    }
    Ok(outcome)
}

/// Nobody can be told that standard error can't be written.
fn report(errors: &mut impl Write, text: std::fmt::Arguments<'_>) {
    let _ = writeln!(errors, "tidings decode: {text}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;
    use std::rc::Rc;

    const SMALL: Limits = Limits {
        max_event: 20,
        max_id: 20,
    };

    #[track_caller]
    fn check(form: Form, limits: Limits, stream: &str, output: &str, errors: &str) -> Outcome {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let outcome = run(stream.as_bytes(), &mut out, &mut err, form, limits).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), output);
        assert_eq!(String::from_utf8(err).unwrap(), errors);
        outcome
    }

    #[track_caller]
    fn check_json(stream: &str, output: &str) {
        check(Form::Json, Limits::default(), stream, output, "");
    }

    #[track_caller]
    fn check_stream(stream: &str, output: &str) {
        check(Form::Stream, Limits::default(), stream, output, "");
        // The output is its own normal form, and says the same.
        check(Form::Stream, Limits::default(), output, output, "");
        let json = |stream: &str| {
            let mut out = Vec::new();
            let limits = Limits::default();
            run(stream.as_bytes(), &mut out, io::sink(), Form::Json, limits).unwrap();
            String::from_utf8(out).unwrap()
        };
        assert_eq!(json(stream).replace("\\u0000", "\u{FFFD}"), json(output));
    }

    #[test]
    fn json_has_four_keys_in_order() {
        check_json(
            "event: kind\ndata: two\ndata: \"lines\"\nid: 7\nretry: 10\n\n",
            "{\"event\":\"kind\",\"data\":\"two\\n\\\"lines\\\"\",\"id\":\"7\",\"retry\":10}\n",
        );
    }

    #[test]
    fn json_defaults_inherits_and_takes_the_retry_since_the_event_before() {
        check_json(
            "data\n\nid: 1\nretry: 5\n\n: c\nretry: 6\nretry: x\n\ndata: a\n\ndata: b\n\n",
            "{\"event\":\"message\",\"data\":\"\",\"id\":\"\",\"retry\":null}\n\
             {\"event\":\"message\",\"data\":\"a\",\"id\":\"1\",\"retry\":6}\n\
             {\"event\":\"message\",\"data\":\"b\",\"id\":\"1\",\"retry\":null}\n",
        );
    }

    #[test]
    fn stream_is_normalised() {
        check_stream(
            "\u{FEFF}: c\r\nid: 1\r\n\r\ndata:a\rx: y\rretry: 3\rretry: 4\r\revent: e\ndata\ndata:  b\n\n",
            "retry: 4\ndata: a\nid: 1\n\nevent: e\ndata: \ndata:  b\n\n",
        );
        check_stream(
            "id: 1\ndata: a\n\nid: 1\ndata: b\n\ndata: c\n\nid\n\ndata: d\n\n",
            "data: a\nid: 1\n\ndata: b\nid: 1\n\ndata: c\n\ndata: d\nid: \n\n",
        );
        check_stream("event: \0\ndata\n\n", "event: \u{FFFD}\ndata: \n\n");
    }

    #[test]
    fn d7_an_event_cut_off_is_dropped_and_reported() {
        check(
            Form::Stream,
            Limits::default(),
            "data: a\n\ndata: b\n",
            "data: a\n\n",
            "tidings decode: the stream ends inside an event, which a reader drops\n",
        );
    }

    #[test]
    fn d8_too_large_events_are_reported_with_their_place_and_decoding_goes_on() {
        let stream = format!("data: a\n\nid: 1\ndata: {}\n\ndata: b\n\n", "x".repeat(21));
        let outcome = check(
            Form::Json,
            SMALL,
            &stream,
            "{\"event\":\"message\",\"data\":\"a\",\"id\":\"\",\"retry\":null}\n\
             {\"event\":\"message\",\"data\":\"b\",\"id\":\"1\",\"retry\":null}\n",
            "tidings decode: event 2: an event is larger than the limit of 20 bytes; \
             the block that begins at byte 9 of the stream was skipped\n",
        );
        assert_eq!((outcome.events, outcome.too_large), (2, 1));
    }

    /// Gives one byte a read and looks at the output before each.
    struct Bytewise {
        stream: &'static [u8],
        output: Flushed,
        /// How many events were out when the n-th byte was asked for.
        seen: Rc<RefCell<Vec<usize>>>,
    }

    /// An output whose readers see what was flushed.
    #[derive(Clone, Default)]
    struct Flushed {
        written: Rc<RefCell<Vec<u8>>>,
        visible: Rc<RefCell<usize>>,
    }

    impl Read for Bytewise {
        fn read(&mut self, chunk: &mut [u8]) -> io::Result<usize> {
            let written = self.output.written.borrow();
            let visible = &written[..*self.output.visible.borrow()];
            let events = visible.iter().filter(|byte| **byte == b'\n').count();
            self.seen.borrow_mut().push(events);
            self.stream.read(&mut chunk[..1])
        }
    }

    impl Write for Flushed {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.written.borrow_mut().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            *self.visible.borrow_mut() = self.written.borrow().len();
            Ok(())
        }
    }

    #[test]
    fn an_event_is_out_before_the_next_byte_is_read() {
        let stream = b"data\n\ndata\r\r\ndata\n\n";
        let output = Flushed::default();
        let seen = Rc::new(RefCell::new(Vec::new()));
        let input = Bytewise {
            stream,
            output: output.clone(),
            seen: Rc::clone(&seen),
        };
        let outcome = run(input, output, io::sink(), Form::Json, Limits::default()).unwrap();
        assert_eq!(outcome.events, 3);
        // One more read than bytes: the end.
        let expected = [[0; 6].as_slice(), &[1; 6], &[2; 7], &[3]].concat();
        assert_eq!(*seen.borrow(), expected);
    }

    struct Failing(ErrorKind);

    impl Write for Failing {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Read for Failing {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(self.0.into())
        }
    }

    #[test]
    fn e10_a_closed_pipe_is_a_normal_end_and_other_errors_are_not() {
        let run_to = |kind| {
            let stream = &b"data\n\n"[..];
            run(
                stream,
                Failing(kind),
                io::sink(),
                Form::Json,
                Limits::default(),
            )
        };
        assert_eq!(run_to(ErrorKind::BrokenPipe).unwrap().events, 0);
        let error = run_to(ErrorKind::StorageFull).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::StorageFull);
    }

    #[test]
    fn a_failing_input_fails_after_its_events_are_out() {
        let mut out = Vec::new();
        let input = b"data: a\n\n".chain(Failing(ErrorKind::ConnectionReset));
        let result = run(input, &mut out, io::sink(), Form::Stream, Limits::default());
        assert_eq!(result.unwrap_err().kind(), ErrorKind::ConnectionReset);
        assert_eq!(out, b"data: a\n\n");
    }
}
