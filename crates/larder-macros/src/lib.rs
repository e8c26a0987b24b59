//! The attribute `#[cached]`, which is documented where it is exported: in the crate `larder`.

mod expand;
mod function;
mod options;

use proc_macro::TokenStream;

/// Caches the results of a function. See the documentation of `larder::cached`.
#[proc_macro_attribute]
pub fn cached(attribute: TokenStream, item: TokenStream) -> TokenStream {
    let options = syn::parse(attribute);
    let function = syn::parse(item);
    let expanded = options.and_then(|options| {
        let function = function::CachedFunction::new(function?, &options)?;
        Ok(expand::expand(&function, &options))
    });
    expanded.unwrap_or_else(|error| error.to_compile_error()).into()
}
