import Wire

/// Reads the members of a JSON object and keeps a list of all that are missing or wrong, so that whoever sent it can
/// mend it in one go.
struct BodyFields {
    /// The object.
    let object: JSONObject
    /// What is wrong so far.
    private(set) var errors: [FieldError] = []
    private let path: String

    /// Reads a body that must be an object.
    init(_ bytes: [UInt8]) throws(Problem) {
        let value: JSONValue
        do {
            value = try JSONValue(parsing: bytes)
        } catch { throw .malformed(error.description) }
        guard case .object(let object) = value else {
            throw .invalidBody([FieldError(field: "body", detail: "expected an object, found \(value.kind)")])
        }
        self.init(object, path: "")
    }

    /// Reads an object within a body; `path` stands before the names of its members in what is told.
    init(_ object: JSONObject, path: String) {
        self.object = object
        self.path = path
    }

    /// How many problems are told: who sends more has another one.
    private static let errorsMax = 100

    /// Notes a problem of a member.
    mutating func add(_ name: String, _ detail: String) {
        guard errors.count < Self.errorsMax else { return }
        errors.append(FieldError(field: path + name, detail: detail))
    }

    /// Notes the problems of an object within this one.
    mutating func addErrors(of fields: BodyFields) {
        errors += fields.errors.prefix(Self.errorsMax - errors.count)
    }

    /// Throws when anything was wrong.
    func check() throws(Problem) {
        if !errors.isEmpty { throw .invalidBody(errors) }
    }

    /// Whether there is a member of this name that is not null.
    func has(_ name: String) -> Bool {
        switch object[name] {
        case nil, .null: false
        default: true
        }
    }

    /// Notes every member that has none of these names.
    mutating func refuseOthers(than names: [String]) {
        for member in object.members where !names.contains(member.name) {
            add(member.name, "is not known; expected \(names.joined(separator: ", "))")
        }
    }

    /// A text that is not empty.
    mutating func text(_ name: String, bytesMax: Int = 255) -> String? {
        let text: String? = member(name, "a string") { if case .string(let text) = $0 { text } else { nil } }
        guard let text else { return nil }
        guard (1...bytesMax).contains(text.utf8.count) else {
            add(name, "expected 1 to \(bytesMax) bytes, found \(text.utf8.count)")
            return nil
        }
        return text
    }

    /// A number.
    mutating func number(_ name: String) -> Double? {
        let number: JSONNumber? = member(name, "a number") { if case .number(let number) = $0 { number } else { nil } }
        guard let double = number?.double else { return nil }
        guard double.isFinite else {
            add(name, "is beyond the range of numbers")
            return nil
        }
        return double
    }

    /// A whole number within a range.
    mutating func whole(_ name: String, _ range: ClosedRange<Int>) -> Int? {
        guard let number = number(name) else { return nil }
        guard number.rounded() == number, number >= Double(range.lowerBound), number <= Double(range.upperBound) else {
            add(name, "expected a whole number from \(range.lowerBound) to \(range.upperBound), found \(number)")
            return nil
        }
        return Int(number)
    }

    /// A moment in RFC 3339 or in seconds since 1970 (fractions too), as milliseconds since 1970.
    mutating func time(_ name: String) -> UInt64? {
        let found: UInt64? = member(name, "RFC 3339 with an offset, or seconds since 1970") {
            switch $0 {
            case .string(let text): return Timestamp.milliseconds(rfc3339: text)
            case .number(let number):
                let seconds = number.double
                return (0...253_402_300_799).contains(seconds) ? UInt64((seconds * 1_000).rounded()) : nil
            default: return nil
            }
        }
        return found
    }

    /// The elements of an array.
    mutating func elements(_ name: String) -> [JSONValue]? {
        member(name, "an array") { if case .array(let elements) = $0 { elements } else { nil } }
    }

    /// A time span in seconds (fractions too), as milliseconds within a range.
    mutating func seconds(_ name: String, msRange: ClosedRange<UInt64>) -> UInt64? {
        guard let seconds = number(name) else { return nil }
        let ms = seconds * 1_000
        guard ms >= Double(msRange.lowerBound), ms <= Double(msRange.upperBound) else {
            add(
                name,
                "expected \(msRange.lowerBound / 1_000) to \(msRange.upperBound / 1_000) seconds, found \(seconds)")
            return nil
        }
        return UInt64(ms.rounded())
    }

    /// A place: `{"lat", "lon"}` in degrees of WGS 84.
    mutating func position(_ name: String) -> (latitude: Double, longitude: Double)? {
        let object: JSONObject? = member(name, "an object with lat and lon") {
            if case .object(let object) = $0 { object } else { nil }
        }
        guard let object else { return nil }
        var fields = BodyFields(object, path: path + name + ".")
        let latitude = fields.degrees("lat", 90)
        let longitude = fields.degrees("lon", 180)
        addErrors(of: fields)
        guard let latitude, let longitude else { return nil }
        return (latitude, longitude)
    }

    private mutating func degrees(_ name: String, _ most: Double) -> Double? {
        guard let degrees = number(name) else { return nil }
        guard abs(degrees) <= most else {
            add(name, "expected -\(Int(most)) to \(Int(most)) degrees, found \(degrees)")
            return nil
        }
        return degrees
    }

    /// One of the words that a type knows.
    mutating func word<Word: RawRepresentable & CaseIterable>(_ name: String, _ type: Word.Type) -> Word?
    where Word.RawValue == String {
        guard let text = text(name) else { return nil }
        guard let word = Word(rawValue: text) else {
            let known = Word.allCases.map(\.rawValue).joined(separator: ", ")
            add(name, "expected one of \(known), found \"\(text.prefix(64))\"")
            return nil
        }
        return word
    }

    /// An array of texts.
    mutating func texts(_ name: String, most: Int) -> [String]? {
        let elements: [JSONValue]? = member(name, "an array of strings") {
            if case .array(let elements) = $0 { elements } else { nil }
        }
        guard let elements else { return nil }
        guard elements.count <= most else {
            add(name, "expected at most \(most), found \(elements.count)")
            return nil
        }
        var texts: [String] = []
        for (index, element) in elements.enumerated() {
            guard case .string(let text) = element else {
                add("\(name)[\(index)]", "expected a string, found \(element.kind)")
                continue
            }
            texts.append(text)
        }
        return texts
    }

    /// What `read` makes of a member; a problem is noted when there is none or it is of another kind.
    private mutating func member<Kind>(_ name: String, _ expected: String, _ read: (JSONValue) -> Kind?) -> Kind? {
        guard let value = object[name] else {
            add(name, "is missing; expected \(expected)")
            return nil
        }
        guard let found = read(value) else {
            add(name, "expected \(expected), found \(value.kind)")
            return nil
        }
        return found
    }
}
