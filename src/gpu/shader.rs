//! WGSL from the files of `shaders/`: embedded in the library, expanded by the template engine.

use std::collections::BTreeMap;
use std::path::PathBuf;

use include_dir::{Dir, include_dir};

use crate::error::{Error, Result};

static EMBEDDED: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/shaders");

/// What a template is expanded with: tile sizes and switches, by name.
pub type Vars = BTreeMap<&'static str, i64>;

/// The shader sources and their expansions.
#[derive(Debug, Clone)]
pub struct ShaderLibrary {
    folder: Option<PathBuf>,
}

impl ShaderLibrary {
    /// The embedded sources; a file in `folder` goes before the embedded one of the same path.
    ///
    /// # Errors
    /// [`Error::Data`] where `folder` is no folder.
    pub fn new(folder: Option<PathBuf>) -> Result<Self> {
        match folder {
            Some(path) if !path.is_dir() => Err(Error::data(path, "is not a folder of shaders")),
            folder => Ok(Self { folder }),
        }
    }

    /// Whether a folder goes before the embedded sources.
    #[must_use]
    pub fn is_changed(&self) -> bool {
        self.folder.is_some()
    }

    /// Every embedded shader that has an entry point: paths below `shaders/` without their ending, sorted.
    #[must_use]
    pub fn names() -> Vec<String> {
        let mut names = Vec::new();
        collect(&EMBEDDED, &mut names);
        names.retain(|name| !name.starts_with("common/"));
        names.sort();
        names
    }

    /// The text of one file, as it stands on disk or in the library.
    ///
    /// # Errors
    /// [`Error::Shader`] where there is none, [`Error::Io`] where it cannot be read.
    pub fn source(&self, name: &str) -> Result<String> {
        if let Some(path) = self.folder.as_ref().map(|folder| folder.join(format!("{name}.wgsl")))
            && path.is_file()
        {
            return std::fs::read_to_string(&path).map_err(Error::io(&path));
        }
        let file = EMBEDDED.get_file(format!("{name}.wgsl")).and_then(|file| file.contents_utf8());
        file.map(str::to_owned).ok_or_else(|| Error::Shader { shader: name.into(), message: "no such file".into() })
    }

    /// The WGSL of a shader under `vars`.
    ///
    /// # Errors
    /// [`Error::Shader`] with the template's file and line.
    pub fn expand(&self, name: &str, vars: &Vars) -> Result<String> {
        self.expand_with(name, vars, |_, text| text)
    }

    /// The file and line a line (from 1) of the expansion came from.
    #[must_use]
    pub fn origin(&self, name: &str, vars: &Vars, line: usize) -> Option<String> {
        let marked = |file: &str, text: String| {
            // A line that is all tag leaves no line behind, and must not with its mark.
            let is_tag = |line: &str| line.trim_start().starts_with("{%") && line.trim_end().ends_with("%}");
            let lines = text.lines().enumerate().map(|(at, line)| match is_tag(line) {
                true => format!("{line}\n"),
                false => format!("{line} //@{file}.wgsl:{}\n", at + 1),
            });
            lines.collect()
        };
        let text = self.expand_with(name, vars, marked).ok()?;
        let line = text.lines().nth(line.checked_sub(1)?)?;
        line.split("//@").nth(1).map(|origin| format!("shaders/{}", origin.trim()))
    }

    fn expand_with(&self, name: &str, vars: &Vars, edit: fn(&str, String) -> String) -> Result<String> {
        let library = self.clone();
        let mut engine = minijinja::Environment::new();
        engine.set_undefined_behavior(minijinja::UndefinedBehavior::Strict);
        engine.set_keep_trailing_newline(true);
        engine.set_trim_blocks(true);
        engine.set_lstrip_blocks(true);
        engine.set_loader(move |file| match library.source(file) {
            Ok(text) => Ok(Some(edit(file, text))),
            Err(error) => Err(minijinja::Error::new(minijinja::ErrorKind::TemplateNotFound, error.to_string())),
        });
        let expanded = engine.get_template(name).and_then(|template| template.render(vars));
        expanded.map_err(|error| {
            let file = error.name().unwrap_or(name);
            let line = error.line().map_or_else(String::new, |line| format!(" line {line}"));
            Error::Shader { shader: name.into(), message: format!("{file}.wgsl{line}: {error}") }
        })
    }

    /// A digest of every source: results that depend on kernels are kept under it.
    #[must_use]
    pub fn digest(&self) -> String {
        let mut names = Vec::new();
        collect(&EMBEDDED, &mut names);
        names.sort();
        let mut hash = blake3::Hasher::new();
        for name in names {
            hash.update(name.as_bytes());
            hash.update(self.source(&name).unwrap_or_default().as_bytes());
        }
        hash.finalize().to_hex()[..16].to_owned()
    }
}

fn collect(dir: &Dir<'_>, names: &mut Vec<String>) {
    for file in dir.files() {
        if let Some(name) = file.path().to_str().and_then(|path| path.strip_suffix(".wgsl")) {
            names.push(name.replace('\\', "/"));
        }
    }
    for inner in dir.dirs() {
        collect(inner, names);
    }
}
