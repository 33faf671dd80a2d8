import NodeCore
import Simulation
import Testing
import Wire

/// A primary that cannot go on gives the reign to one that can.
@Suite struct ResigningTests {
    @Test func aPrimaryWhoseDiskIsFullResigns() throws {
        let scene = try TopicScene()
        try scene.publish(["a"])
        let primary = try #require(scene.primary)
        scene.cluster.stores[primary].readOnlyReason = "no room"
        #expect(
            scene.cluster.run(forMs: 5_000) { (scene.primary ?? primary) != primary },
            "\(scene.cluster.notes.suffix(5))")
        #expect(try scene.publish(["b"]) == 1)
        #expect(try scene.fetched(from: 0)?.values == ["a", "b"])
    }

    @Test func aNamedPrimaryThatLostItsLogNamesAnother() throws {
        let scene = try TopicScene()
        try scene.publish(["a"])
        let primary = try #require(scene.primary)
        scene.cluster.crash(primary)
        scene.cluster.stores[primary].lose()
        _ = scene.cluster.stores[primary].sync()
        scene.cluster.restart(primary)
        #expect(try scene.publish(["b"]) == 1)
        #expect(try scene.fetched(from: 0)?.values == ["a", "b"])
        // It catches up and belongs to the set again, under another identity.
        #expect(
            scene.cluster.run(forMs: 10_000) {
                scene.cluster.stores[primary].allBatches(scene.partition).map(\.baseOffset) == [0, 1]
            })
    }

    @Test func theReignReturnsToWhomItIsMeantFor() throws {
        var limits = CoreLimits()
        limits.preferredPrimaryMs = 2_000
        let scene = try TopicScene(limits: limits)
        try scene.publish(["a"])
        let primary = try #require(scene.primary)
        scene.cluster.crash(primary)
        scene.cluster.announce(primary, .dead)
        try scene.publish(["b"])
        let other = try #require(scene.primary)
        #expect(other != primary)
        scene.cluster.restart(primary)
        #expect(
            scene.cluster.run(forMs: 20_000) { scene.primary == primary },
            "\(scene.cluster.notes.suffix(5))")
        #expect(try scene.publish(["c"]) == 2)
        #expect(try scene.fetched(from: 0)?.values == ["a", "b", "c"])
    }

    @Test func aNodeThatIsAboutToStopGivesItsReignsAway() throws {
        let scene = try TopicScene()
        try scene.publish(["a"])
        let primary = try #require(scene.primary)
        scene.cluster.input(primary, .leaving)
        #expect(scene.cluster.run(forMs: 3_000) { scene.cluster.nodes[primary]?.leadsWithOthers == false })
        #expect(scene.cluster.run(forMs: 3_000) { (scene.primary ?? primary) != primary })
        #expect(try scene.publish(["b"]) == 1)
        #expect(scene.cluster.nodes[primary]?.leadsWithOthers == false, "it takes none back")
    }
}
