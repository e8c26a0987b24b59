//! The function under the attribute: what of it the expansion needs, and what cannot be cached.

use crate::options::{Options, attribute_span};
use proc_macro2::Ident;
use syn::{
    Error, FnArg, GenericArgument, GenericParam, ItemFn, Pat, PathArguments, Receiver, Result,
    ReturnType, Type,
};

/// See the [module](self).
pub(crate) struct CachedFunction {
    pub(crate) item: ItemFn,
    pub(crate) receiver: Option<Receiver>,
    /// The names of the arguments, without `self`.
    pub(crate) arguments: Vec<Ident>,
    pub(crate) result: Returns,
}

/// What the function returns.
pub(crate) enum Returns {
    Value(Box<Type>),
    Option(Box<Type>),
    Result(Box<Type>),
    ResultOption(Box<Type>),
}

impl CachedFunction {
    pub(crate) fn new(item: ItemFn, options: &Options) -> Result<Self> {
        check_generics(&item)?;
        let receiver = receiver(&item)?;
        if receiver.is_some() && options.key.is_none() {
            return Err(Error::new(attribute_span(), METHOD_KEY));
        }
        let arguments = arguments(&item)?;
        let result = Returns::of(&item.sig.output)?;
        let function = Self { item, receiver, arguments, result };
        function.check_options(options)?;
        Ok(function)
    }

    pub(crate) fn is_async(&self) -> bool {
        self.item.sig.asyncness.is_some()
    }

    fn check_options(&self, options: &Options) -> Result<()> {
        let refuse = |name: &str, message: &str| match options.find(name) {
            Some(name) => Err(Error::new(name.span(), message)),
            None => Ok(()),
        };
        if !self.result.may_fail() {
            for name in ["stale_if_error", "hard_timeout", "circuit_breaker"] {
                refuse(name, "only a function that returns a `Result` can fail")?;
            }
        }
        if !self.result.may_be_absent() {
            refuse("negative_ttl", "only a function that returns an `Option` can have no value")?;
        }
        if !self.is_async() {
            for name in ["soft_timeout", "hard_timeout"] {
                refuse(name, "a function that is not `async` cannot be interrupted")?;
            }
        }
        Ok(())
    }
}

const METHOD_KEY: &str = "one cache is shared by all instances of the type: say with `key` what \
     tells their results apart, such as key = \"profile:{id}\"";

fn check_generics(item: &ItemFn) -> Result<()> {
    let generics = &item.sig.generics;
    let by_type = |param: &&GenericParam| !matches!(param, GenericParam::Lifetime(_));
    match generics.params.iter().find(by_type) {
        Some(param) => Err(Error::new_spanned(
            param,
            "a cached function cannot be generic: its cache holds values of one type; write a \
             cached function for each type that calls the generic one",
        )),
        None => Ok(()),
    }
}

fn receiver(item: &ItemFn) -> Result<Option<Receiver>> {
    let Some(FnArg::Receiver(receiver)) = item.sig.inputs.first() else { return Ok(None) };
    match receiver.reference {
        Some(_) if receiver.mutability.is_none() => Ok(Some(receiver.clone())),
        _ => Err(Error::new_spanned(
            receiver,
            "a cached method takes `&self`: a hit does not run it, so it must change nothing",
        )),
    }
}

fn arguments(item: &ItemFn) -> Result<Vec<Ident>> {
    let typed = item.sig.inputs.iter().filter_map(|argument| match argument {
        FnArg::Typed(typed) => Some(typed),
        FnArg::Receiver(_) => None,
    });
    typed
        .map(|typed| match (&*typed.pat, &*typed.ty) {
            (_, Type::Reference(reference)) if reference.mutability.is_some() => {
                Err(Error::new_spanned(
                    reference,
                    "a cached function cannot change its arguments: a hit does not run it",
                ))
            }
            (Pat::Ident(name), _) if name.subpat.is_none() && name.by_ref.is_none() => {
                Ok(name.ident.clone())
            }
            (pattern, _) => Err(Error::new_spanned(
                pattern,
                "give the argument a name, and take it apart in the body",
            )),
        })
        .collect()
}

impl Returns {
    fn of(output: &ReturnType) -> Result<Self> {
        let ReturnType::Type(_, of) = output else {
            return Err(Error::new(
                attribute_span(),
                "there is nothing to cache: the function \
                 returns no value",
            ));
        };
        if let Some(arguments) = arguments_of(of, "Result") {
            let [value, _] = arguments[..] else {
                return Err(Error::new_spanned(
                    of,
                    "write the type of the error: `Result<T, E>`. It must be `Clone`, since all \
                     callers that waited for the result get it",
                ));
            };
            return Ok(match arguments_of(value, "Option").as_deref() {
                Some([value]) => Self::ResultOption(owned(value)?),
                _ => Self::Result(owned(value)?),
            });
        }
        Ok(match arguments_of(of, "Option").as_deref() {
            Some([value]) => Self::Option(owned(value)?),
            _ => Self::Value(owned(of)?),
        })
    }

    pub(crate) fn value(&self) -> &Type {
        match self {
            Self::Value(of) | Self::Option(of) | Self::Result(of) | Self::ResultOption(of) => of,
        }
    }

    pub(crate) fn may_fail(&self) -> bool {
        matches!(self, Self::Result(_) | Self::ResultOption(_))
    }

    fn may_be_absent(&self) -> bool {
        matches!(self, Self::Option(_) | Self::ResultOption(_))
    }
}

/// Returns the type arguments of `of`, if it is a path to `name`.
fn arguments_of<'a>(of: &'a Type, name: &str) -> Option<Vec<&'a Type>> {
    let Type::Path(path) = of else { return None };
    let last = path.path.segments.last().filter(|last| last.ident == name)?;
    let PathArguments::AngleBracketed(arguments) = &last.arguments else {
        return Some(Vec::new());
    };
    let types = arguments.args.iter().filter_map(|argument| match argument {
        GenericArgument::Type(of) => Some(of),
        _ => None,
    });
    Some(types.collect())
}

/// Returns the type, unless it borrows from the arguments.
fn owned(of: &Type) -> Result<Box<Type>> {
    match of {
        Type::Reference(reference)
            if reference.lifetime.as_ref().is_none_or(|lifetime| lifetime.ident != "static") =>
        {
            Err(Error::new_spanned(
                reference,
                "a cached value outlives the call, so it cannot borrow: return a `String` for a \
                 `&str`, or an `Arc<T>` for a `&T`",
            ))
        }
        Type::ImplTrait(of) => Err(Error::new_spanned(
            of,
            "name the type: a cache holds values of one type that can be written down",
        )),
        _ => Ok(Box::new(of.clone())),
    }
}
