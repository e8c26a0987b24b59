//! What `#[cached]` expands to: the function, which asks the cache, the function as it was written,
//! and what refreshes and invalidates a result.

use crate::{
    function::{CachedFunction, Returns},
    options::{Options, Setting, Value},
};
use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::{Attribute, Pat, Signature};

pub(crate) fn expand(function: &CachedFunction, options: &Options) -> TokenStream {
    let names = Names::of(&function.item.sig.ident);
    let parts = [
        uncached(function, &names),
        lookup(function, options, &names, Mode::Cached),
        lookup(function, options, &names, Mode::Refresh),
        invalidate(function, options, &names),
        cache(function, options, &names),
    ];
    quote!(#(#parts)*)
}

struct Names {
    function: Ident,
    uncached: Ident,
    refresh: Ident,
    invalidate: Ident,
    cache: Ident,
}

impl Names {
    fn of(function: &Ident) -> Self {
        Self {
            function: function.clone(),
            uncached: format_ident!("{function}_uncached"),
            refresh: format_ident!("{function}_refresh"),
            invalidate: format_ident!("{function}_invalidate"),
            cache: format_ident!("{function}_cache"),
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Cached,
    Refresh,
}

/// The function as it was written.
fn uncached(function: &CachedFunction, names: &Names) -> TokenStream {
    let mut item = function.item.clone();
    item.sig.ident = names.uncached.clone();
    let doc =
        format!("Does what `{}` does, and neither reads nor fills its cache.", names.function);
    item.attrs.retain(|attribute| !is_doc(attribute));
    quote!(#[doc = #doc] #[allow(dead_code)] #item)
}

/// The function that asks the cache first, or replaces what it holds.
fn lookup(function: &CachedFunction, options: &Options, names: &Names, mode: Mode) -> TokenStream {
    let (vis, attributes) = (&function.item.vis, &function.item.attrs);
    let (doc, signature, refresh) = match mode {
        Mode::Cached => (quote!(#(#attributes)*), with_name(function, &names.function), quote!()),
        Mode::Refresh => {
            let doc = format!(
                "Runs the function, and replaces the cached result of `{}`.",
                names.function
            );
            let signature = with_name(function, &names.refresh);
            (quote!(#[doc = #doc] #[allow(dead_code)]), signature, quote!(.refresh()))
        }
    };
    let (make_key, key, path) = (make_key(function, options), key(), path(function));
    let (cache, uncached) = (&names.cache, &names.uncached);
    let (get, finish) = get(function, options);
    let arguments = all_arguments(function);
    let run = awaited(function, &quote!(#path #uncached(#(#arguments),*)));
    let call = quote!(#path #cache().#get(&#key, move |#finish| async move { #run }) #refresh);
    let call = resolved(function, &call);
    let call = finished(function, options, &call);
    quote!(#doc #vis #signature { #make_key #call })
}

fn invalidate(function: &CachedFunction, options: &Options, names: &Names) -> TokenStream {
    let vis = &function.item.vis;
    let mut signature = with_name(function, &names.invalidate);
    signature.output = syn::parse_quote!(-> ::core::result::Result<(), ::larder::StoreError>);
    let (make_key, key, path) = (make_key(function, options), key(), path(function));
    let cache = &names.cache;
    let call = quote!(#path #cache().invalidate(&#key));
    let call = resolved(function, &call);
    let doc = format!("Removes the cached result of `{}` for these arguments.", names.function);
    // A template need not mention every argument.
    quote! {
        #[doc = #doc]
        #[allow(dead_code, unused_variables)]
        #vis #signature { #make_key #call }
    }
}

/// The function that returns the cache.
fn cache(function: &CachedFunction, options: &Options, names: &Names) -> TokenStream {
    let (vis, cache, value) = (&function.item.vis, &names.cache, function.result.value());
    let name = names.function.to_string();
    let settings = options.settings.iter().map(setting);
    let doc = format!("Returns the cache of `{name}`.");
    quote! {
        #[doc = #doc]
        #[allow(dead_code)]
        #vis fn #cache() -> &'static ::larder::Cache<::larder::Name, #value> {
            static CACHE: ::std::sync::LazyLock<::larder::Cache<::larder::Name, #value>> =
                ::std::sync::LazyLock::new(|| {
                    ::larder::__private::build(::larder::Cache::builder(#name) #(#settings)*)
                });
            &CACHE
        }
    }
}

fn setting(Setting { name, value }: &Setting) -> TokenStream {
    match value {
        Value::Text(text) => quote!(.#name(#text)),
        Value::Part(part) => quote!(.#name(#part)),
        Value::Entries(entries) => quote!(.near(::larder::Near::entries(#entries))),
        Value::Breaker(failures, pause) => quote!(.#name(#failures, #pause)),
    }
}

/// The statements that make the key: of the template, or of the function's name and all arguments.
fn make_key(function: &CachedFunction, options: &Options) -> TokenStream {
    let key = key();
    if let Some(template) = &options.key {
        let span = template.span();
        let template = quote_spanned!(span=> ::core::format_args!(#template));
        return quote!(let #key = ::larder::__private::name(#template););
    }
    let (name, arguments) = (function.item.sig.ident.to_string(), &function.arguments);
    let parts = arguments.iter().map(|argument| {
        quote_spanned! {argument.span()=>
            #key.push_separator();
            #key.push_part(&#argument);
        }
    });
    let mutable = (!arguments.is_empty()).then(|| quote!(mut));
    quote! {
        let #mutable #key = ::larder::__private::name(::core::format_args!(#name));
        #(#parts)*
    }
}

/// The variable that holds the key. No argument has this name, even if it is spelled so.
fn key() -> Ident {
    Ident::new("key", Span::mixed_site())
}

/// The method of the cache, and the parameter of its loader.
fn get(function: &CachedFunction, options: &Options) -> (TokenStream, TokenStream) {
    match (&function.result, gives_up(options)) {
        (Returns::Value(_), _) => (quote!(get_with), quote!()),
        (Returns::Option(_), _) => (quote!(optionally_get_with), quote!()),
        (Returns::Result(_), true) => (quote!(try_get_with), quote!(_)),
        (Returns::ResultOption(_), true) => (quote!(try_optionally_get_with), quote!(_)),
        (Returns::Result(_), false) => (quote!(__try_get_with_cloned), quote!()),
        (Returns::ResultOption(_), false) => (quote!(__try_optionally_get_with_cloned), quote!()),
    }
}

fn awaited(function: &CachedFunction, call: &TokenStream) -> TokenStream {
    let dot_await = function.is_async().then(|| quote!(.await));
    quote!(#call #dot_await)
}

/// The result of a call of the cache, which is a future.
fn resolved(function: &CachedFunction, call: &TokenStream) -> TokenStream {
    if function.is_async() { quote!(#call.await) } else { quote!(::larder::blocking::wait(#call)) }
}

/// Whether a load may end without an outcome of the function. Then its error says so.
fn gives_up(options: &Options) -> bool {
    options.find("hard_timeout").is_some() || options.find("circuit_breaker").is_some()
}

fn finished(function: &CachedFunction, options: &Options, call: &TokenStream) -> TokenStream {
    let converts = function.result.may_fail() && gives_up(options);
    let convert = converts.then(|| quote!(.map_err(::larder::__private::into_error)));
    quote!(#call #convert)
}

/// The signature under another name. Arguments that the function changes are passed on unchanged.
fn with_name(function: &CachedFunction, name: &Ident) -> Signature {
    let mut signature = function.item.sig.clone();
    signature.ident = name.clone();
    for input in &mut signature.inputs {
        if let syn::FnArg::Typed(typed) = input
            && let Pat::Ident(name) = &mut *typed.pat
        {
            name.mutability = None;
        }
    }
    signature
}

fn all_arguments(function: &CachedFunction) -> Vec<TokenStream> {
    let receiver = function.receiver.iter().map(|_| quote!(self));
    receiver.chain(function.arguments.iter().map(|argument| quote!(#argument))).collect()
}

/// What stands in front of the names of the generated functions.
fn path(function: &CachedFunction) -> TokenStream {
    match function.receiver {
        Some(_) => quote!(Self::),
        None => quote!(),
    }
}

fn is_doc(attribute: &Attribute) -> bool {
    attribute.path().is_ident("doc")
}
