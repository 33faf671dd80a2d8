import EnergyRules
import Foundation
import Testing
import Wire

@testable import Energy

@Suite struct EnergyDocumentTests {
    private let example =
        #"{"piano":1,"sensore1_kwh":1000.315,"sensore2_kw":6.2,"sensore3_corrente":16.8,"sensore3_tensione":231.5,"#
        + #""timestamp":"2024-05-19T11:03:12.123456+00:00"}"#
    /// 2024-05-19T12:00:00Z.
    private let now: Int64 = 1_716_120_000_000

    private func parse(_ text: String) throws(EnergyInputError) -> [Reading] {
        try ReadingDocument.parse(Array(text.utf8), nowMs: now)
    }

    private func badFields(_ text: String) -> [String] {
        do throws(EnergyInputError) {
            _ = try parse(text)
            return []
        } catch {
            guard case .invalid(let problems) = error else { return ["malformed"] }
            return problems.map(\.field)
        }
    }

    private func object(_ bytes: [UInt8]) throws -> [String: Any] {
        try #require(try JSONSerialization.jsonObject(with: Data(bytes)) as? [String: Any])
    }

    @Test func theSourceSystemsExampleIsRead() throws {
        let reading = try #require(try parse(example).first)
        #expect(
            reading
                == Reading(piano: 1, kwh: 1000.315, kw: 6.2, amp: 16.8, volt: 231.5, timestampMs: 1_716_116_592_123))
    }

    @Test func aReadingIsWrittenWithTheContractsNames() throws {
        let document = try object(ReadingDocument(try #require(try parse(example).first)).encoded())
        #expect(
            document.keys.sorted() == [
                "piano", "sensore1_kwh", "sensore2_kw", "sensore3_corrente", "sensore3_tensione", "timestamp",
            ])
        #expect(document["timestamp"] as? String == "2024-05-19T11:03:12.123Z")
        #expect(document["sensore1_kwh"] as? Double == 1000.315)
    }

    @Test func everyBadMemberIsNamed() {
        #expect(
            badFields(
                #"{"piano":"1","sensore1_kwh":"1000","sensore2_kw":null,"sensore3_corrente":[],"timestamp":"noon"}"#)
                == [
                    "piano", "sensore1_kwh", "sensore2_kw", "sensore3_corrente", "sensore3_tensione", "timestamp",
                ])
        #expect(badFields(example.replacingOccurrences(of: "6.2", with: "-6.2")) == ["sensore2_kw"])
        #expect(badFields(example.replacingOccurrences(of: "\"piano\":1", with: "\"piano\":1.5")) == ["piano"])
        #expect(badFields(example.replacingOccurrences(of: "\"piano\":1", with: "\"piano\":true")) == ["piano"])
        #expect(badFields(example.replacingOccurrences(of: "6.2", with: "1e999")) == ["sensore2_kw"])
        #expect(badFields(example.replacingOccurrences(of: "2024", with: "2034")) == ["timestamp"])
    }

    @Test func anArrayIsTakenWholeOrNotAtAll() throws {
        #expect(try parse("[\(example),\(example)]").count == 2)
        #expect(try parse(" []").count == 0)
        let bad = example.replacingOccurrences(of: "231.5", with: "\"x\"")
        #expect(badFields("[\(example),\(bad),7]") == ["[1].sensore3_tensione", "[2].reading"])
    }

    @Test func whatIsNoJSONIsMalformed() {
        #expect(badFields("{\"piano\":1") == ["malformed"])
        #expect(badFields("") == ["malformed"])
        #expect(badFields("{\"piano\":NaN}") == ["malformed"])
        #expect(badFields("42") == ["reading"])
    }

    @Test func thresholdsComeBackAsTheyWent() throws {
        let thresholds = Thresholds(
            standard: FloorThresholds(kw: 9.5, amp: 30, voltMin: 210, voltMax: 250, dkwh: 0.5),
            perFloor: [2: ThresholdOverride(kw: 4), 10: ThresholdOverride(voltMin: 200, dkwh: 1)])
        let bytes = try ThresholdsDocument(thresholds).encoded()
        #expect(try ThresholdsDocument.parse(bytes) == thresholds)
        #expect(
            String(decoding: bytes, as: UTF8.self)
                == #"{"default":{"amp":30,"dkwh":0.5,"kw":9.5,"volt_max":250,"volt_min":210},"#
                + #""per_floor":{"10":{"dkwh":1,"volt_min":200},"2":{"kw":4}}}"#)
    }

    @Test func everyBadLimitIsNamed() {
        func bad(_ text: String) -> [String] {
            do throws(EnergyInputError) {
                _ = try ThresholdsDocument.parse(Array(text.utf8))
                return []
            } catch {
                guard case .invalid(let problems) = error else { return ["malformed"] }
                return problems.map(\.field)
            }
        }
        let standard = #""default":{"kw":10,"amp":32,"volt_min":207,"volt_max":253,"dkwh":0.2}"#
        #expect(bad("{\(standard)}") == [])
        #expect(bad(#"{"per_floor":{}}"#) == ["default"])
        #expect(
            bad(#"{"default":{"kw":"10","amp":null,"volt_min":1}}"#)
                == ["default.kw", "default.amp", "default.volt_max", "default.dkwh"])
        #expect(
            bad(#"{\#(standard),"per_floor":{"1":{"kw":-1},"x":{},"02":{},"3":{"kilowatt":1},"4":7}}"#)
                == ["per_floor.02", "per_floor.3.kilowatt", "per_floor.4", "per_floor.x", "per_floor.1.kw"])
        #expect(bad(#"{\#(standard),"per_floor":[]}"#) == ["per_floor"])
        #expect(bad("[1]") == ["body"])
        #expect(bad("{") == ["malformed"])
    }

    @Test func anAlertIsWrittenWithTheContractsNames() throws {
        let alert = Alert(
            piano: 2, type: .kwOver, value: 12.5, threshold: 10, severity: .warning, timestampMs: 1_716_116_592_123)
        let written = try object(AlertDocument(alert).encoded())
        #expect(
            written.keys.sorted() == [
                "id", "metric", "piano", "read", "severity", "threshold", "timestamp", "type", "value",
            ])
        #expect(written["id"] as? String == "2:1716116592:kw_over")
        #expect(written["metric"] as? String == "kw")
        #expect(written["severity"] as? String == "warning")
        #expect(written["timestamp"] as? String == "2024-05-19T11:03:12.123Z")
        #expect(written["read"] as? Bool == false)
    }

    @Test func aStoredAlertComesBackWithItsMarks() throws {
        var document = AlertDocument(
            Alert(piano: 2, type: .dkwhOver, value: 1, threshold: 0.2, severity: .critical, timestampMs: now))
        document.read = true
        document.acknowledgedBy = "anna"
        document.isUnpublished = true
        let back = try EnergyJSON.decode(AlertDocument.self, document.encoded())
        #expect(back == document)
        document.isUnpublished = false
        #expect(try object(document.encoded())["unpublished"] == nil)
    }

    @Test func anAlertFromOutsideGetsTheIdOfItsContent() throws {
        let text =
            #"{"id":"mine","piano":3,"type":"pattern_outlier_kw","value":9,"score":4.5,"expected":{"low":1,"high":3},"#
            + #""timestamp":"2024-05-19T11:03:12Z","read":true,"_token":"secret"}"#
        let alert = try AlertDocument.parse(Array(text.utf8), nowMs: now)
        #expect(alert.id == "3:1716116592:pattern_outlier_kw")
        #expect(alert.metric == "kw")
        #expect(alert.read == false)
        #expect(alert.score == 4.5)
        #expect(alert.expected == AlertDocument.Expected(low: 1, high: 3))
        #expect(!String(decoding: try alert.encoded(), as: UTF8.self).contains("secret"))
        do throws(EnergyInputError) {
            _ = try AlertDocument.parse(
                Array(#"{"piano":-1,"type":"fire","value":"x","severity":"bad"}"#.utf8), nowMs: now)
            Issue.record("a bad alert was taken")
        } catch {
            guard case .invalid(let problems) = error else {
                Issue.record("\(error)")
                return
            }
            #expect(problems.map(\.field) == ["type", "value", "severity", "timestamp"])
        }
    }

    @Test func keysAreThoseOfTheSourceSystem() {
        let reading = EnergyKeys.reading(floor: 3, timestampMs: 1_716_116_592_123)
        #expect(reading.description == "energy:p3:2024-05-19T11:03:12.123Z")
        #expect(EnergyKeys.latest(floor: 3).description == "energy:p3:latest")
        #expect(EnergyKeys.alert(id: "3:1716116592:kw_over").description == "alerts:3:1716116592:kw_over")
        #expect(EnergyKeys.timestampText(of: reading, floor: 3) == "2024-05-19T11:03:12.123Z")
        #expect(EnergyKeys.timestampText(of: EnergyKeys.latest(floor: 3), floor: 3) == nil)
        #expect(EnergyKeys.timestampText(of: reading, floor: 30) == nil)
        #expect(AlertID("3:1716116592:kw_over")?.text == "3:1716116592:kw_over")
        #expect(AlertID("3:noon:kw_over") == nil)
        #expect(AlertID("nonsense") == nil)
    }
}
