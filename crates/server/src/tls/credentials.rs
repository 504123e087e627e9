//! The certificate chain and its key, from files of PEM.

use crate::config::{self, ConfigError, ConfigErrors, Place};
use crate::files;
use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::{Error as PemError, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::sign::CertifiedKey;
use rustls::{CertificateError, Error, InconsistentKeys, RootCertStore};
use std::path::Path;
use std::time::{Duration, SystemTime};

/// How long before its end a certificate is warned of.
const SOON: Duration = Duration::from_secs(7 * 86_400);

/// What the hub shows, and proves itself by.
pub struct Credentials {
    /// The chain and its key, which belong together.
    pub key: CertifiedKey,
    /// What deserves a second thought, one sentence each.
    pub warnings: Vec<String>,
}

impl Credentials {
    /// Reads and checks the files that `tls` names.
    ///
    /// # Errors
    /// What is wrong with which file, and what to do. Never what it holds.
    pub fn read(tls: &config::Tls, provider: &CryptoProvider) -> Result<Self, ConfigErrors> {
        let mut errors = Vec::new();
        let mut both = |setting, path: &Option<_>| match read(path.as_deref()) {
            Ok(text) => Some(text),
            Err(what) => {
                errors.push(fault(setting, path.as_deref(), &what));
                None
            }
        };
        let chain = both(CERTIFICATE, &tls.certificate);
        let key = both(KEY, &tls.key);
        let (Some(chain), Some(key)) = (chain, key) else {
            return Err(ConfigErrors(errors));
        };
        let at = |setting: &'static str| {
            let path = match setting {
                KEY => tls.key.as_deref(),
                _ => tls.certificate.as_deref(),
            };
            move |what: String| ConfigErrors::from(fault(setting, path, &what))
        };
        let chain = certificates(&chain).map_err(at(CERTIFICATE))?;
        let key = private_key(&key).map_err(at(KEY))?;
        let warnings = validity(&chain[0], SystemTime::now()).map_err(at(CERTIFICATE))?;
        let warnings = [
            warnings.map(|what| fault(CERTIFICATE, tls.certificate.as_deref(), &what)),
            tls.key
                .as_deref()
                .and_then(files::openness)
                .map(|what| fault(KEY, tls.key.as_deref(), what)),
        ];
        Ok(Self {
            key: certified(chain, key, provider).map_err(at(KEY))?,
            warnings: warnings.iter().flatten().map(ToString::to_string).collect(),
        })
    }
}

const CERTIFICATE: &str = "tls.certificate";
const KEY: &str = "tls.key";

fn fault(setting: &'static str, path: Option<&Path>, what: &str) -> ConfigError {
    ConfigError {
        place: Place::Setting(setting),
        what: match path {
            Some(path) => format!("{}: {what}", path.display()),
            None => what.to_owned(),
        },
    }
}

fn read(path: Option<&Path>) -> Result<Vec<u8>, String> {
    files::read(path.ok_or("no file is named")?)
}

fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match chain.map_err(|error| broken(&error))? {
        chain if !chain.is_empty() => Ok(chain),
        _ if holds(pem, "PRIVATE KEY-----") => Err(
            "it holds a key and no certificate; are tls.certificate and tls.key exchanged?".into(),
        ),
        _ => Err(format!(
            "it holds no certificate; {}",
            wanted("CERTIFICATE")
        )),
    }
}

fn private_key(pem: &[u8]) -> Result<PrivateKeyDer<'static>, String> {
    match PrivateKeyDer::from_pem_slice(pem) {
        Ok(key) => Ok(key),
        Err(PemError::NoItemsFound) if holds(pem, "BEGIN ENCRYPTED PRIVATE KEY-----") => Err(
            "the key is encrypted, and nobody is there to give its password; \
             'openssl pkey -in FILE -out FILE' writes it without one"
                .into(),
        ),
        Err(PemError::NoItemsFound) if holds(pem, "BEGIN CERTIFICATE-----") => Err(
            "it holds a certificate and no key; are tls.certificate and tls.key exchanged?".into(),
        ),
        Err(PemError::NoItemsFound) => Err(format!(
            "it holds no private key; {}",
            wanted("PRIVATE KEY")
        )),
        Err(error) => Err(broken(&error)),
    }
}

