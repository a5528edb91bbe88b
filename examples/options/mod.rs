//! What `--deflate` turns on, the same in each example.

use tidewire::Config;

/// The defaults, with compression if it is asked for.
pub(crate) fn config(deflates: bool) -> Result<Config, &'static str> {
    let config = Config::new();
    if !deflates {
        return Ok(config);
    }
    #[cfg(feature = "deflate")]
    return Ok(config.with_deflate(tidewire::Deflate::new()));
    #[cfg(not(feature = "deflate"))]
    Err("--deflate needs the feature `deflate`: build with `--features ...,deflate`")
}
