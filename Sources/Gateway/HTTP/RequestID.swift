import Synchronization

/// Ids of requests: those that clients send, and our own for the others.
final class RequestIDs: Sendable {
    private let prefix: String
    private let last = Atomic<UInt64>(0)

    init() {
        prefix = String(UInt32.random(in: .min ... .max), radix: 36)
    }

    /// The id that a request brought, when it can be taken over; else a new one.
    func id(for sent: String?, bytesMax: Int) -> String {
        if let sent, (1...bytesMax).contains(sent.utf8.count), sent.utf8.allSatisfy(Self.isPlain) { return sent }
        return "\(prefix)-\(String(last.add(1, ordering: .relaxed).newValue, radix: 36))"
    }

    /// Letters, digits and the marks that ids are made of: nothing that could break a header, a log line or a page.
    private static func isPlain(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
        default: "-_.:/+=@".utf8.contains(byte)
        }
    }

    /// Whether a `traceparent` header is one (W3C Trace Context, version 00): `00-{32 hex}-{16 hex}-{2 hex}`.
    static func isTraceParent(_ text: String) -> Bool {
        let parts = text.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count == 4, zip(parts, [2, 32, 16, 2]).allSatisfy({ $0.utf8.count == $1 }), parts[0] != "ff" else {
            return false
        }
        let isHex = parts.allSatisfy {
            $0.utf8.allSatisfy { JSONText.hexDigit($0) != nil && !(0x41...0x46).contains($0) }
        }
        return isHex && parts[1].contains { $0 != "0" } && parts[2].contains { $0 != "0" }
    }
}
