import Logging
import NodeCore
import NodeShell
import Wire

/// Writes one line per event to standard error: time, level, label, message, `key=value` pairs.
///
///     2026-01-31T08:15:30.250Z INFO  node: listening address=127.0.0.1:7400
struct CompactLogHandler: LogHandler {
    var metadata: Logger.Metadata = [:]
    var metadataProvider: Logger.MetadataProvider?
    var logLevel: Logger.Level
    private let label: String

    /// A handler for the logger of a label.
    init(label: String, level: Logger.Level) {
        self.label = label
        logLevel = level
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        var pairs = metadata
        if let provided = metadataProvider?.get() { pairs.merge(provided) { $1 } }
        if let own = event.metadata { pairs.merge(own) { $1 } }
        if let error = event.error { pairs["error"] = "\(error)" }
        let line = Self.line(
            timeMs: SystemClock.now.wallMs, level: event.level, label: label, message: event.message.description,
            pairs: pairs.map { ($0.key, $0.value.description) })
        // One write per line, so that lines of several threads do not mix.
        Console.errorBytes(Array(line.utf8))
    }

    /// The line of an event, with its line end. Pairs are sorted by name.
    static func line(
        timeMs: UInt64, level: Logger.Level, label: String, message: String, pairs: [(key: String, value: String)]
    ) -> String {
        var line = "\(Timestamp.rfc3339(milliseconds: timeMs)) \(name(of: level)) \(label): \(oneLine(message))"
        for pair in pairs.sorted(by: { $0.key < $1.key }) { line += " \(pair.key)=\(quoted(pair.value))" }
        return line + "\n"
    }

    private static func name(of level: Logger.Level) -> String {
        switch level {
        case .trace: "TRACE"
        case .debug: "DEBUG"
        case .info: "INFO "
        case .notice: "NOTE "
        case .warning: "WARN "
        case .error: "ERROR"
        case .critical: "FATAL"
        }
    }

    private static func oneLine(_ text: String) -> String {
        guard text.utf8.contains(where: { $0 < 0x20 }) else { return text }
        return String(text.unicodeScalars.map { $0.value < 0x20 ? " " : Character($0) })
    }

    private static func quoted(_ text: String) -> String {
        let isPlain =
            !text.isEmpty && text.utf8.allSatisfy { $0 > 0x20 && $0 != 0x22 && $0 != 0x3D && $0 != 0x5C && $0 != 0x7F }
        if isPlain { return text }
        var quoted = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": quoted += "\\\""
            case "\\": quoted += "\\\\"
            case "\n": quoted += "\\n"
            case "\t": quoted += "\\t"
            case _ where scalar.value < 0x20: quoted += "?"
            default: quoted.unicodeScalars.append(scalar)
            }
        }
        return quoted + "\""
    }
}
