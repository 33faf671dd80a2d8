package import FleetRules
import FoundationEssentials
import Wire

/// Why a file of orders or weights could not be used.
package struct OrderFileError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The file's path.
    package var path: String
    /// What is wrong and what to do.
    package var problem: String

    /// One line for people.
    package var description: String { "\(path): \(problem)" }
}

/// Reads recorded orders and weight percentiles from CSV files (RFC 4180 without quoted fields; the first line names
/// the columns, in any order).
package enum OrderFile {
    /// What a file held.
    package struct Contents: Sendable {
        /// The orders, in the file's order.
        package var orders: [RecordedOrder]
        /// Lines that were passed over, as `line 7: …`, at most the first ten.
        package var complaints: [String]
        /// How many lines were passed over.
        package var passedOver: Int
    }

    /// Share of the trips' ends cut off at each edge before they are laid over a city.
    private static let trimmed = 0.01

    /// Complaints that are kept as text.
    private static let complaintsMax = 10

    /// Largest file that is read whole, in bytes: a few million orders.
    private static let bytesMax = 512 << 20

    /// Reads a file of orders: `time, origin_lat, origin_lon, destination_lat, destination_lon, weight_kg` with `time`
    /// in RFC 3339 or seconds; or trips of New York taxis, which are laid over the city and given weights.
    package static func orders(
        path: String, city: City, weights: WeightTable, maxWeightKg: Double, seed: UInt64
    ) throws(OrderFileError) -> Contents {
        try orders(
            text: text(path), path: path, city: city, weights: weights, maxWeightKg: maxWeightKg, seed: seed)
    }

    /// The same for a text already read; `path` is named in errors.
    package static func orders(
        text: String, path: String, city: City, weights: WeightTable, maxWeightKg: Double, seed: UInt64
    ) throws(OrderFileError) -> Contents {
        let table = try Table(text, path: path)
        var contents =
            table.has(["pickup_longitude", "pickup_latitude", "dropoff_longitude", "dropoff_latitude"])
            ? try trips(table, city: city, weights: weights, maxWeightKg: maxWeightKg, seed: seed)
            : try recorded(table, maxWeightKg: maxWeightKg)
        guard !contents.orders.isEmpty else {
            let why = contents.complaints.first.map { ", the first complaint is \($0)" } ?? ""
            throw OrderFileError(path: path, problem: "no line holds an order\(why)")
        }
        contents.complaints = Array(contents.complaints.prefix(complaintsMax))
        return contents
    }

    /// Reads `percentile, weight_g` rows.
    package static func weights(path: String) throws(OrderFileError) -> WeightTable {
        try weights(text: text(path), path: path)
    }

    /// The same for a text already read.
    package static func weights(text: String, path: String) throws(OrderFileError) -> WeightTable {
        let table = try Table(text, path: path)
        let columns = try table.columns(["percentile", "weight_g"])
        var rows: [WeightTable.Row] = []
        for line in table.lines {
            guard let percent = line.number(columns[0]), let grams = line.number(columns[1]) else {
                throw OrderFileError(path: path, problem: "line \(line.number): expected two numbers")
            }
            rows.append(.init(percent: percent, grams: grams))
        }
        guard let weights = WeightTable(rows) else {
            throw OrderFileError(path: path, problem: "expected two rows or more, rising in percentile and in weight")
        }
        return weights
    }

    // MARK: The two kinds of file

    private static func recorded(_ table: Table, maxWeightKg: Double) throws(OrderFileError) -> Contents {
        let columns = try table.columns([
            "time", "origin_lat", "origin_lon", "destination_lat", "destination_lon", "weight_kg",
        ])
        var contents = Contents(orders: [], complaints: [], passedOver: 0)
        for line in table.lines {
            guard let timeMs = time(line.field(columns[0])) else {
                contents.passOver(line, "its time is neither RFC 3339 nor seconds")
                continue
            }
            let figures = columns.dropFirst().compactMap { line.number($0) }
            guard figures.count == 5 else {
                contents.passOver(line, "expected five numbers behind the time")
                continue
            }
            let demand = DeliveryDemand(
                origin: GeoPoint(latitude: figures[0], longitude: figures[1]),
                destination: GeoPoint(latitude: figures[2], longitude: figures[3]), weightKg: figures[4])
            guard demand.origin.isValid, demand.destination.isValid, demand.weightKg > 0 else {
                contents.passOver(line, "a place is not on the globe, or the weight is not above zero")
                continue
            }
            guard demand.weightKg <= maxWeightKg else {
                contents.passOver(line, "\(demand.weightKg) kg is more than any drone carries")
                continue
            }
            contents.orders.append(RecordedOrder(timeMs: timeMs, demand: demand))
        }
        return contents
    }

    /// Trips carry a time of day and two places; which day of the month does not matter for a day's replay.
    private static func trips(
        _ table: Table, city: City, weights: WeightTable, maxWeightKg: Double, seed: UInt64
    ) throws(OrderFileError) -> Contents {
        let columns = try table.columns([
            "hour", "minute", "pickup_latitude", "pickup_longitude", "dropoff_latitude", "dropoff_longitude",
        ])
        var contents = Contents(orders: [], complaints: [], passedOver: 0)
        var trips: [(line: Table.Line, timeMs: Int64, from: GeoPoint, to: GeoPoint)] = []
        for line in table.lines {
            let figures = columns.compactMap { line.number($0) }
            guard figures.count == 6, (0..<24).contains(figures[0]), (0..<60).contains(figures[1]) else {
                contents.passOver(line, "expected an hour, a minute and four coordinates")
                continue
            }
            trips.append(
                (
                    line, Int64(figures[0] * 60 + figures[1]) * 60_000,
                    GeoPoint(latitude: figures[2], longitude: figures[3]),
                    GeoPoint(latitude: figures[4], longitude: figures[5])
                ))
        }
        let ends = trips.flatMap { [$0.from, $0.to] }
        guard let source = CityFit.core(of: ends, trimmed: trimmed) else { return contents }
        let zones = GeoBounds(enclosing: city.zones.flatMap(\.polygon.corners)) ?? city.bounds
        let fit = CityFit(source: source, target: zones)
        var generator = SplitMix64(seed: seed)
        for trip in trips {
            // Drawn for every trip, so that one that is passed over does not change the others' weights.
            let weight = min(maxWeightKg, weights.draw(using: &generator))
            guard let origin = fit.place(trip.from), let destination = fit.place(trip.to) else {
                contents.passOver(trip.line, "the trip leads out of the city it is laid over")
                continue
            }
            contents.orders.append(
                RecordedOrder(
                    timeMs: trip.timeMs,
                    demand: DeliveryDemand(origin: origin, destination: destination, weightKg: max(0.001, weight))))
        }
        return contents
    }

    private static func time(_ text: Substring) -> Int64? {
        if let milliseconds = Timestamp.milliseconds(rfc3339: text) { return Int64(milliseconds) }
        guard let seconds = Double(text), seconds.isFinite, abs(seconds) < 1e12 else { return nil }
        return Int64((seconds * 1000).rounded())
    }

    private static func text(_ path: String) throws(OrderFileError) -> String {
        let data: Data
        do {
            data = try Data(contentsOf: URL(filePath: path))
        } catch {
            throw OrderFileError(path: path, problem: "cannot be read: \(error)")
        }
        if data.starts(with: [0x1f, 0x8b]) {
            throw OrderFileError(path: path, problem: "is compressed; unpack it with gunzip first")
        }
        guard data.count <= bytesMax else {
            throw OrderFileError(path: path, problem: "has \(data.count) bytes; at most \(bytesMax) are read, split it")
        }
        return String(decoding: data, as: UTF8.self)
    }
}

