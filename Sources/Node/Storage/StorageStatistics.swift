package import Wire

extension StorageEngine {
    /// Figures of the storage, in a fixed order. Counters begin at 0 with each start; times are in microseconds.
    package var statistics: NodeStatistics {
        var items: [NodeStatistics.Item] = []
        func add(_ name: String, _ value: UInt64) {
            items.append(NodeStatistics.Item(name: "storage_" + name, value: value))
        }
        func add(_ name: String, _ value: Int) { add(name, UInt64(max(0, value))) }

        let waiting = frozen.reduce(active.entries.count) { $0 + $1.entries.count }
        // Keys that are in SQLite and were written again count twice until the background has caught up.
        add("keys_approximate", reader.keys + UInt64(waiting))
        add("cache_items", cache.count)
        add("cache_bytes", cache.bytes)
        add("cache_hits_total", cache.hits)
        add("cache_misses_total", cache.misses)
        add("cache_evictions_total", cache.evictions)
        add("journal_bytes_total", counters.journalBytes.value)
        add("journal_records_total", counters.journalRecords.value)
        add("journal_syncs_total", counters.journalSyncs.value)
        add("journal_sync_us_total", counters.journalSyncNs.value / 1_000)
        add("journal_sync_us_max", counters.journalSyncNsMax.value / 1_000)
        add("journal_failures_total", counters.journalFailures.value)
        add("journal_segment_waits_total", counters.journalWaits.value)
        add("backlog_bytes", backlogBytes)
        add("memtable_bytes", active.bytes)
        add("memtables_waiting", frozen.count)
        add("memtables_waiting_bytes", frozen.reduce(0) { $0 + $1.bytes })
        add("memtable_waits_total", memtableWaits)
        add("flushes_total", counters.flushes.value)
        add("flush_registers_total", counters.flushedRegisters.value)
        add("flush_batch_bytes_total", counters.flushedBatchBytes.value)
        add("flush_us_total", counters.flushNs.value / 1_000)
        add("flush_failures_total", counters.flushFailures.value)
        add("logs", logs.logs.count)
        add("log_bytes", logs.bytes)
        add("log_recent_bytes", logs.recentBytes)
        add("sqlite_keys", reader.keys)
        add("sqlite_bytes", counters.sqliteBytes.value)
        add("damaged", damage == nil ? 0 : 1)
        add("read_only", readOnlyReason == nil ? 0 : 1)
        return NodeStatistics(items: items)
    }
}
