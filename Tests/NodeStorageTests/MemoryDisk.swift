import Glibc
import Synchronization

@testable import NodeStorage

/// A disk in memory that forgets, tears and refuses.
final class MemoryDisk: JournalDisk {
    struct Slot {
        var durable: [UInt8]
        var unsynced: [(offset: Int, bytes: [UInt8])] = []

        /// With the writes that are not synced.
        var current: [UInt8] {
            var bytes = durable
            for write in unsynced { MemoryDisk.put(write.bytes, at: write.offset, in: &bytes) }
            return bytes
        }
    }

    struct State {
        var slots: [Int: Slot] = [:]
        var writes = 0
        var syncs = 0
        /// How many syncs fail from now on, and what the failing ones leave behind.
        var syncFailures = 0
        var writeFailures = 0
        var prepareFailures = 0
        var code: Int32 = EIO
    }

    let state = Mutex(State())

    init() {}

    init(_ slots: [Int: [UInt8]]) {
        state.withLock { state in
            for (number, bytes) in slots { state.slots[number] = Slot(durable: bytes) }
        }
    }

    func slots() throws(DiskError) -> [JournalSlot] {
        state.withLock { state in
            state.slots.sorted { $0.key < $1.key }.map { JournalSlot(number: $0.key, bytes: $0.value.current.count) }
        }
    }

    func prepare(_ slot: Int, bytes: Int) throws(DiskError) {
        try state.withLock { (state) throws(DiskError) in
            if state.prepareFailures > 0 {
                state.prepareFailures -= 1
                throw DiskError(operation: "write", path: name(slot), code: state.code)
            }
            state.slots[slot] = Slot(durable: [UInt8](repeating: 0, count: bytes))
        }
    }

    func write(_ slot: Int, at offset: Int, _ bytes: UnsafeRawBufferPointer) throws(DiskError) {
        let bytes = Array(bytes)
        try state.withLock { (state) throws(DiskError) in
            state.writes += 1
            if state.writeFailures > 0 {
                state.writeFailures -= 1
                throw DiskError(operation: "write", path: name(slot), code: state.code)
            }
            state.slots[slot]?.unsynced.append((offset, bytes))
        }
    }

    func sync(_ slot: Int) throws(DiskError) {
        try state.withLock { (state) throws(DiskError) in
            if state.syncFailures > 0 {
                state.syncFailures -= 1
                // As the kernel does it: the pages count as clean now and are not written by a later sync.
                state.slots[slot]?.unsynced = []
                throw DiskError(operation: "sync", path: name(slot), code: state.code)
            }
            state.syncs += 1
            guard var found = state.slots[slot] else { return }
            found.durable = found.current
            found.unsynced = []
            state.slots[slot] = found
        }
    }

    func read(_ slot: Int, at offset: Int, count: Int) throws(DiskError) -> [UInt8] {
        state.withLock { state in
            let bytes = state.slots[slot]?.current ?? []
            return Array(bytes[min(offset, bytes.count)..<min(offset + count, bytes.count)])
        }
    }

    func name(_ slot: Int) -> String { "slot \(slot)" }

    /// What is left after a loss of power: the synced bytes, and of each write that was not synced as much as `keep`
    /// says.
    func afterCrash(keep: (Int) -> Int = { _ in 0 }) -> MemoryDisk {
        MemoryDisk(
            state.withLock { state in
                state.slots.mapValues { slot in
                    var bytes = slot.durable
                    for write in slot.unsynced {
                        Self.put(Array(write.bytes.prefix(keep(write.bytes.count))), at: write.offset, in: &bytes)
                    }
                    return bytes
                }
            })
    }

    /// The bytes of all slots.
    var images: [Int: [UInt8]] { state.withLock { $0.slots.mapValues(\.current) } }

    private static func put(_ bytes: [UInt8], at offset: Int, in all: inout [UInt8]) {
        if all.count < offset + bytes.count {
            all.append(contentsOf: repeatElement(0, count: offset + bytes.count - all.count))
        }
        all.replaceSubrange(offset..<offset + bytes.count, with: bytes)
    }
}
