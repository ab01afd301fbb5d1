//! WAS's configuration, from the environment.

use std::time::Duration;

use super::WasError;

/// How WAS runs.
#[derive(Debug, Clone)]
pub struct Config {
    /// TCP port to serve on; `PORT`, 8080.
    pub port: u16,
    /// Where items are kept; `MYSQL_HOST` and its related variables. Without a database, readiness does not depend on one.
    pub database: Option<Database>,
    /// Name given in answers; `POD_NAME`, else `HOSTNAME`.
    pub pod: String,
    /// Version given in answers; `VERSION`, else the program's.
    pub version: String,
    /// How long connections are still accepted after the server was told to stop; 2 seconds.
    pub drain: Duration,
}

/// A MySQL database.
#[derive(Clone)]
pub struct Database {
    /// Host name or address; `MYSQL_HOST`.
    pub host: String,
    /// TCP port; `MYSQL_PORT`, 3306.
    pub port: u16,
    /// Account; `MYSQL_USER`, `root`.
    pub user: String,
    /// Its password; `MYSQL_PASSWORD`, or the content of the file `MYSQL_PASSWORD_FILE`, without the newline at its end.
    pub password: String,
    /// Database name; `MYSQL_DATABASE`, `board`.
    pub name: String,
}

impl std::fmt::Debug for Database {
    /// Writes everything except the password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}@{}:{}/{}", self.user, self.host, self.port, self.name)
    }
}

impl Config {
    /// Reads the process's environment; an empty variable counts as absent.
    pub fn from_env() -> Result<Self, WasError> {
        Self::from_lookup(|name| std::env::var(name).ok())
    }

    fn from_lookup(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, WasError> {
        let get = |name: &str| lookup(name).filter(|value| !value.is_empty());
        let port = |name: &'static str, default: u16| match get(name) {
            Some(value) => {
                value.parse().map_err(|_| WasError::Setting { name, value, expected: "a port number from 1 to 65535" })
            }
            None => Ok(default),
        };
        let password = match (get("MYSQL_PASSWORD"), get("MYSQL_PASSWORD_FILE")) {
            (Some(password), _) => password,
            (None, Some(path)) => match std::fs::read_to_string(&path) {
                Ok(text) => text.trim_end_matches(['\r', '\n']).to_owned(),
                Err(source) => return Err(WasError::PasswordFile { path, source }),
            },
            (None, None) => String::new(),
        };
        let database = match get("MYSQL_HOST") {
            Some(host) => Some(Database {
                host,
                port: port("MYSQL_PORT", 3306)?,
                user: get("MYSQL_USER").unwrap_or_else(|| "root".into()),
                password,
                name: get("MYSQL_DATABASE").unwrap_or_else(|| "board".into()),
            }),
            None => None,
        };
        Ok(Config {
            port: port("PORT", 8080)?,
            database,
            pod: get("POD_NAME").or_else(|| get("HOSTNAME")).unwrap_or_else(|| "unknown".into()),
            version: get("VERSION").unwrap_or_else(|| env!("CARGO_PKG_VERSION").into()),
            drain: Duration::from_secs(2),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(pairs: &[(&str, &str)]) -> Result<Config, WasError> {
        Config::from_lookup(|name| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned()))
    }

    #[test]
    fn defaults_need_no_environment() -> Result<(), WasError> {
        let config = config(&[("POD_NAME", ""), ("HOSTNAME", "was-1")])?;
        assert_eq!((config.port, config.pod.as_str(), config.database.is_none()), (8080, "was-1", true));
        Ok(())
    }

    #[test]
    fn the_password_comes_from_a_file_and_never_shows() -> Result<(), Box<dyn std::error::Error>> {
        let file = tempfile::NamedTempFile::new()?;
        std::fs::write(file.path(), "s3cret\n")?;
        let path = file.path().to_string_lossy().into_owned();
        let config = config(&[("MYSQL_HOST", "db"), ("MYSQL_USER", "app"), ("MYSQL_PASSWORD_FILE", &path)])?;
        assert_eq!(format!("{:?}", config.database), "Some(app@db:3306/board)");
        assert_eq!(config.database.map(|database| database.password).as_deref(), Some("s3cret"));
        Ok(())
    }

    #[test]
    fn a_wrong_port_and_a_missing_file_are_named() {
        let wrong = config(&[("PORT", "70000")]).map(|_| ()).map_err(|error| error.to_string());
        assert_eq!(wrong, Err("PORT is `70000`, expected a port number from 1 to 65535".into()));
        let missing =
            config(&[("MYSQL_HOST", "db"), ("MYSQL_PASSWORD_FILE", "/nowhere")]).map(|_| ()).map_err(|error| error.to_string());
        assert_eq!(missing, Err("cannot read the password file /nowhere".into()));
    }
}