extension OrderFile.Contents {
    fileprivate mutating func passOver(_ line: Table.Line, _ why: String) {
        passedOver += 1
        if complaints.count < 10 { complaints.append("line \(line.number): \(why)") }
    }
}

/// A CSV text with named columns.
private struct Table {
    struct Line {
        /// Counted from 1, the header being 1.
        var number: Int
        var fields: [Substring]

        func field(_ column: Int) -> Substring {
            column < fields.count ? fields[column] : ""
        }

        func number(_ column: Int) -> Double? {
            Double(field(column)).flatMap { $0.isFinite ? $0 : nil }
        }
    }

    let path: String
    let names: [String]
    let lines: [Line]

    init(_ text: String, path: String) throws(OrderFileError) {
        self.path = path
        let rows = text.split(omittingEmptySubsequences: false) { $0.isNewline }.enumerated()
            .filter { row in row.element.contains { !$0.isWhitespace } }
            .map { row in Line(number: row.offset + 1, fields: Self.fields(row.element)) }
        guard let header = rows.first else { throw OrderFileError(path: path, problem: "is empty") }
        names = header.fields.map { $0.lowercased() }
        lines = Array(rows.dropFirst())
    }

    private static func fields(_ row: Substring) -> [Substring] {
        row.split(separator: ",", omittingEmptySubsequences: false).map { field in
            var field = field
            while field.first?.isWhitespace == true { field.removeFirst() }
            while field.last?.isWhitespace == true { field.removeLast() }
            return field
        }
    }

    func has(_ columns: [String]) -> Bool {
        columns.allSatisfy(names.contains)
    }

    func columns(_ wanted: [String]) throws(OrderFileError) -> [Int] {
        let found = wanted.compactMap { names.firstIndex(of: $0) }
        guard found.count == wanted.count else {
            throw OrderFileError(
                path: path,
                problem:
                    "expected the columns \(wanted.joined(separator: ", ")), found \(names.joined(separator: ", "))")
        }
        return found
    }
}
