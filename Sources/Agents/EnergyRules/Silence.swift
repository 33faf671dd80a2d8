/// For some time nobody wants to hear of some alerts: of one floor, one type, both, or all of them.
///
/// It counts by the clock of whoever raises the alert, not by the readings' time: it says until when people want to be
/// left alone, also by what a consumer that catches up finds in old readings.
package struct Silence: Equatable, Sendable {
    /// The floor; nil for every floor.
    package var piano: Int?

    /// The alerts' type, in the contract's words; nil for every type.
    package var type: String?

    /// The moment at which it is over, ms since 1970 UTC.
    package var untilMs: Int64

    /// Why, for people.
    package var comment: String

    /// A silence with these values; nothing is checked, see ``problems(nowMs:reading:limits:)``.
    package init(piano: Int? = nil, type: String? = nil, untilMs: Int64, comment: String) {
        self.piano = piano
        self.type = type
        self.untilMs = untilMs
        self.comment = comment
    }

    /// Whether alerts of this floor and type are silenced at a moment, ms since 1970.
    package func covers(piano: Int, type: String, at nowMs: Int64) -> Bool {
        nowMs < untilMs && (self.piano == nil || self.piano == piano) && (self.type == nil || self.type == type)
    }

    /// Whether an alert that is raised at `nowMs` (ms since 1970) is silenced.
    package func covers(_ alert: Alert, at nowMs: Int64) -> Bool {
        covers(piano: alert.piano, type: alert.type.rawValue, at: nowMs)
    }

    /// Every field that cannot be accepted at `nowMs` (ms since 1970); empty when all are good. Which types there are
    /// is not known here.
    package func problems(nowMs: Int64, reading: ReadingLimits, limits: SilenceLimits) -> [FieldProblem] {
        var problems: [FieldProblem] = []
        if let piano, !reading.floors.contains(piano) {
            let range = "\(reading.floors.lowerBound) to \(reading.floors.upperBound)"
            problems.append(FieldProblem(field: "piano", reason: "expected a floor from \(range), found \(piano)"))
        }
        if untilMs <= nowMs {
            problems.append(FieldProblem(field: "until", reason: "is not in the future"))
        } else if untilMs - nowMs > limits.longestMs {
            let days = limits.longestMs / CivilTime.dayMs
            problems.append(FieldProblem(field: "until", reason: "is too far away: at most \(days) days from now"))
        }
        if comment.utf8.allSatisfy({ $0 <= UInt8(ascii: " ") }) {
            problems.append(FieldProblem(field: "comment", reason: "is empty: say why"))
        } else if comment.utf8.count > limits.commentBytesMax {
            problems.append(
                FieldProblem(
                    field: "comment",
                    reason: "expected at most \(limits.commentBytesMax) bytes, found \(comment.utf8.count)"))
        }
        return problems
    }
}
