/// Why a data directory could not be opened. Nothing in it was changed.
package enum StorageOpenError: Error, Hashable, Sendable, CustomStringConvertible {
    /// A setting makes no sense.
    case configuration(String)
    /// Another process has the directory open.
    case inUse(directory: String)
    /// The directory belongs to another node or cluster.
    case foreign(directory: String, what: String, found: String, expected: String)
    /// Written by a version of the format that this program does not know.
    case unknownVersion(file: String, found: UInt64, known: UInt64)
    /// What is on disk fails its checksum or its form.
    case corrupt(String)
    /// What is on disk is damaged, and so is, or may be, what the node must know about itself to go on without it.
    case identityLost(String)
    /// The disk failed, or there is no room or no permission.
    case disk(DiskError)
    /// SQLite could not open or read its file.
    case database(String)
    /// The operating system gave no thread.
    case thread(code: Int32)

    /// One line: what was found, what was expected, what to do.
    package var description: String {
        switch self {
        case .configuration(let what): "the storage settings are wrong: \(what)"
        case .inUse(let directory):
            "directory \(directory) is in use by another stormo node; stop it or choose another data directory"
        case .foreign(let directory, let what, let found, let expected):
            "directory \(directory) belongs to \(what) \"\(found)\" and not to \"\(expected)\"; choose another data directory"
        case .unknownVersion(let file, let found, let known):
            "\(file) has format version \(found), this program knows \(known); start the version that wrote it"
        case .corrupt(let what):
            "stored data is damaged: \(what); the node can go on without it and fetch it from the other replicas"
        case .identityLost(let what):
            "stored data is damaged beyond what the node can go on from: \(what); put the directory aside and start with "
                + "an empty one, as a replacement of this node"
        case .disk(let error): "the data directory cannot be used: \(error)"
        case .database(let what): "the database cannot be used: \(what)"
        case .thread(let code): "no thread for the storage: error \(code); raise the limit of threads"
        }
    }
}
