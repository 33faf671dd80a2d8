/// Why a text is not JSON, and where.
struct JSONError: Error, Sendable, Hashable, CustomStringConvertible {
    /// How many bytes into the text.
    let offset: Int
    /// What was expected or found there.
    let reason: String

    /// One line for people.
    var description: String { "\(reason) at byte \(offset)" }
}
