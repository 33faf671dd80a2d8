import HTTPTypes
import Hummingbird

/// The pages and what they load.
struct PageRoutes {
    let services: GatewayServices

    var routes: [Route] {
        [
            Route(.get, "/", .open) { _ in Response.redirect(to: "/dashboard", type: .found) },
            Route(.get, "/dashboard", .open) { try page("fleet.html", $0) },
            Route(.get, "/dashboard/energy", .open) { try page("energy.html", $0) },
            Route(.get, "/dashboard/cluster", .open) { try page("cluster.html", $0) },
            Route(.get, "/web/{file...}", .open) { try file(.web, $0) },
            Route(.get, "/lib/leaflet/{file...}", .open) { try file(.leaflet, $0) },
            Route(.get, "/lib/chart.js/{file...}", .open) { try file(.chart, $0) },
        ]
    }

    private func page(_ name: String, _ call: Call) throws(Problem) -> Response {
        try answer(services.files.file(name, in: .web), call, cacheControl: "no-cache")
    }

    private func file(_ folder: StaticFiles.Folder, _ call: Call) throws(Problem) -> Response {
        // The gateway's own files change with it; the libraries only when the system is updated.
        try answer(
            services.files.file(call.parameter("file"), in: folder), call,
            cacheControl: folder == .web ? "no-cache" : "public, max-age=86400")
    }

    private func answer(_ file: StaticFiles.File?, _ call: Call, cacheControl: String) throws(Problem) -> Response {
        guard let file else { throw .notFound("file", "this gateway has no such file; is its package installed?") }
        let headers: HTTPFields = [
            .contentType: file.contentType, .eTag: EntityTag.quoted(file.tag), .cacheControl: cacheControl,
        ]
        if let header = call.header(.ifNoneMatch), EntityTag.isNamed(file.tag, in: header) {
            return Response(status: .notModified, headers: headers)
        }
        return Response(status: .ok, headers: headers, body: .init(byteBuffer: file.content))
    }
}
