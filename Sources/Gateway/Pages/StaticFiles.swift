import Fleet
import FoundationEssentials
import NIOCore
import Synchronization
import Wire

/// Files that are served, read whole when their folder is first asked for. What a request names is looked up among the
/// names that were found; it never becomes a path, so it cannot lead out of the folder.
final class StaticFiles: Sendable {
    /// A folder.
    enum Folder: Int, CaseIterable, Sendable {
        /// The pages.
        case web
        /// Leaflet.
        case leaflet
        /// Chart.js.
        case chart
    }

    /// A file.
    struct File: Sendable {
        /// Its bytes.
        let content: ByteBuffer
        /// What it is.
        let contentType: String
        /// Changes when the bytes do.
        let tag: String
    }

    private struct Scan {
        var files: [String: File] = [:]
        var atMs: Int64
    }

    private let directories: [String?]
    private let limits: GatewayLimits
    private let scans = Mutex<[Int: Scan]>([:])

    init(configuration: GatewayConfiguration) {
        directories = [
            configuration.webDirectory ?? WebDirectory.besideExecutable, configuration.leafletDirectory,
            configuration.chartDirectory,
        ]
        limits = configuration.limits
    }

    /// The file of a name relative to the folder; nil when there is none.
    func file(_ name: String, in folder: Folder) -> File? {
        scans.withLock { scans in
            let now = WallClock.steadyMs()
            if let scan = scans[folder.rawValue] {
                if let file = scan.files[name] { return file }
                // It may have been installed since.
                if now - scan.atMs < Int64(limits.filesRescanMs) { return nil }
            }
            let scan = Scan(files: read(directories[folder.rawValue]), atMs: now)
            scans[folder.rawValue] = scan
            return scan.files[name]
        }
    }

    private func read(_ directory: String?) -> [String: File] {
        guard let directory, let names = try? FileManager.default.subpathsOfDirectory(atPath: directory) else {
            return [:]
        }
        var files: [String: File] = [:]
        for name in names.sorted() where files.count < limits.filesMax {
            guard let contentType = Self.contentType(of: name) else { continue }
            guard let data = FileManager.default.contents(atPath: "\(directory)/\(name)"),
                data.count <= limits.fileBytesMax
            else { continue }
            files[name] = File(
                content: ByteBuffer(bytes: data), contentType: contentType, tag: Hex.fixed(XXH64.hash(Array(data))))
        }
        return files
    }

    /// What a file is by the end of its name; nil for what pages do not load.
    private static func contentType(of name: String) -> String? {
        switch name.split(separator: ".").last {
        case "html": "text/html; charset=utf-8"
        case "js", "mjs": "text/javascript; charset=utf-8"
        case "css": "text/css; charset=utf-8"
        case "svg": "image/svg+xml"
        case "png": "image/png"
        case "ico": "image/x-icon"
        case "json", "map": "application/json"
        case "woff2": "font/woff2"
        default: nil
        }
    }
}

/// Where a build puts the pages.
enum WebDirectory {
    /// The folder beside the running executable; nil when there is none.
    static var besideExecutable: String? {
        guard let executable = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe"),
            let slash = executable.lastIndex(of: "/")
        else { return nil }
        let directory = "\(executable[..<slash])/stormo_Gateway.resources/Web"
        return FileManager.default.fileExists(atPath: directory) ? directory : nil
    }
}
