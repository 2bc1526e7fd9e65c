//! Certificates for tests, made by openssl: authorities of their own, and what they issue.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

/// An authority that nobody but the test knows, with all that it has issued in a folder of its own.
#[derive(Debug)]
pub struct Authority {
    dir: TempDir,
}

/// A certificate and its key, in PEM.
#[derive(Clone, Debug)]
pub struct Issued {
    /// The certificate.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
}

impl Authority {
    /// A new one.
    #[allow(clippy::new_without_default)] // two are never the same
    pub fn new() -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let authority = Self { dir };
        authority.openssl(&[
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-days",
            "30",
            "-subj",
            "/CN=authority of a test",
            "-keyout",
            "ca-key.pem",
            "-out",
            "ca.pem",
            "-addext",
            "basicConstraints=critical,CA:TRUE",
            "-addext",
            "keyUsage=critical,keyCertSign,cRLSign",
        ]);
        authority
    }

    /// Its own certificate, for those who believe it.
    pub fn file(&self) -> PathBuf {
        self.dir.path().join("ca.pem")
    }

    /// A certificate for these alternative names, as openssl writes them: `DNS:acme.example`, `IP:127.0.0.1`,
    /// `URI:sip:acme.example`. `file` names it in the folder.
    pub fn issue(&self, file: &str, names: &[String]) -> Issued {
        self.issue_with(file, names, |request, certificate| {
            let by = ["-CA", "ca.pem", "-CAkey", "ca-key.pem", "-CAcreateserial", "-days", "30"];
            let of = ["-in", request, "-extfile", "extensions", "-out", certificate];
            self.openssl(&[&["x509", "-req"][..], &by, &of].concat());
        })
    }

    /// One that held for January 2025.
    pub fn issue_expired(&self, file: &str, names: &[String]) -> Issued {
        self.issue_with(file, names, |request, certificate| {
            let config = "[ca]\ndefault_ca = this\n[this]\ndatabase = issued.txt\nrand_serial = yes\nnew_certs_dir = .\n\
                          default_md = sha256\npolicy = any\n[any]\ncommonName = supplied\n";
            for (name, text) in [("issued.txt", ""), ("ca.cnf", config)] {
                fs::write(self.dir.path().join(name), text).expect("the test's folder can be written");
            }
            let by = ["-cert", "ca.pem", "-keyfile", "ca-key.pem"];
            let held = ["-startdate", "20250101000000Z", "-enddate", "20250201000000Z"];
            let of = ["-in", request, "-extfile", "extensions", "-out", certificate];
            self.openssl(&[&["ca", "-config", "ca.cnf", "-batch", "-notext"][..], &by, &held, &of].concat());
        })
    }

    /// Takes certificates back: the list that says so, in PEM. `file` names it in the folder.
    pub fn revoke(&self, file: &str, issued: &[&Issued]) -> PathBuf {
        let index: String = (issued.iter())
            .map(|issued| {
                let certificate = issued.certificate.display().to_string();
                let serial = self.openssl(&["x509", "-in", &certificate, "-noout", "-serial"]);
                let serial = serial.trim().trim_start_matches("serial=").to_owned();
                format!("R\t400101000000Z\t250101000000Z\t{serial}\tunknown\t/CN=nobody\n")
            })
            .collect();
        // Of the second version, which RFC 5280 §5.1.2.1 asks for.
        let config = "[ca]\ndefault_ca = this\n[this]\ndatabase = index.txt\ncrlnumber = number\ndefault_md = sha256\n\
                      default_crl_days = 30\ncrl_extensions = list\n[list]\nauthorityKeyIdentifier = keyid:always\n";
        for (name, text) in [("index.txt", index.as_str()), ("number", "01\n"), ("ca.cnf", config)] {
            fs::write(self.dir.path().join(name), text).expect("the test's folder can be written");
        }
        self.openssl(&[
            "ca",
            "-config",
            "ca.cnf",
            "-gencrl",
            "-cert",
            "ca.pem",
            "-keyfile",
            "ca-key.pem",
            "-out",
            file,
        ]);
        self.dir.path().join(file)
    }

    /// `sign` makes the certificate of the request; both are names of files.
    fn issue_with(&self, file: &str, names: &[String], sign: impl FnOnce(&str, &str)) -> Issued {
        let (key, request, certificate) =
            (format!("{file}-key.pem"), format!("{file}.csr"), format!("{file}.pem"));
        self.openssl(&[
            "req",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-subj",
            "/CN=nobody",
            "-keyout",
            &key,
            "-out",
            &request,
        ]);
        let extensions = format!(
            "basicConstraints=CA:FALSE\nextendedKeyUsage=serverAuth,clientAuth\nsubjectAltName={}\n",
            names.join(",")
        );
        fs::write(self.dir.path().join("extensions"), extensions).expect("the test's folder can be written");
        sign(&request, &certificate);
        Issued { certificate: self.dir.path().join(certificate), key: self.dir.path().join(key) }
    }

    fn openssl(&self, arguments: &[&str]) -> String {
        let done = Command::new("openssl").args(arguments).current_dir(self.dir.path()).output();
        let done = done.expect("openssl starts");
        assert!(done.status.success(), "openssl {arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8_lossy(&done.stdout).into_owned()
    }
}

impl Issued {
    /// As TOML: `certificate = "...", key = "..."` with what is between them.
    pub fn toml(&self, between: &str) -> String {
        format!("certificate = {:?}{between}key = {:?}", self.certificate, self.key)
    }

    /// Puts this one in the place of another, key first, as tools that renew certificates do.
    pub fn replace(&self, other: &Issued) {
        for (new, old) in [(&self.key, &other.key), (&self.certificate, &other.certificate)] {
            let beside = old.with_extension("new");
            fs::copy(new, &beside).and_then(|_| fs::rename(&beside, old)).expect("the file can be replaced");
        }
    }
}

/// The certificate that a server shows to whoever asks for a name, as openssl prints subject alternative names.
pub fn shown(at: &str, server_name: Option<&str>) -> String {
    let name = server_name.map_or(["-noservername", ""], |name| ["-servername", name]);
    let script = r#"openssl s_client -connect "$1" $2 $3 </dev/null 2>/dev/null | openssl x509 -noout -ext subjectAltName"#;
    let done = Command::new("sh").args(["-c", script, "sh", at, name[0], name[1]]).output();
    String::from_utf8_lossy(&done.expect("a shell starts").stdout).into_owned()
}
