/// The exact value of a decimal number, in the one form that equal values share: `0.digits × 10^exponent`, the digits
/// without zeros at either end, zero without digits and sign.
struct ExactDecimal: Hashable, Sendable {
    /// Below zero.
    let isNegative: Bool
    /// Digits 0 to 9, first and last not 0; empty for zero.
    let digits: [UInt8]
    /// The power of ten.
    let exponent: Int

    /// The value of a number in the grammar of JSON whose exponent has at most ``JSONLimits/exponentDigitsMax`` digits.
    init(_ text: String) {
        var digits: [UInt8] = []
        digits.reserveCapacity(text.utf8.count)
        var whole = 0
        var isNegative = false
        var written = 0
        var exponentIsNegative = false
        var part = Part.whole
        for byte in text.utf8 {
            switch (part, byte) {
            case (.whole, UInt8(ascii: "-")): isNegative = true
            case (.whole, UInt8(ascii: ".")): part = .fraction
            case (.whole, UInt8(ascii: "e")), (.whole, UInt8(ascii: "E")), (.fraction, UInt8(ascii: "e")),
                (.fraction, UInt8(ascii: "E")):
                part = .exponent
            case (.whole, _):
                digits.append(byte &- 0x30)
                whole += 1
            case (.fraction, _): digits.append(byte &- 0x30)
            case (.exponent, UInt8(ascii: "-")): exponentIsNegative = true
            case (.exponent, UInt8(ascii: "+")): break
            case (.exponent, _): written = written * 10 + Int(byte &- 0x30)
            }
        }
        let leading = digits.prefix { $0 == 0 }.count
        digits.removeFirst(leading)
        while digits.last == 0 { digits.removeLast() }
        self.digits = digits
        self.isNegative = isNegative && !digits.isEmpty
        exponent = digits.isEmpty ? 0 : (exponentIsNegative ? -written : written) + whole - leading
    }

    private enum Part { case whole, fraction, exponent }
}
