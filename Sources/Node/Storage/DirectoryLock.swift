import Glibc

/// The right to use a data directory, held while the node runs. The system takes it back when the process ends, however
/// it ends.
struct DirectoryLock: Sendable {
    private let file: PosixFile

    /// Takes the lock of a directory. Throws `inUse` when another open storage has it.
    init(directory: String) throws(StorageOpenError) {
        do throws(DiskError) {
            file = try PosixFile(directory + "/LOCK", O_RDWR | O_CREAT)
        } catch { throw .disk(error) }
        guard flock(file.descriptor, LOCK_EX | LOCK_NB) == 0 else {
            let code = errno
            file.close()
            throw code == EWOULDBLOCK
                ? .inUse(directory: directory) : .disk(DiskError(operation: "lock", path: file.path, code: code))
        }
    }

    /// Lets others have the directory.
    func release() { file.close() }
}
