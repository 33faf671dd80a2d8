package import EnergyRules
import FoundationEssentials

/// Where the simulator's readings come from.
package enum SensorSource: Sendable {
    /// Synthetic meters.
    case synthetic
    /// A meter file: ``MeterReplay`` tells how it is given to the floors.
    case replay(MeterSeries, speed: Double, stamps: ReplayStamps)

    /// Reads a meter file for a replay. The error says what is wrong with the file; single bad lines are in
    /// ``MeterSeries/lines``.
    package static func meterFile(
        path: String, settings: ReplaySettings = ReplaySettings(), limits: ReadingLimits = ReadingLimits()
    ) throws -> MeterSeries {
        let data: Data
        do {
            data = try Data(contentsOf: URL(fileURLWithPath: path))
        } catch {
            throw MeterFileUnreadable(path: path, reason: "\(error)")
        }
        if data.starts(with: [0x1F, 0x8B]) {
            throw MeterFileUnreadable(path: path, reason: "it is compressed: unpack it with gunzip first")
        }
        return try MeterSeries(
            text: String(decoding: data, as: UTF8.self), settings: settings, limits: limits,
            parseTimestamp: { EnergyTime.milliseconds($0) })
    }
}

/// A meter file that could not be read at all.
package struct MeterFileUnreadable: Error, CustomStringConvertible {
    /// The file.
    package let path: String
    /// What the system said.
    package let reason: String

    /// One line for people.
    package var description: String { "cannot read the meter file \(path): \(reason)" }
}

/// Synthetic meters or a replay, as the simulator's loop sees them.
enum RunningSource: Sendable {
    case synthetic(MeterSimulator<SystemRandomNumberGenerator>)
    case replay(MeterReplay)

    /// When the next reading is due, ms since 1970; nil when there will be none any more.
    var nextDueMs: Int64? {
        switch self {
        case .synthetic(let simulator): simulator.nextDueMs
        case .replay(let replay): replay.nextDueMs
        }
    }

    /// Whether readings may be made later than they are due. A file is read on when there is room; meters go on
    /// measuring while the cluster is away.
    var waitsForRoom: Bool {
        switch self {
        case .synthetic: false
        case .replay: true
        }
    }

    mutating func handle(nowMs: Int64) -> [Reading] {
        switch self {
        case .synthetic(var simulator):
            let readings = simulator.handle(nowMs: nowMs)
            self = .synthetic(simulator)
            return readings
        case .replay(var replay):
            let readings = replay.handle(nowMs: nowMs)
            self = .replay(replay)
            return readings
        }
    }
}
