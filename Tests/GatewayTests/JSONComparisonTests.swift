import Testing

@testable import Gateway

struct JSONComparisonTests {
    private func value(_ text: String) throws -> JSONValue { try JSONValue(parsing: Array(text.utf8)) }

    @Test(arguments: [
        ("1", "1.0"), ("1", "1e0"), ("100", "1E2"), ("0", "-0"), ("0", "0e999999999999999999"), ("0.1", "1e-1"),
        ("-1.50", "-15e-1"),
        ("12345678901234567890", "12345678901234567890.000"), ("1e999999999999999999", "10e999999999999999998"),
        ("{\"a\":1,\"b\":[2]}", "{\"b\":[2.0],\"a\":1}"), ("\"\\u0041\"", "\"A\""), ("[]", "[ ]"),
        ("{\"a\":1,\"a\":2}", "{\"a\":2}"),
    ])
    func equalValues(pair: (String, String)) throws {
        #expect(try value(pair.0) == value(pair.1))
    }

    @Test(arguments: [
        // The nearest doubles of both are the same.
        ("12345678901234567890", "12345678901234567891"), ("0.1", "0.1000000000000000055511151231257827"),
        ("1e400", "1e401"), ("1", "-1"), ("1", "\"1\""), ("[1,2]", "[2,1]"), ("{\"a\":1}", "{\"a\":1,\"b\":2}"),
        ("null", "false"),
        ("{\"a\":null}", "{}"), ("0", "null"),
        // One character, and the same letter with its accent apart: other text.
        ("\"\\u00e9\"", "\"e\\u0301\""), ("{\"\\u00e9\":1}", "{\"e\\u0301\":1}"),
    ])
    func differentValues(pair: (String, String)) throws {
        #expect(try value(pair.0) != value(pair.1))
    }

    @Test func manyMembersInAnyOrder() throws {
        let names = (0..<200).map { "\"m\($0)\":\($0)" }
        #expect(try value("{\(names.joined(separator: ","))}") == value("{\(names.reversed().joined(separator: ","))}"))
    }

    @Test func writesText() {
        var writer = JSONWriter()
        writer.object {
            $0.member("a\"\\\n\u{1}", "é\u{1F600}\u{7F}")
            $0.member("d", 1.0)
            $0.member("e", 0.1)
            $0.member("n", String?.none)
            $0.name("l")
            $0.array {
                $0.integer(-5)
                $0.bool(true)
                $0.double(.infinity)
                $0.object { _ in }
            }
        }
        #expect(
            String(decoding: writer.bytes, as: UTF8.self)
                == "{\"a\\\"\\\\\\n\\u0001\":\"é\u{1F600}\u{7F}\",\"d\":1,\"e\":0.1,\"n\":null,\"l\":[-5,true,null,{}]}"
        )
    }
}
