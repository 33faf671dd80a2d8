import Glibc

/// The errors of `bind` that have a message of their own.
enum ListeningErrno {
    /// Somebody listens there already.
    static let addressInUse = EADDRINUSE
    /// The port is reserved.
    static let notPermitted = EACCES
    /// The host has no such address.
    static let noSuchAddress = EADDRNOTAVAIL
}
