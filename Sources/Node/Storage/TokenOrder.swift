import Wire

/// The order of tokens in which registers are walked: that of the ring. SQLite's integers have a sign, so the ring is
/// cut where those begin anew.
enum TokenOrder {
    /// A token's place.
    @inline(__always)
    static func place(_ token: UInt64) -> Int64 { Int64(bitPattern: token) }

    /// The tokens from `first` around the ring to `last`, as one or two stretches of places.
    static func stretches(from first: UInt64, through last: UInt64) -> [ClosedRange<Int64>] {
        let (first, last) = (place(first), place(last))
        return first <= last ? [first...last] : [first...Int64.max, Int64.min...last]
    }
}

/// Entries of a memtable, told apart by the first bits of their keys' tokens: a walk along the ring then sorts only
/// what it comes to, and nobody pays for an order that is not asked for. Keys that are the node's own have no place in
/// it.
struct TokenBuckets: Sendable {
    private static let bits = 10
    private var buckets: [[UInt32]] = []
    private var filed = 0

    /// Takes in the entries that came since the last call.
    mutating func file(_ entries: [Memtable.Entry]) {
        guard filed < entries.count else { return }
        if buckets.isEmpty { buckets = Array(repeating: [], count: 1 << Self.bits) }
        for number in filed..<entries.count where !entries[number].key.isLocal {
            buckets[Self.bucket(of: TokenOrder.place(entries[number].key.token))].append(UInt32(number))
        }
        filed = entries.count
    }

    /// The bucket of a place.
    static func bucket(of place: Int64) -> Int { Int(place >> (64 - bits)) + 1 << (bits - 1) }

    /// The numbers of the entries in a bucket, in any order.
    subscript(_ bucket: Int) -> [UInt32] { buckets.isEmpty ? [] : buckets[bucket] }
}

/// A walk over the registers of a memtable in the order of their tokens, and of their keys where those are equal.
struct TokenCursor: MemtableWalk {
    private let entries: [Memtable.Entry]
    private let buckets: TokenBuckets
    private let end: Int64
    private var bucket: Int
    // The entries of the bucket, sorted.
    private var numbers: [UInt32] = []
    private var at = 0

    /// Stands at the first register of a stretch. All tokens of the memtable must be filed.
    init(_ table: Memtable, _ stretch: ClosedRange<Int64>) {
        entries = table.entries
        buckets = table.tokens
        end = stretch.upperBound
        bucket = TokenBuckets.bucket(of: stretch.lowerBound)
        sort()
        at = numbers.firstIndex { TokenOrder.place(entries[Int($0)].key.token) >= stretch.lowerBound } ?? numbers.count
        skipEmpty()
    }

    static func precedes(_ a: Key, _ b: Key) -> Bool {
        a.token == b.token ? KeyOrder.precedes(a.bytes, b.bytes) : TokenOrder.place(a.token) < TokenOrder.place(b.token)
    }

    var current: Memtable.Entry? { number.map { entries[$0] } }

    var key: Key? { number.map { entries[$0].key } }

    private var number: Int? {
        guard at < numbers.count else { return nil }
        let number = Int(numbers[at])
        return TokenOrder.place(entries[number].key.token) <= end ? number : nil
    }

    mutating func advance() {
        guard at < numbers.count else { return }
        at += 1
        skipEmpty()
    }

    private mutating func skipEmpty() {
        while at == numbers.count, bucket < TokenBuckets.bucket(of: end) {
            bucket += 1
            at = 0
            sort()
        }
    }

    private mutating func sort() {
        numbers = buckets[bucket]
        numbers.sort { [entries] in Self.precedes(entries[Int($0)].key, entries[Int($1)].key) }
    }
}
