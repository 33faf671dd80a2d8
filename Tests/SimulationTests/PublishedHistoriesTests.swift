import Foundation
import Testing

/// The search for an order must come to the known verdicts of histories that others have published.
@Suite struct PublishedHistoriesTests {
    private static let shipped = Fixtures.folder.appending(path: "published")

    @Test(arguments: try PublishedHistories.entries(of: shipped))
    func theVerdictIsTheKnownOne(entry: PublishedHistories.Entry) throws {
        #expect(try PublishedHistories.verdict(entry) == entry.isLinearizable)
    }

    /// `STORMO_HISTORIES` names a folder with more of them.
    @Test func allVerdictsOfAFolderAreTheKnownOnes() throws {
        guard let folder = ProcessInfo.processInfo.environment["STORMO_HISTORIES"] else { return }
        var agreed = 0
        for entry in try PublishedHistories.entries(of: URL(filePath: folder)) {
            let verdict = try PublishedHistories.verdict(entry)
            #expect(verdict == entry.isLinearizable, "\(entry.path)")
            if verdict == entry.isLinearizable { agreed += 1 }
        }
        print("\(agreed) verdicts of \(folder) agree")
        #expect(agreed > 0)
    }
}

/// Files that belong to the tests.
enum Fixtures {
    static let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Fixtures")
}
