import EnergyRules
import Foundation
import Testing
import Wire

@testable import Energy

@Suite struct EnergySilenceTests {
    /// 2024-05-19T12:00:00Z.
    private let now: Int64 = 1_716_120_000_000
    private let until = "2024-05-19T13:00:00Z"

    private func alert(_ piano: Int, _ type: AlertType, second: Int64 = 0) -> Alert {
        Alert(
            piano: piano, type: type, value: 11, threshold: 10, severity: .info, timestampMs: now + second * 1_000)
    }

    private func badFields(_ text: String) -> [String] {
        do throws(EnergyInputError) {
            _ = try SilenceDocument.parse(Array(text.utf8), nowMs: now)
            return []
        } catch {
            guard case .invalid(let problems) = error else { return ["malformed"] }
            return problems.map(\.field)
        }
    }

    @Test func aSilenceCoversItsFloorAndTypeUntilItEnds() {
        let one = Silence(piano: 1, type: "kw_over", untilMs: now + 1_000, comment: "works")
        #expect(one.covers(alert(1, .kwOver), at: now))
        #expect(one.covers(alert(1, .kwOver), at: now + 999))
        #expect(!one.covers(alert(1, .kwOver), at: now + 1_000))
        #expect(!one.covers(alert(1, .ampOver), at: now))
        #expect(!one.covers(alert(2, .kwOver), at: now))
        let floor = Silence(piano: 0, untilMs: now + 1_000, comment: "works")
        #expect(floor.covers(alert(0, .voltUnder), at: now) && !floor.covers(alert(1, .voltUnder), at: now))
        let type = Silence(type: "volt_under", untilMs: now + 1_000, comment: "works")
        #expect(type.covers(alert(7, .voltUnder), at: now) && !type.covers(alert(7, .voltOver), at: now))
        let all = Silence(untilMs: now + 1_000, comment: "works")
        #expect(AlertType.allCases.allSatisfy { all.covers(alert(3, $0), at: now) })
        // The alert's own time does not matter, only when it is raised.
        #expect(one.covers(alert(1, .kwOver, second: -86_400), at: now))
        #expect(type.covers(AlertDocument(alert(7, .voltUnder)), at: now))
    }

