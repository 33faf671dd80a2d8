/// One field of a document that cannot be accepted, and why.
///
/// Validation collects all of them, so that whoever sent the document can mend it in one go.
package struct FieldProblem: Equatable, Sendable, CustomStringConvertible {
    /// The field's name as it stands in the JSON, with the path to it: `sensore2_kw`, `per_floor.3.volt_min`.
    package let field: String

    /// What was expected and what was found.
    package let reason: String

    /// A problem of `field`.
    package init(field: String, reason: String) {
        self.field = field
        self.reason = reason
    }

    /// `field: reason`.
    package var description: String { "\(field): \(reason)" }

    /// Nil when `value` is a number within `range`, else the problem that `field` has.
    static func ofNumber(_ value: Double, in range: ClosedRange<Double>, field: String, unit: String) -> FieldProblem? {
        guard value.isFinite else {
            return FieldProblem(field: field, reason: "expected a finite number of \(unit), found \(value)")
        }
        guard range.contains(value) else {
            return FieldProblem(
                field: field,
                reason: "expected \(range.lowerBound) to \(range.upperBound) \(unit), found \(value)")
        }
        return nil
    }
}
