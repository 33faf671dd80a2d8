/// What one reading says about each metric: the reading's values and the register's increase since the one before.
///
/// In JSON it is an array, `[timestamp ms, kw, amp, volt, dkwh or null]`, since dozens of them wait in one document.
package struct Observation: Equatable, Sendable, Codable {
    /// Time of the reading, ms since 1970 UTC.
    package let timestampMs: Int64

    /// Power, kW.
    package let kw: Double

    /// Current, A.
    package let amp: Double

    /// Voltage, V.
    package let volt: Double

    /// Increase of the register, kWh; nil for a floor's first reading and after the register went back.
    package let dkwh: Double?

    /// What `reading` says, coming after what `state` has seen.
    package init(_ reading: Reading, after state: FloorState?) {
        timestampMs = reading.timestampMs
        kw = reading.kw
        amp = reading.amp
        volt = reading.volt
        dkwh = state?.increase(to: reading.kwh)
    }

    /// The value of one metric, in its unit; nil when the reading says nothing about it.
    package subscript(metric: Metric) -> Double? {
        switch metric {
        case .kw: kw
        case .amp: amp
        case .volt: volt
        case .dkwh: dkwh
        }
    }

    /// Writes the array.
    package func encode(to encoder: any Encoder) throws {
        var values = encoder.unkeyedContainer()
        try values.encode(timestampMs)
        try values.encode(kw)
        try values.encode(amp)
        try values.encode(volt)
        if let dkwh { try values.encode(dkwh) } else { try values.encodeNil() }
    }

    /// Reads the array; a time that is no date is refused.
    package init(from decoder: any Decoder) throws {
        var values = try decoder.unkeyedContainer()
        timestampMs = try values.decode(Int64.self)
        guard timestampMs.magnitude < 1 << 53 else {
            throw DecodingError.dataCorruptedError(in: values, debugDescription: "no time: \(timestampMs) ms")
        }
        kw = try values.decode(Double.self)
        amp = try values.decode(Double.self)
        volt = try values.decode(Double.self)
        dkwh = try values.decodeNil() ? nil : try values.decode(Double.self)
    }
}
