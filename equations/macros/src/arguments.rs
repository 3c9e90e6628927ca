//! The arguments of `neuron!`.

use quote::ToTokens;
use syn::parse::{Parse, ParseStream};
use syn::{Ident, LitStr, Path, Token};

/// `[crate = path,] "text"` or `[crate = path,] file = "path"`.
pub(crate) struct Arguments {
    /// Path that has the equations crate as `equations`.
    pub(crate) root: String,
    pub(crate) origin: Origin,
}

/// Where the text is.
pub(crate) enum Origin {
    Text(LitStr),
    File(LitStr),
}

const EXPECTED: &str = "expected a string with a component, or `file = \"path\"`";

impl Parse for Arguments {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let root = if input.peek(Token![crate]) && input.peek2(Token![=]) {
            input.parse::<Token![crate]>()?;
            input.parse::<Token![=]>()?;
            let path: Path = input.parse()?;
            input.parse::<Token![,]>()?;
            path.to_token_stream().to_string()
        } else {
            "::rheobase".to_owned()
        };
        let origin = if input.peek(LitStr) {
            Origin::Text(input.parse()?)
        } else {
            let key: Ident = input
                .parse()
                .map_err(|e| syn::Error::new(e.span(), EXPECTED))?;
            if key != "file" {
                return Err(syn::Error::new(key.span(), EXPECTED));
            }
            input.parse::<Token![=]>()?;
            Origin::File(input.parse()?)
        };
        input.parse::<Option<Token![,]>>()?;
        if !input.is_empty() {
            return Err(input.error("expected nothing after the component"));
        }
        Ok(Self { root, origin })
    }
}
