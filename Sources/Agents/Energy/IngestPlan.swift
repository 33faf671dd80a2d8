import EnergyRules

/// What is to be written for a batch of records: decided at once, without looking at the cluster.
struct IngestPlan: Equatable {
    /// A record that is no reading.
    struct DeadRecord: Equatable {
        /// Its place in the batch.
        let index: Int
        /// Every bad field, or why it is no JSON.
        let reason: String
    }

    /// Readings in the order they came, without those that come again later in the batch with the same floor and time:
    /// they would be the same key.
    private(set) var readings: [Reading] = []

    /// The newest reading of each floor, in the order in which the floors first came.
    private(set) var newest: [Reading] = []

    /// What is not a reading.
    private(set) var dead: [DeadRecord] = []

    /// Readings that came twice in the batch.
    private(set) var duplicates = 0

    /// Decides about the values of a batch of records.
    init(values: [[UInt8]], nowMs: Int64, limits: ReadingLimits) {
        struct Moment: Hashable {
            let piano: Int
            let timestampMs: Int64
        }
        var placeOfMoment: [Moment: Int] = [:]
        var placeOfFloor: [Int: Int] = [:]
        for (index, value) in values.enumerated() {
            do throws(EnergyInputError) {
                let reading = try Self.reading(value, nowMs: nowMs, limits: limits)
                let moment = Moment(piano: reading.piano, timestampMs: reading.timestampMs)
                if let place = placeOfMoment[moment] {
                    readings[place] = reading
                    duplicates += 1
                } else {
                    placeOfMoment[moment] = readings.count
                    readings.append(reading)
                }
                if let place = placeOfFloor[reading.piano] {
                    if reading.timestampMs >= newest[place].timestampMs { newest[place] = reading }
                } else {
                    placeOfFloor[reading.piano] = newest.count
                    newest.append(reading)
                }
            } catch {
                dead.append(DeadRecord(index: index, reason: error.description))
            }
        }
    }

    /// The reading in a record's value.
    static func reading(_ value: [UInt8], nowMs: Int64, limits: ReadingLimits) throws(EnergyInputError) -> Reading {
        let input = try EnergyJSON.decode(ReadingInput.self, value)
        let problems = input.problems + (input.reading?.problems(nowMs: nowMs, limits: limits) ?? [])
        guard let reading = input.reading, problems.isEmpty else { throw .invalid(problems) }
        return reading
    }
}
