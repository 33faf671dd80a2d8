/// Ids of deliveries: 26 characters that sort in the order of creation, ULID in form (48 bits of milliseconds since
/// 1970, then 80 random bits, in Crockford's base 32).
package enum DeliveryID {
    private static let alphabet = Array("0123456789ABCDEFGHJKMNPQRSTVWXYZ".utf8)

    /// Characters of the time part.
    private static let timeCharacters = 10

    /// The id of a moment and of 80 random bits.
    package static func make(timeMs: Int64, using generator: inout some RandomNumberGenerator) -> String {
        var characters = timePart(timeMs)
        let high = generator.next()
        let low = generator.next()
        for shift in stride(from: 35, through: 0, by: -5) {
            characters.append(alphabet[Int((high >> UInt64(shift)) & 31)])
        }
        for shift in stride(from: 35, through: 0, by: -5) {
            characters.append(alphabet[Int((low >> UInt64(shift)) & 31)])
        }
        return String(decoding: characters, as: UTF8.self)
    }

    /// What every id of this millisecond or later sorts at or behind, and every earlier one before.
    package static func lowerBound(timeMs: Int64) -> String {
        String(decoding: timePart(timeMs), as: UTF8.self)
    }

    /// When an id was made, milliseconds since 1970; nil for a text that is none.
    package static func timeMs(of id: String) -> Int64? {
        guard id.utf8.count == 26 else { return nil }
        var value: Int64 = 0
        for character in id.utf8.prefix(timeCharacters) {
            guard let digit = alphabet.firstIndex(of: character) else { return nil }
            value = value << 5 | Int64(digit)
        }
        return value
    }

    private static func timePart(_ timeMs: Int64) -> [UInt8] {
        let clamped = UInt64(min(max(0, timeMs), (1 << 48) - 1))
        return stride(from: (timeCharacters - 1) * 5, through: 0, by: -5).map {
            alphabet[Int((clamped >> UInt64($0)) & 31)]
        }
    }
}
