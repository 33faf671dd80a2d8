/// Where the next page of a listing begins, as an opaque text. It names the listing that it is for, so that the cursor
/// of another listing is refused instead of misread.
enum PageCursor {
    /// The listings that page.
    enum Listing: UInt8, CaseIterable {
        case keys = 1
        case drones = 2
        case deliveries = 3
        case floors = 4
        case topics = 5
        case groups = 6
    }

    /// The cursor of a place.
    static func text(_ listing: Listing, _ place: [UInt8]) -> String { Base64URL.encode([listing.rawValue] + place) }

    /// The place of a request's cursor; nil when it has none.
    static func place(_ listing: Listing, in query: Query) throws(Problem) -> [UInt8]? {
        guard let text = query["cursor"], !text.isEmpty else { return nil }
        guard text.utf8.count <= 1_024, let bytes = Base64URL.decode(text), bytes.first == listing.rawValue,
            bytes.count > 1
        else { throw .invalidParameter("cursor", "expected the next_cursor of the page before") }
        return Array(bytes.dropFirst())
    }
}