fn wanted(label: &str) -> String {
    format!("PEM is wanted, text that begins with -----BEGIN {label}-----")
}

fn holds(pem: &[u8], text: &str) -> bool {
    memchr::memmem::find(pem, text.as_bytes()).is_some()
}

/// In words of our own: theirs quote lines of the file.
fn broken(error: &PemError) -> String {
    match error {
        PemError::MissingSectionEnd { .. } => "a section has no end (-----END …-----)",
        PemError::IllegalSectionStart { .. } => "the first line of a section is broken",
        PemError::Base64Decode(_) => "a section holds what isn't base64",
        _ => "it isn't PEM",
    }
    .to_owned()
}

fn certified(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    provider: &CryptoProvider,
) -> Result<CertifiedKey, String> {
    let key = provider.key_provider.load_private_key(key).map_err(|_| {
        "the key is of a kind that isn't supported; RSA from 2048 bits, ECDSA on P-256, P-384 \
         or P-521, and Ed25519 are"
            .to_owned()
    })?;
    let fits = |certificate: &CertificateDer<'static>| {
        CertifiedKey::new(vec![certificate.clone()], key.clone()).keys_match()
    };
    match fits(&chain[0]) {
        Ok(()) | Err(Error::InconsistentKeys(InconsistentKeys::Unknown)) => {
            Ok(CertifiedKey::new(chain, key))
        }
        Err(_) => Err(
            match chain[1..].iter().position(|other| fits(other).is_ok()) {
                Some(index) => format!(
                    "it is the key of certificate {} in tls.certificate; the hub's own certificate \
                 must come first there, then those that vouch for it",
                    index + 2
                ),
                None => "it isn't the key of the certificate in tls.certificate".to_owned(),
            },
        ),
    }
}

/// What there is to say about when the certificate holds.
fn validity(certificate: &CertificateDer<'_>, now: SystemTime) -> Result<Option<String>, String> {
    let not_valid = || "the first certificate can't be read; is it X.509?".to_owned();
    let parsed = ParsedCertificate::try_from(certificate).map_err(|_| not_valid())?;
    let (begin, end) = bounds(&parsed).ok_or_else(not_valid)?;
    let date = httpdate::fmt_http_date;
    Ok(if now < begin {
        Some(format!(
            "the certificate holds only from {} on",
            date(begin)
        ))
    } else if now > end {
        Some(format!("the certificate expired on {}", date(end)))
    } else if now + SOON > end {
        Some(format!("the certificate expires on {}", date(end)))
    } else {
        None
    })
}

