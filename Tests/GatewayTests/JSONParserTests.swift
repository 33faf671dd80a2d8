import Testing

@testable import Gateway

/// Cases written after the naming of the JSON parsing test suite by Nicolas Seriot (github.com/nst/JSONTestSuite, MIT
/// licence): what RFC 8259 demands to be accepted, and to be refused.
struct JSONParserTests {
    private func accepts(_ bytes: [UInt8]) -> Bool { JSONCheck.isValid(bytes) }
    private func accepts(_ text: String) -> Bool { accepts(Array(text.utf8)) }

    @Test(arguments: [
        "[]", " [ ] ", "{}", "null", "true", "false", "0", "-0", "1", "-1", "1.5", "0e+1", "0E1", "123e45", "1E22",
        "-123",
        "123.456e78", "\"\"", " \"a\" ", "\"\\u0000\"", "\"\\uD834\\uDD1E\"", "\"\\u005C\"", "\"\u{2028}\"",
        "\"\u{7F}\"",
        "\"asd\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "[1,null,1.0,\"x\",{\"a\":[]}]", "{\"a\":1,\"a\":2}", "{\"\":0}",
        "[\n1\t,\r2 ]",
        "[-0.000000000000000000000000000000000000000000000000000000000000000000000000000000001]",
    ])
    func acceptsWhatIsJSON(text: String) {
        #expect(accepts(text))
    }

    @Test(arguments: [
        "", " ", "[", "]", "{", "}", "[1,]", "[,1]", "[1 2]", "[1,,2]", "{\"a\":1,}", "{a:1}", "{'a':1}", "{\"a\"}",
        "{\"a\":}",
        "{\"a\" 1}", "{1:1}", "nul", "True", "nan", "NaN", "Infinity", "-", "+1", "01", "-01", "1.", ".5", "1e", "1e+",
        "0x1",
        "1a", "- 1", "\"", "\"\\x\"", "\"\\u12\"", "\"\\u123G\"", "\"\t\"", "\"\n\"", "\"\u{0}\"", "\"a", "[\"a\"",
        "1 2", "[]]", "{}#", "/**/1",
        "\"\\uD800\"", "\"\\uDC00\"", "\"\\uD800\\u0041\"", "\"\\uD800x\"", "\u{FEFF}1", "<.>", "[\u{C}]", "\u{A0}1",
        "\\u0020 1",
    ])
    func refusesWhatIsNot(text: String) {
        #expect(!accepts(text))
    }

    @Test(
        arguments: [
            [0x22, 0xFF, 0x22], [0x22, 0xC0, 0xAF, 0x22], [0x22, 0xED, 0xA0, 0x80, 0x22], [0x22, 0xE2, 0x82, 0x22],
            [0x22, 0xF4, 0xBF, 0xBF, 0xBF, 0x22],
            [0x5B, 0xFF, 0x5D],
        ] as [[UInt8]])
    func refusesWhatIsNotUTF8(bytes: [UInt8]) {
        #expect(!accepts(bytes))
    }

    @Test func boundsTheNesting() {
        let most = JSONLimits.depthMax
        #expect(accepts(String(repeating: "[", count: most) + String(repeating: "]", count: most)))
        #expect(!accepts(String(repeating: "[", count: most + 1) + String(repeating: "]", count: most + 1)))
        #expect(!accepts(String(repeating: "[", count: 100_000)))
        #expect(!accepts(String(repeating: "{\"\":", count: 100_000)))
    }

    @Test func boundsExponents() {
        #expect(accepts("1e999999999999999999"))
        #expect(accepts("1e-00000000000000000000000000000001"))
        #expect(!accepts("1e1000000000000000000"))
    }

    @Test func saysWhereItFailed() throws {
        let error = try #require(throws: JSONError.self) { try JSONValue(parsing: Array("{\"a\": nope}".utf8)) }
        #expect(error.offset == 6)
    }

    @Test(arguments: ["1.00", "1e2", "-0", "12345678901234567890.5", "1E+05"])
    func keepsNumbersAsTheyWereWritten(text: String) throws {
        guard case .number(let number) = try JSONValue(parsing: Array(" \(text) ".utf8)) else {
            Issue.record("no number")
            return
        }
        #expect(number.text == text)
    }

    @Test func readsEscapes() throws {
        let value = try JSONValue(parsing: Array(#""\u0041\n\ud83d\ude00\/\"é""#.utf8))
        #expect(value == .string("A\n\u{1F600}/\"é"))
    }

    @Test func theLastOfARepeatedNameCounts() throws {
        for names in [2, 40] {
            let members = (0..<names).map { "\"n\($0)\":\($0)" } + ["\"n0\":\"last\""]
            let value = try JSONValue(parsing: Array("{\(members.joined(separator: ","))}".utf8))
            #expect(value["n0"] == .string("last"))
            guard case .object(let object) = value else {
                Issue.record("no object")
                return
            }
            #expect(object.members.count == names)
        }
    }

    @Test func tellsWhereAMemberStands() throws {
        let bytes = Array("{\"ttl\":1, \"value\" : { \"a\" : 1.0 } }".utf8)
        guard case .object(let object) = try JSONValue(parsing: bytes), let member = object.member("value") else {
            Issue.record("no object")
            return
        }
        #expect(String(decoding: bytes[member.range], as: UTF8.self) == "{ \"a\" : 1.0 }")
    }
}
