import NodeCore
import Wire

extension MemoryStore {
    /// Loses all registers, those of the ring among them, and all logs; the facts stay, and say so.
    package func lose(_ reason: String = "the database is damaged") {
        damaged = []
        for key in registers.keys.sorted() { _ = apply(.forget(key)) }
        loseLogs()
        _ = apply(.fact(.amnesia, Array(reason.utf8)))
        _ = sync()
    }

    /// Loses all logs, and nothing else; the facts say so.
    package func loseLogs() {
        for log in recoveredLogs() { _ = apply(.remove(log.partition)) }
        _ = apply(.fact(.logsLost, LogLosses.encode(LogLosses.decode(fact(.logsLost)) + 1)))
        _ = sync()
    }

    /// Damage as the real store finds it: by the register, and by every page that it is on.
    func expectWhole(_ keys: some Sequence<Key>) throws(StoreError) {
        guard !damaged.isEmpty, let key = keys.first(where: { damaged.contains($0) }) else { return }
        throw .corrupt("the state of key \"\(key)\" fails its checksum", key: key)
    }
}
