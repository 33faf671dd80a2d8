/// A segment file of the journal as it is found on disk.
package struct JournalSlot: Hashable, Sendable {
    /// The number in its name.
    package let number: Int
    /// Its size in bytes.
    package let bytes: Int

    /// Pairs the two.
    package init(number: Int, bytes: Int) {
        self.number = number
        self.bytes = bytes
    }
}

/// What the journal needs of a disk: numbered files that are written in place. Small, so that a simulated disk can
/// lose, tear and refuse writes.
///
/// A write may reach the disk in any order with others, in part or not at all, until a `sync` of its slot has returned.
/// When a `sync` fails, nothing is known of the writes before it. All calls may come from any thread, those that touch
/// one slot from one thread at a time.
package protocol JournalDisk: Sendable {
    /// The slots that are there, by number.
    func slots() throws(DiskError) -> [JournalSlot]
    /// Creates a slot filled with zeros. When this returns it is durable; after a crash it is there as a whole or not.
    func prepare(_ slot: Int, bytes: Int) throws(DiskError)
    /// Writes into a slot. Behind its end the slot grows.
    func write(_ slot: Int, at offset: Int, _ bytes: UnsafeRawBufferPointer) throws(DiskError)
    /// Makes what was written into a slot durable.
    func sync(_ slot: Int) throws(DiskError)
    /// Up to `count` bytes of a slot from `offset`; fewer at its end.
    func read(_ slot: Int, at offset: Int, count: Int) throws(DiskError) -> [UInt8]
    /// The slot's name for messages.
    func name(_ slot: Int) -> String
}
