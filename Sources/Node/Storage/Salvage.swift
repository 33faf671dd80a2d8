import NodeCore
import Wire

/// What a new database begins with.
struct DatabaseSeed: Sendable {
    /// The node's facts.
    var facts: [NodeFact: [UInt8]] = [:]
    /// The journal's use up to which nothing is to be replayed.
    var use: UInt64 = 0
}

/// The way on when the database is damaged: the node forgets its registers and logs, which the other replicas have, and
/// keeps the facts about itself, without which it could not be the same node.
enum Salvage {
    /// Puts a damaged database aside, into `damaged-<n>` of the data directory, removes the logs' files, and says what a
    /// new database begins with: all facts, those from the journal too, with `NodeFact.amnesia` and the next
    /// `NodeFact.logsLost`. It can be done again after a crash in the middle.
    ///
    /// Throws `identityLost`, and has changed nothing, when facts may be lost too.
    static func putAside(
        _ configuration: StorageConfiguration, disk: any JournalDisk
    ) throws(StorageOpenError) -> DatabaseSeed {
        let directory = configuration.directory
        var seed = try kept(configuration, disk: disk)
        do throws(DiskError) {
            let aside = try moveDatabase(directory)
            try PosixDirectory.removeTree(directory + "/logs")
            try PosixDirectory.sync(directory)
            let reason = "the database of the node was damaged; it is kept in \(aside)"
            seed.facts[.amnesia] = Array(reason.utf8)
            seed.facts[.logsLost] = LogLosses.encode(LogLosses.decode(seed.facts[.logsLost]) + 1)
            try FactsFile(facts: seed.facts, use: seed.use).store(in: directory)
        } catch { throw .disk(error) }
        return seed
    }

    // The facts as of the last entry of the journal.
    private static func kept(
        _ configuration: StorageConfiguration, disk: any JournalDisk
    ) throws(StorageOpenError) -> DatabaseSeed {
        do throws(StorageOpenError) {
            guard let file = try FactsFile.load(from: configuration.directory) else {
                throw .corrupt("\(configuration.directory)/FACTS is missing")
            }
            var facts = file.facts
            let limits = JournalLimits(
                segmentBytes: configuration.journalSegmentBytes, segmentsMax: configuration.journalSegmentsMax,
                saltSeed: 0)
            // Which of these uses were in the database is not known any more. It does no harm: their facts are in the
            // file.
            let journal = try Journal.recover(disk: disk, limits: limits, flushedUse: file.use, mayHaveGaps: true) {
                if case .fact(let fact, let value) = $0 { facts[fact] = value }
            }
            return DatabaseSeed(facts: facts, use: journal.lastUse)
        } catch {
            if case .corrupt(let what) = error { throw .identityLost(what) }
            throw error
        }
    }

    private static func moveDatabase(_ directory: String) throws(DiskError) -> String {
        let prefix = "damaged-"
        let numbers = try PosixDirectory.names(directory).compactMap { name in
            name.hasPrefix(prefix) ? Int(name.dropFirst(prefix.count)) : nil
        }
        let aside = directory + "/" + prefix + String((numbers.max() ?? 0) + 1)
        try PosixDirectory.create(aside)
        for suffix in DatabaseFiles.suffixes {
            let name = "/state.sqlite" + suffix
            guard PosixDirectory.exists(directory + name) else { continue }
            try PosixDirectory.rename(directory + name, to: aside + name)
        }
        try PosixDirectory.sync(aside)
        return aside
    }
}
