/// Equal alerts (same floor and type) within a window are one. The last one accepted is kept in a document of its own,
/// changed by compare-and-set, so that two writers cannot both be first.
struct LastAlert: Equatable, Sendable, Codable {
    /// Id of the last alert accepted.
    var id: String
    /// Its time, ms since 1970.
    var timestampMs: Int64
    /// Whether it was silenced, so that nobody has heard of it.
    var isSilenced = false

    enum CodingKeys: String, CodingKey {
        case id
        case timestampMs = "timestamp_ms"
        case isSilenced = "silenced"
    }

    /// What becomes of an alert.
    enum Decision: Equatable {
        /// It is new: take the place of the last one, then store and publish it.
        case accept
        /// It is the last one itself, raised again: store and publish what is not yet.
        case again
        /// It lies before the last one: an alert judged a second time. Publish it if it is still marked, make none.
        case complete
        /// It is the same event as the last one.
        case suppress
    }

    /// Decides about an alert, given the last one accepted.
    ///
    /// `inOrder` says that the writer raises alerts of a floor in the order of time, as a detector does: an older one
    /// is then a repetition. Reports from outside come in any order. An alert that is to be heard is not the same event
    /// as one that a silence has covered, or nobody would ever hear of it.
    static func decide(
        id: String, timestampMs: Int64, isSilenced: Bool = false, last: LastAlert?, windowMs: Int64, inOrder: Bool
    ) -> Decision {
        guard let last else { return .accept }
        if last.id == id { return .again }
        if inOrder, timestampMs < last.timestampMs { return .complete }
        if last.isSilenced, !isSilenced { return .accept }
        return abs(timestampMs - last.timestampMs) < windowMs ? .suppress : .accept
    }
}

extension LastAlert {
    /// Reads the document; one without the mark was not silenced.
    init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        id = try container.decode(String.self, forKey: .id)
        timestampMs = try container.decode(Int64.self, forKey: .timestampMs)
        isSilenced = try container.decodeIfPresent(Bool.self, forKey: .isSilenced) ?? false
    }
}
