/// Why a command's settings cannot be used. Each case prints as one line that says what to do.
enum ConfigurationError: Error, Hashable, Sendable, CustomStringConvertible {
    /// A key in the file that no setting has.
    case unknownKey(String, place: String, nearest: [String])
    /// A variable that begins with `STORMO_` and belongs to no setting.
    case unknownVariable(String, nearest: [String])
    /// A value outside of what its setting takes.
    case invalid(setting: String, value: String, expected: String, origin: String)
    /// A setting without a default that nobody gave.
    case missing(setting: String, ways: String)
    /// A file that cannot be read or understood.
    case file(path: String, problem: String)
    /// Settings that are fine by themselves and not together.
    case refused(String)

    var description: String {
        switch self {
        case .unknownKey(let key, let place, let nearest):
            "\(place): no setting is called \"\(key)\"\(Self.hint(nearest)) (docs/configuration.md lists all settings)"
        case .unknownVariable(let name, let nearest):
            "environment: no setting has the variable \(name)\(Self.hint(nearest)) (unset it, or see docs/configuration.md)"
        case .invalid(let setting, let value, let expected, let origin):
            "\(setting) is \"\(value)\" (\(origin)): expected \(expected)"
        case .missing(let setting, let ways): "\(setting) is needed: give \(ways)"
        case .file(let path, let problem): "configuration file \(path): \(problem)"
        case .refused(let reason): reason
        }
    }

    private static func hint(_ nearest: [String]) -> String {
        nearest.isEmpty ? "" : "; did you mean \(nearest.map { "\"\($0)\"" }.joined(separator: " or "))?"
    }
}
