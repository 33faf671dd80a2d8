/// Checks that bytes are one JSON value, without making anything of them.
struct JSONCheck: JSONBuilder {
    typealias Value = Void
    typealias Members = Void
    typealias Elements = Void

    /// Whether `bytes` are one JSON value.
    static func isValid(_ bytes: [UInt8]) -> Bool {
        do {
            try JSONParser.parse(bytes, with: JSONCheck())
            return true
        } catch { return false }
    }

    func null() {}
    func bool(_ value: Bool) {}
    func number(_ text: ArraySlice<UInt8>) {}
    func string(_ content: ArraySlice<UInt8>, hasEscapes: Bool) {}
    func beginArray() {}
    func append(_ element: Void, to elements: inout Void) {}
    func array(_ elements: Void) {}
    func beginObject() {}
    func append(_ name: ArraySlice<UInt8>, hasEscapes: Bool, _ value: Void, range: Range<Int>, to members: inout Void) {
    }
    func object(_ members: Void) {}
}
