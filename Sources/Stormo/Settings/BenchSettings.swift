/// Settings of `stormo bench`.
enum BenchSettings {
    /// Operations at once.
    static let concurrency = Setting.list(
        .bench, "concurrency", default: "1,32,256", of: "1 to 4096", countMax: 16,
        "Operations in flight at once; one run for each number."
    ) { text in Int(text).flatMap { (1...4_096).contains($0) ? $0 : nil } }
    /// How long.
    static let duration = Setting.duration(
        .bench, "duration", default: "10s", in: 100...3_600_000, "How long each run measures.")
    /// Before measuring.
    static let warmUp = Setting.duration(
        .bench, "warm-up", default: "1s", in: 0...600_000, "How long each run goes before it measures.")
    /// Keys.
    static let keys = Setting.integer(
        .bench, "keys", default: 10_000, in: 1...10_000_000, unit: "keys", "Keys that are written and read in turn.")
    /// Size of values.
    static let valueBytes = Setting.integer(
        .bench, "value-bytes", default: 100, in: 1...1_048_576, unit: "bytes", "Size of the values.")
    /// Size of records.
    static let recordBytes = Setting.integer(
        .bench, "record-bytes", default: 200, in: 64...65_536, unit: "bytes", "Size of the records, which are JSON.")
    /// Records per call.
    static let batch = Setting.integer(
        .bench, "batch", default: 1, in: 1...1_000, unit: "records", "Records that one publish hands over.")
    /// Records a second.
    static let rate = Setting.list(
        .bench, "rate", default: "2000", of: "1 to 1000000", countMax: 16,
        "Records a second of `bench topic flow`; one run for each number."
    ) { text in Int(text).flatMap { (1...1_000_000).contains($0) ? $0 : nil } }
    /// Bytes of one fetch.
    static let fetchBytes = Setting.bytes(
        .bench, "fetch-bytes", default: "256KiB", in: 1_024...(8 << 20), "Bytes that one fetch asks for.")
    /// The topic.
    static let topic = Setting.text(
        .bench, "topic", default: "bench", bytesMax: 255, "Topic that records go to and come from.")
    /// Processes to watch.
    static let pids = Setting.list(
        .bench, "pids", of: "process id", countMax: 64,
        "Processes whose processor time is measured. Not given: those of the `stormo up` over --data."
    ) { text in Int32(text).flatMap { $0 > 0 ? $0 : nil } }

    /// In the order of the reference.
    static let all: [SettingDefinition] = [
        concurrency.definition, duration.definition, warmUp.definition, keys.definition, valueBytes.definition,
        recordBytes.definition, batch.definition, rate.definition, fetchBytes.definition, topic.definition,
        pids.definition,
    ]
}