    @Test func aSilenceIsReadWithTheContractsNames() throws {
        let text = #"{"piano":2,"type":"pattern_outlier_kw","until":"\#(until)","comment":"Maintenance"}"#
        let whole = try SilenceDocument.parse(Array(text.utf8), nowMs: now)
        #expect(
            whole
                == Silence(piano: 2, type: "pattern_outlier_kw", untilMs: now + 3_600_000, comment: "Maintenance"))
        let least = #"{"piano":null,"until":"\#(until)","comment":"All"}"#
        #expect(
            try SilenceDocument.parse(Array(least.utf8), nowMs: now)
                == Silence(untilMs: now + 3_600_000, comment: "All"))
    }

    @Test func everyBadMemberOfASilenceIsNamed() {
        #expect(badFields("{}") == ["until", "comment"])
        #expect(badFields("[]") == ["body"])
        #expect(badFields("{") == ["malformed"])
        #expect(
            badFields(#"{"piano":"1","type":"fire","until":"noon","comment":7}"#)
                == ["piano", "type", "until", "comment"])
        #expect(badFields(#"{"floor":1,"until":"\#(until)","comment":"x"}"#) == ["floor"])
        #expect(badFields(#"{"piano":-1,"until":"\#(until)","comment":" "}"#) == ["piano", "comment"])
        #expect(badFields(#"{"until":"2024-05-19T12:00:00Z","comment":"x"}"#) == ["until"])
        #expect(badFields(#"{"until":"2025-05-21T12:00:00Z","comment":"x"}"#) == ["until"])
        #expect(badFields(#"{"until":"2025-05-20T12:00:00Z","comment":"x"}"#) == [])
        let long = String(repeating: "x", count: 1_001)
        #expect(badFields(#"{"until":"\#(until)","comment":"\#(long)"}"#) == ["comment"])
    }

    @Test func aStoredSilenceComesBack() throws {
        let document = SilenceDocument(
            id: "0000018f90c7b000000000000000002a",
            silence: Silence(piano: 2, type: "kw_over", untilMs: now + 3_600_000, comment: "Lift \"A\""))
        #expect(try EnergyJSON.decode(SilenceDocument.self, document.encoded()) == document)
        #expect(
            String(decoding: try document.encoded(), as: UTF8.self)
                == #"{"comment":"Lift \"A\"","id":"0000018f90c7b000000000000000002a","piano":2,"#
                + #""type":"kw_over","until":"2024-05-19T13:00:00.000Z"}"#)
        let all = SilenceDocument(id: "x", silence: Silence(untilMs: now, comment: "c"))
        #expect(
            String(decoding: try all.encoded(), as: UTF8.self)
                == #"{"comment":"c","id":"x","until":"2024-05-19T12:00:00.000Z"}"#)
    }

    @Test func namesOfSilencesSortByTheTimeTheyWereMade() {
        var generator = SystemRandomNumberGenerator()
        let first = SilenceDocument.makeID(nowMs: now, using: &generator)
        let second = SilenceDocument.makeID(nowMs: now + 1, using: &generator)
        #expect(first < second)
        #expect(SilenceDocument.isID(first))
        for text in ["", "x", String(repeating: "a", count: 31), String(repeating: "g", count: 32), first + "0"] {
            #expect(!SilenceDocument.isID(text))
        }
        #expect(EnergyKeys.silence(id: "2a").description == "silences:2a")
    }

    @Test func theClusterKeepsASilenceUntilItEnds() {
        func ttl(_ leftMs: Int64) -> UInt64 {
            EnergyStore.ttlMs(of: Silence(untilMs: now + leftMs, comment: "x"), nowMs: now)
        }
        #expect(ttl(3_600_000) == 3_600_000)
        #expect(ttl(1) == WireLimits.ttlMsRange.lowerBound)
        #expect(ttl(-5_000) == WireLimits.ttlMsRange.lowerBound)
        #expect(ttl(Int64.max - now) == WireLimits.ttlMsRange.upperBound)
    }

    @Test func aSilencedAlertIsListedAndIsNotUnread() throws {
        var silenced = AlertDocument(alert(1, .kwOver, second: 30))
        silenced.isSilenced = true
        let heard = AlertDocument(alert(1, .ampOver, second: 20))
        var read = AlertDocument(alert(1, .voltOver, second: 10))
        read.read = true
        func types(unread: Bool?) -> [String] {
            NotificationList.select([heard, silenced, read], kept: 10, limit: 10, sinceMs: nil, unread: unread)
                .map(\.type)
        }
        #expect(types(unread: nil) == ["kw_over", "amp_over", "volt_over"])
        #expect(types(unread: true) == ["amp_over"])
        #expect(types(unread: false) == ["kw_over", "volt_over"])
        let json = try #require(
            try JSONSerialization.jsonObject(with: Data(silenced.encoded())) as? [String: Any])
        #expect(json["silenced"] as? Bool == true)
        #expect(json["read"] as? Bool == false)
        #expect(!String(decoding: try heard.encoded(), as: UTF8.self).contains("silenced"))
        #expect(try EnergyJSON.decode(AlertDocument.self, silenced.encoded()) == silenced)
    }

    @Test func nobodyOutsideCanSilenceAnAlertByReportingIt() throws {
        let text = #"{"piano":3,"type":"no_data","value":0,"timestamp":"2024-05-19T11:03:12Z","silenced":true}"#
        #expect(try !AlertDocument.parse(Array(text.utf8), nowMs: now).isSilenced)
    }

    /// An alert that is told must not be taken for one that nobody has heard of.
    @Test func aSilencedAlertDoesNotHideTheNextOne() throws {
        func decide(silenced: Bool, after last: Bool, second: Int64 = 130, inOrder: Bool = true) -> LastAlert.Decision {
            LastAlert.decide(
                id: "1:\(second):kw_over", timestampMs: second * 1_000, isSilenced: silenced,
                last: LastAlert(id: "1:100:kw_over", timestampMs: 100_000, isSilenced: last), windowMs: 60_000,
                inOrder: inOrder)
        }
        #expect(decide(silenced: false, after: true) == .accept)
        #expect(decide(silenced: true, after: true) == .suppress)
        #expect(decide(silenced: true, after: false) == .suppress)
        #expect(decide(silenced: false, after: false) == .suppress)
        #expect(decide(silenced: false, after: true, second: 100) == .again)
        #expect(decide(silenced: false, after: true, second: 90) == .complete)
        #expect(decide(silenced: false, after: true, second: 90, inOrder: false) == .accept)
        let mark = LastAlert(id: "1:100:kw_over", timestampMs: 100_000, isSilenced: true)
        #expect(try EnergyJSON.decode(LastAlert.self, EnergyJSON.encode(mark)) == mark)
        let old = Array(#"{"id":"1:100:kw_over","timestamp_ms":100000}"#.utf8)
        #expect(try !EnergyJSON.decode(LastAlert.self, old).isSilenced)
    }
}
