//! `neuron!`: a component text compiled to native Rust.
//!
//! What lives here: reading the macro's arguments, and turning errors of the text into compiler
//! errors. Parsing, lowering and code generation are the equations crate's, the same as at run
//! time; the expansion names nothing but `<root>::equations`, where the root is `::rheobase` unless
//! given.
//!
//! What may not: any knowledge of the language.

mod arguments;

use std::path::Path;
use std::sync::Arc;

use proc_macro::TokenStream;
use proc_macro2::Span;
use rheobase_equations::emit_rust::emit;
use rheobase_equations::lower::lower;
use rheobase_equations::model::Kind;
use rheobase_equations::parse_one;

use arguments::{Arguments, Origin};

/// Compiles a neuron, written in the component language, to native code.
///
/// The argument is one string, or `file = "…"` with a path relative to the crate's manifest; the
/// crate is rebuilt when the file changes. The result is a constant expression of type
/// `NativeComponent`. Errors of the text are compiler errors with line, column and excerpt.
///
/// A crate that does not depend on `rheobase` itself names a path that has the equations crate as
/// `equations`, as here; else `neuron!("…")` is enough.
///
/// ```
/// use rheobase_equations as equations;
/// use rheobase_equations::native::NativeComponent;
/// use rheobase_equations_macros::neuron;
///
/// pub const LEAKY: NativeComponent = neuron!(
///     crate = crate,
///     "neuron leaky
///        parameter tau = 10 ms, v_th = 1
///        dv/dt = -v/tau : 1
///        input in(w : 1): v += w
///        spike when v >= v_th, reset v = 0"
/// );
/// pub const ADEX: NativeComponent = neuron!(crate = crate, file = "tests/models/adex.rheo");
///
/// fn main() {
///     assert!(LEAKY.text.starts_with("neuron leaky"));
///     assert!(ADEX.text.contains("delta_t"));
///     assert_ne!(LEAKY.fingerprint, ADEX.fingerprint);
/// }
/// ```
#[proc_macro]
pub fn neuron(input: TokenStream) -> TokenStream {
    let expanded = syn::parse::<Arguments>(input).and_then(|arguments| expand(&arguments));
    match expanded {
        Ok(tokens) => tokens.into(),
        Err(error) => error.into_compile_error().into(),
    }
}

fn expand(arguments: &Arguments) -> syn::Result<proc_macro2::TokenStream> {
    let source = Source::new(arguments)?;
    let fail = |message: String| syn::Error::new(source.span, message);
    let model =
        parse_one(&source.text, &source.name).map_err(|e| fail(without_label(&e.to_string())))?;
    if model.kind != Kind::Neuron {
        return Err(fail(format!("`{}` is no neuron", model.name)));
    }
    let component = lower(&Arc::new(model), None).map_err(|e| fail(e.to_string()))?;
    let code = emit(&component, &arguments.root, &source.expression);
    code.parse()
        .map_err(|e| fail(format!("generated code is no Rust: {e}")))
}

/// The compiler writes `error:` itself.
fn without_label(message: &str) -> String {
    message
        .strip_prefix("error: ")
        .unwrap_or(message)
        .trim_end()
        .to_owned()
}

/// The text of a component and where it is from.
struct Source {
    text: String,
    /// Shown in diagnostics.
    name: String,
    /// Rust expression that is the text.
    expression: String,
    span: Span,
}

impl Source {
    fn new(arguments: &Arguments) -> syn::Result<Self> {
        match &arguments.origin {
            Origin::Text(literal) => {
                let text = literal.value();
                let expression = format!("{text:?}");
                Ok(Self {
                    text,
                    name: "neuron!".to_owned(),
                    expression,
                    span: literal.span(),
                })
            }
            Origin::File(literal) => {
                let name = literal.value();
                let fail = |message: String| syn::Error::new(literal.span(), message);
                let root = std::env::var("CARGO_MANIFEST_DIR")
                    .map_err(|_| fail("CARGO_MANIFEST_DIR is not set".to_owned()))?;
                let path = Path::new(&root).join(&name);
                let text = std::fs::read_to_string(&path)
                    .map_err(|e| fail(format!("cannot read `{name}` beside Cargo.toml: {e}")))?;
                // Read again by the compiler, which thereby tracks the file.
                let expression = format!("include_str!({:?})", path.display().to_string());
                Ok(Self {
                    text,
                    name,
                    expression,
                    span: literal.span(),
                })
            }
        }
    }
}