/// When the certificate begins and ends to hold. rustls says so only in its
/// refusals, so it is asked about times long ago and far ahead.
fn bounds(certificate: &ParsedCertificate<'_>) -> Option<(SystemTime, SystemTime)> {
    let at = |seconds| {
        let time = UnixTime::since_unix_epoch(Duration::from_secs(seconds));
        let roots = RootCertStore::empty();
        match verify_server_cert_signed_by_trust_anchor(certificate, &roots, &[], time, &[]) {
            Err(Error::InvalidCertificate(error)) => Some(error),
            _ => None,
        }
    };
    let system = |time: UnixTime| SystemTime::UNIX_EPOCH + Duration::from_secs(time.as_secs());
    let begin = match at(0)? {
        CertificateError::NotValidYetContext { not_before, .. } => system(not_before),
        _ => SystemTime::UNIX_EPOCH,
    };
    // The year 9999 is the last that a certificate can name.
    const FAR: u64 = 253_402_300_799;
    let end = match at(FAR)? {
        CertificateError::ExpiredContext { not_after, .. } => system(not_after),
        // Any other refusal comes after that of the time.
        _ => system(UnixTime::since_unix_epoch(Duration::from_secs(FAR))),
    };
    Some((begin, end))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Pem, read};
    use std::os::unix::fs::PermissionsExt;

    /// What is said of two files that hold these texts; without their names.
    fn verdict(certificate: &str, key: &str) -> Result<Vec<String>, String> {
        let directory = tempfile::tempdir().unwrap();
        let (certificate, key) = (certificate.to_owned(), key.to_owned());
        let files = Pem { certificate, key }.write(&directory);
        let plain = |text: String| text.replace(&format!("{}/", directory.path().display()), "");
        read(&files)
            .map(|warnings| warnings.into_iter().map(plain).collect())
            .map_err(plain)
    }

    #[track_caller]
    fn check(certificate: &str, key: &str, expected: &str) {
        let error = verdict(certificate, key).unwrap_err();
        assert!(error.starts_with(expected), "{error}");
        // Nothing of the files: a line of PEM has 64 characters.
        let long = |word: &str| word.len() >= 40;
        assert!(!error.split_whitespace().any(long), "{error}");
    }

    #[test]
    fn e2_e3_what_is_wrong_with_which_file() {
        let (own, other) = (Pem::new(None), Pem::new(None));
        let (cert, key) = (&own.certificate[..], &own.key[..]);
        assert_eq!(verdict(cert, key), Ok(Vec::new()));
        let of_cert = "tls.certificate: certificate.pem: ";
        let of_key = "tls.key: key.pem: ";
        let check_cert = |text: &str, what: &str| check(text, key, &format!("{of_cert}{what}"));
        let check_key = |text: &str, what: &str| check(cert, text, &format!("{of_key}{what}"));
        check_cert("", "the file is empty");
        check_cert("x", "it holds no certificate; PEM is wanted");
        check_cert(key, "it holds a key and no certificate; are");
        check_cert(&cert[..cert.len() - 30], "a section has no end");
        check_cert(
            &cert.replacen('M', "*", 1),
            "a section holds what isn't base64",
        );
        check_cert(
            &own.key.replace("PRIVATE KEY", "CERTIFICATE"),
            "the first certificate can't be read",
        );
        check_cert(&"x".repeat(1 << 21), "the file is larger than 1 MiB");
        check_key("", "the file is empty");
        check_key("x", "it holds no private key; PEM is wanted");
        check_key(cert, "it holds a certificate and no key; are");
        check_key(
            &key.replace("PRIVATE", "ENCRYPTED PRIVATE"),
            "the key is encrypted",
        );
        check_key(
            &cert.replace("CERTIFICATE", "PRIVATE KEY"),
            "the key is of a kind that isn't",
        );
        check_key(
            &other.key,
            "it isn't the key of the certificate in tls.certificate",
        );
        let turned = other.certificate.clone() + cert;
        check(
            &turned,
            key,
            "tls.key: key.pem: it is the key of certificate 2 in tls.certificate",
        );
        assert_eq!(
            verdict(&(cert.to_owned() + &other.certificate), key),
            Ok(Vec::new())
        );
        let both = verdict("", "").unwrap_err();
        assert_eq!(both.lines().count(), 2, "{both}");
    }

    #[test]
    fn e2_files_that_are_not_there() {
        let directory = tempfile::tempdir().unwrap();
        let mut files = Pem::new(None).write(&directory);
        std::fs::remove_file(files.key.as_ref().unwrap()).unwrap();
        let error = read(&files).unwrap_err();
        assert!(error.ends_with("key.pem: there is no such file"), "{error}");
        files.key = Some(directory.path().to_owned());
        let error = read(&files).unwrap_err();
        assert!(error.contains("the file can't be read: "), "{error}");
    }

    #[test]
    fn e2_a_key_that_everyone_can_read_is_warned_of() {
        let directory = tempfile::tempdir().unwrap();
        let files = Pem::new(None).write(&directory);
        let key = files.key.as_deref().unwrap();
        std::fs::set_permissions(key, PermissionsExt::from_mode(0o644)).unwrap();
        let warnings = read(&files).unwrap();
        assert!(warnings[0].contains("key.pem: everyone on this machine can read the key"));
    }

    #[test]
    fn certificates_are_warned_of_in_time() {
        let check = |from, to, expected: &str| {
            let pem = Pem::new(Some((from, to)));
            let warnings = verdict(&pem.certificate, &pem.key).unwrap();
            let expected = format!("tls.certificate: certificate.pem: the certificate {expected}");
            assert_eq!(warnings, [expected]);
        };
        check(1999, 2001, "expired on Mon, 01 Jan 2001 00:00:00 GMT");
        check(
            2999,
            3001,
            "holds only from Tue, 01 Jan 2999 00:00:00 GMT on",
        );
        let pem = Pem::new(Some((1999, 4096)));
        assert_eq!(verdict(&pem.certificate, &pem.key), Ok(Vec::new()));
    }
}
