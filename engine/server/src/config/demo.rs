//! The demo world: what `strowger serve` runs without a configuration. Its passwords and the
//! operator's token are made once from the system's randomness and kept in the data folder, in a
//! file that only its owner may read.

use std::fs;
use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::{World, read};

/// The demo world, and what its owner needs to know to call it.
#[derive(Debug)]
pub struct Demo {
    /// The checked world.
    pub world: World,
    /// Name, extension and password of each user.
    pub users: Vec<(String, String, String)>,
    /// The operator's token.
    pub token: String,
    /// Where a softphone finds the exchange.
    pub host: String,
}

/// Users of the demo: name and extension.
const USERS: [(&str, &str); 3] = [("ana", "101"), ("boris", "102"), ("vera", "103")];

/// 62 characters to the power of 16: 95 bits.
const SECRET_LENGTH: usize = 16;

/// Makes the demo world over `data`, with the secrets of the last time if there was one. Phones
/// find it at `host`: this machine's address, or 127.0.0.1.
///
/// # Errors
/// When the secrets can be neither read nor written.
pub fn demo(data: &Path, host: IpAddr) -> io::Result<Demo> {
    let secrets = secrets(&data.join("demo-secrets"))?;
    let [token, passwords @ ..] = &secrets;
    let mut text = format!(
        r#"
[node]
data = {data:?}
[http]
token = "{token}"
[[tenant]]
name = "demo"
domains = [{domains}]
  [[tenant.group]]
  name = "all"
  members = ["ana", "boris", "vera"]
  [[tenant.script]]
  name = "mine"
  [[tenant.number]]
  number = "700"
  script = "strowger/menu"
  settings = {{ greeting = ["welcome"], menu = {{ prompts = ["demo-menu"], wrong_key = "wrong-key", choices = {{ 1 = {{ ring = {{ places = ["user:ana"], nobody = "nobody" }} }}, 2 = {{ ring = {{ places = ["user:boris"], nobody = "nobody" }} }}, 3 = {{ hand_over = {{ script = "strowger/echo" }} }} }} }} }}
  fallback = ["user:ana"]
  [[tenant.number]]
  number = "701"
  script = "strowger/ring"
  settings = {{ places = ["group:all"] }}
  fallback = ["user:ana"]
  [[tenant.number]]
  number = "702"
  script = "strowger/echo"
  [[tenant.number]]
  number = "703"
  script = "mine"
  fallback = ["user:ana"]
"#,
        data = std::path::absolute(data)?.display().to_string(),
        domains = domains(host),
    );
    for ((name, number), password) in USERS.iter().zip(passwords) {
        text.push_str(&format!(
            "  [[tenant.user]]\n  name = \"{name}\"\n  number = \"{number}\"\n  password = \"{password}\"\n"
        ));
    }
    let world = read(&[(PathBuf::from("demo.toml"), text)], &|_| None)
        .map_err(|mistakes| io::Error::new(io::ErrorKind::InvalidInput, mistakes))?;
    let users = USERS.iter().zip(passwords);
    let users =
        users.map(|((name, number), password)| (name.to_string(), number.to_string(), password.clone()));
    Ok(Demo { world, users: users.collect(), token: token.clone(), host: host.to_string() })
}

fn domains(host: IpAddr) -> String {
    let mut domains = vec!["\"127.0.0.1\"".to_owned(), "\"localhost\"".to_owned()];
    if host != IpAddr::V4(Ipv4Addr::LOCALHOST) {
        domains.push(format!("\"{host}\""));
    }
    domains.join(", ")
}

/// The token, then a password for each user.
fn secrets(file: &Path) -> io::Result<[String; 1 + USERS.len()]> {
    match fs::read_to_string(file) {
        Ok(text) => {
            let lines: Vec<String> = text.lines().map(str::to_owned).collect();
            let sound = |line: &String| {
                line.len() == SECRET_LENGTH && line.bytes().all(|b| b.is_ascii_alphanumeric())
            };
            lines.try_into().ok().filter(|lines: &[String; 4]| lines.iter().all(sound)).ok_or_else(|| {
                let what = format!("{} is damaged; remove it, and new passwords are made", file.display());
                io::Error::new(io::ErrorKind::InvalidData, what)
            })
        }
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            let mut made: [String; 1 + USERS.len()] = Default::default();
            for secret in &mut made {
                *secret = random_secret()?;
            }
            let mut out = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(file)?;
            out.write_all((made.join("\n") + "\n").as_bytes())?;
            out.sync_all()?;
            Ok(made)
        }
        Err(e) => Err(e),
    }
}

/// Letters and digits from the system's randomness; bytes that would favour some are thrown away.
fn random_secret() -> io::Result<String> {
    const LETTERS: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let mut source = fs::File::open("/dev/urandom")?;
    let mut secret = String::with_capacity(SECRET_LENGTH);
    while secret.len() < SECRET_LENGTH {
        let mut byte = [0];
        source.read_exact(&mut byte)?;
        if usize::from(byte[0]) < 4 * LETTERS.len() {
            secret.push(LETTERS[usize::from(byte[0]) % LETTERS.len()].into());
        }
    }
    Ok(secret)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn the_demo_keeps_its_passwords_and_nobody_else_may_read_them() {
        let folder = tempfile::tempdir().unwrap();
        let first = demo(folder.path(), "192.0.2.7".parse().unwrap()).unwrap();
        let again = demo(folder.path(), "192.0.2.7".parse().unwrap()).unwrap();
        assert_eq!(first.users, again.users);
        assert_eq!(first.token, again.token);
        assert_ne!(first.users[0].2, first.users[1].2);
        let mode = fs::metadata(folder.path().join("demo-secrets")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let demo = first.world.tenant_by_domain("192.0.2.7").unwrap();
        assert_eq!(&*demo.name, "demo");
        assert_eq!(demo.user("102").unwrap().name, "boris");
        assert_eq!(demo.group("all").unwrap().members, ["ana", "boris", "vera"]);
        assert_eq!(demo.number("702").unwrap().script, "strowger/echo");
    }
}
