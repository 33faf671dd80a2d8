import Glibc

/// The order of keys: by their bytes, as SQLite compares blobs.
enum KeyOrder {
    /// Whether `a` comes before `b`.
    @inline(__always)
    static func precedes(_ a: [UInt8], _ b: [UInt8]) -> Bool { compare(a, b) < 0 }

    /// Less than, equal to or greater than 0, as `a` comes before, is, or comes after `b`.
    @inline(__always)
    static func compare(_ a: [UInt8], _ b: [UInt8]) -> Int {
        a.withUnsafeBufferPointer { a in
            b.withUnsafeBufferPointer { b in
                let common = min(a.count, b.count)
                if common > 0, let first = a.baseAddress, let second = b.baseAddress {
                    let order = memcmp(first, second, common)
                    if order != 0 { return Int(order) }
                }
                return a.count - b.count
            }
        }
    }

    /// The ranges of keys that begin with `prefix` and come after `after`, in order. Without a prefix that asks for
    /// them, keys of the system (first byte 0) and the node's own (two bytes of 0) are left out.
    static func ranges(prefix: [UInt8], after: [UInt8]) -> [(lower: [UInt8], upper: [UInt8]?)] {
        let (lower, upper) = range(prefix: prefix, after: after)
        guard prefix == [0] else { return [(lower, upper)] }
        // The node's own stand between the key of one byte and the others of the system.
        return [(lower, [0, 0]), (precedes(lower, [0, 1]) ? [0, 1] : lower, upper)]
    }

    private static func range(prefix: [UInt8], after: [UInt8]) -> (lower: [UInt8], upper: [UInt8]?) {
        // The first key that comes after a key is that key with a zero byte behind it.
        let behind = after.isEmpty ? [] : after + [0]
        let first = prefix.isEmpty ? [1] : prefix
        var upper: [UInt8]? = prefix
        while let last = upper?.last, last == .max { upper?.removeLast() }
        if let last = upper?.popLast() { upper?.append(last + 1) } else { upper = nil }
        return (precedes(first, behind) ? behind : first, upper)
    }
}
