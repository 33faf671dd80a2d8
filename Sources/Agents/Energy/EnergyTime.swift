import FoundationEssentials
import Wire

/// Times as the energy documents have them: milliseconds since 1970 inside, RFC 3339 outside.
package enum EnergyTime {
    /// This host's clock, ms since 1970.
    package static func nowMs() -> Int64 {
        Int64((Date().timeIntervalSince1970 * 1_000).rounded(.down))
    }

    /// RFC 3339 in UTC with milliseconds.
    package static func text(_ milliseconds: Int64) -> String {
        Timestamp.rfc3339(milliseconds: UInt64(clamping: milliseconds))
    }

    /// Milliseconds since 1970 of an RFC 3339 text, nil when it is none.
    package static func milliseconds(_ text: some StringProtocol) -> Int64? {
        Timestamp.milliseconds(rfc3339: text).map { Int64(clamping: $0) }
    }
}
