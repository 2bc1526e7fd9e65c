//! The method of a request (RFC 3261 §7.1), with the extensions that an exchange meets.
//!
//! Methods are case-sensitive: `invite` is an unknown method, not INVITE. What a method means is
//! said where it is handled.

use std::fmt;

use super::grammar;

macro_rules! methods {
    ($($variant:ident $text:literal $doc:literal,)*) => {
        /// A request's method.
        #[derive(Debug, Clone, PartialEq, Eq, Hash)]
        pub enum Method {
            $(#[doc = $doc] $variant,)*
            /// Any other token.
            Other(Box<str>),
        }

        impl Method {
            /// The methods known by name, as an Allow header would list them.
            pub const KNOWN: &'static [Method] = &[$(Method::$variant,)*];

            /// Reads a method; `None` when `text` is no token.
            pub fn parse(text: &str) -> Option<Method> {
                match text {
                    $($text => Some(Method::$variant),)*
                    _ if grammar::is_token(text) => Some(Method::Other(text.into())),
                    _ => None,
                }
            }

            /// As it stands in the request line.
            pub fn as_str(&self) -> &str {
                match self {
                    $(Method::$variant => $text,)*
                    Method::Other(text) => text,
                }
            }
        }
    };
}

methods! {
    Invite "INVITE" "RFC 3261 §13.",
    Ack "ACK" "RFC 3261 §13, §17.",
    Bye "BYE" "RFC 3261 §15.",
    Cancel "CANCEL" "RFC 3261 §9.",
    Register "REGISTER" "RFC 3261 §10.",
    Options "OPTIONS" "RFC 3261 §11.",
    Info "INFO" "RFC 6086.",
    Prack "PRACK" "RFC 3262.",
    Update "UPDATE" "RFC 3311.",
    Refer "REFER" "RFC 3515.",
    Subscribe "SUBSCRIBE" "RFC 6665.",
    Notify "NOTIFY" "RFC 6665.",
    Message "MESSAGE" "RFC 3428.",
    Publish "PUBLISH" "RFC 3903.",
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc3261_7_1_methods_are_case_sensitive_tokens() {
        assert_eq!(Method::parse("INVITE"), Some(Method::Invite));
        assert_eq!(Method::parse("invite"), Some(Method::Other("invite".into())));
        assert_eq!(Method::parse("RE%47IST%45R").unwrap().as_str(), "RE%47IST%45R");
        assert_eq!(Method::parse("IN VITE"), None);
        assert_eq!(Method::parse(""), None);
    }
}
