/// The measured quantities that limits and baselines are about. The raw values are the contract's words.
package enum Metric: String, CaseIterable, Codable, Sendable {
    /// Active power, kW.
    case kw
    /// Current, A.
    case amp
    /// Voltage, V.
    case volt
    /// Increase of the register from one reading to the next, kWh.
    case dkwh
}
