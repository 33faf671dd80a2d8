import HTTPTypes
import Hummingbird
import Testing
import Wire

@testable import Gateway

struct RouteTableTests {
    private let table = RouteTable(Self.routes.map { Route($0.0, $0.1, .open) { _ in Response(status: .ok) } })

    private static let routes: [(HTTPRequest.Method, String)] = [
        (.get, "/kv"), (.get, "/kv/{key...}"), (.put, "/kv/{key...}"), (.post, "/kv/cas"), (.get, "/drones/{id}"),
        (.get, "/drones"), (.post, "/deliveries/{id}/cancel"), (.get, "/"), (.get, "/notifications/unread_count"),
        (.post, "/notifications/{id}/acknowledge"),
    ]

    private func found(_ method: HTTPRequest.Method, _ path: String) -> String {
        switch table.match(method, path) {
        case .found(let route, let parameters):
            ([route.path] + parameters.map { "\($0.name)=\($0.value)" }).joined(separator: " ")
        case .otherMethods(let methods): methods.map(\.rawValue).joined(separator: ",")
        case .unknownPath: "unknown"
        case .malformedPath: "malformed"
        }
    }

    @Test(arguments: [
        (HTTPRequest.Method.get, "/kv", "/kv"), (.get, "/kv/a", "/kv/{key...} key=a"),
        (.head, "/kv/a", "/kv/{key...} key=a"),
        (.get, "/kv/a/b:c/", "/kv/{key...} key=a/b:c/"), (.get, "/kv/a%2Fb%20%C3%A8", "/kv/{key...} key=a/b è"),
        (.get, "/kv/a+b", "/kv/{key...} key=a+b"), (.get, "/kv/", "/kv/{key...} key="),
        (.get, "/kv/cas", "/kv/{key...} key=cas"),
        (.post, "/kv/cas", "/kv/cas"), (.post, "/kv/other", "GET,PUT,HEAD"), (.patch, "/kv/cas", "POST,GET,PUT,HEAD"),
        (.get, "/drones/d1", "/drones/{id} id=d1"), (.get, "/drones/", "unknown"), (.get, "/drones/a/b", "unknown"),
        (.post, "/deliveries/x/cancel", "/deliveries/{id}/cancel id=x"), (.get, "/deliveries/x/cancel", "POST"),
        (.get, "/nope", "unknown"), (.get, "/", "/"), (.get, "/kv/%", "malformed"), (.get, "/kv/%zz", "malformed"),
        (.get, "/kv/%FF", "malformed"), (.get, "/%FF", "malformed"),
        (.get, "/notifications/unread_count", "/notifications/unread_count"),
        (.post, "/notifications/1:2:kw_over/acknowledge", "/notifications/{id}/acknowledge id=1:2:kw_over"),
        (.get, "/%6Bv/a", "/kv/{key...} key=a"), (.get, "/kv/%00x", "/kv/{key...} key=\u{0}x"),
    ])
    func finds(expected: (HTTPRequest.Method, String, String)) {
        #expect(found(expected.0, expected.1) == expected.2)
    }

    @Test func keysHaveBounds() throws {
        #expect(try KeyName.key("è/:", field: "key").bytes == Array("è/:".utf8))
        #expect(try KeyName.key(String(repeating: "x", count: 512), field: "key").bytes.count == 512)
        for name in [
            "", "\u{0}", "\u{0}lock/x", String(repeating: "x", count: 513), String(repeating: "é", count: 257),
        ] {
            let problem = #expect(throws: Problem.self) { try KeyName.key(name, field: "key") }
            #expect(problem?.status.code == 422)
            #expect(problem?.code == "invalid_key")
        }
    }

    @Test(arguments: ["plain", "a b", "100%", "è/ü?&=#", ":", ""])
    func percentEncodingReadsBack(text: String) {
        let encoded = PercentCoding.encoded(text)
        #expect(PercentCoding.decoded(encoded) == text)
        #expect(encoded.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F })
    }

    @Test func queries() throws {
        let query = try Query("limit=5&a=1&a=2&text=x+y%2Bz&flag=true&bad=maybe&empty")
        #expect(query["a"] == "2")
        #expect(query["text"] == "x y+z")
        #expect(query["empty"] == "")
        #expect(query["none"] == nil)
        #expect(try query.integer("limit", in: 1...10) == 5)
        #expect(try query.flag("flag") == true)
        #expect(throws: Problem.self) { try query.integer("limit", in: 1...4) }
        #expect(throws: Problem.self) { try query.flag("bad") }
        #expect(throws: Problem.self) { try Query("a=%G0") }
    }

    @Test(
        arguments: [
            ("1700000000", 1_700_000_000_000), ("1700000000.25", 1_700_000_000_250),
            ("2023-11-14T22:13:20Z", 1_700_000_000_000),
            ("2023-11-14T23:13:20%2B01:00", 1_700_000_000_000), ("2023-11-14T23:13:20+01:00", 1_700_000_000_000),
        ] as [(String, Int64)])
    func moments(expected: (String, Int64)) throws {
        #expect(try Query("t=\(expected.0)").moment("t") == expected.1)
    }

    @Test(arguments: ["yesterday", "-1", "nan", "1e400", ""])
    func noMoments(text: String) throws {
        let query = try Query("t=\(text)")
        #expect(throws: Problem.self) { try query.moment("t") }
    }

    @Test func cursorsReadBackAndBelongToTheirListing() throws {
        let place = Array("drone:à/1".utf8) + [0, 255]
        let text = PageCursor.text(.drones, place)
        #expect(text.utf8.allSatisfy { $0 < 0x7F && $0 != UInt8(ascii: "+") && $0 != UInt8(ascii: "/") })
        #expect(try PageCursor.place(.drones, in: try Query("cursor=\(text)")) == place)
        #expect(try PageCursor.place(.drones, in: try Query("")) == nil)
        for bad in [text, "%20", "A", "AAAAA", "é"] {
            let query = try Query("cursor=\(bad)")
            #expect(throws: Problem.self) { try PageCursor.place(.keys, in: query) }
        }
    }

    @Test func entityTags() {
        #expect(EntityTag.expected("\"abc\"") == .version("abc"))
        #expect(EntityTag.expected(" * ") == .any)
        #expect(EntityTag.expected("W/\"abc\"") == .never)
        #expect(EntityTag.expected("\"a\", \"b\"") == nil)
        #expect(EntityTag.expected("abc") == nil)
        #expect(EntityTag.isNamed("a", in: "\"b\", W/\"a\""))
        #expect(!EntityTag.isNamed("a", in: "\"b\""))
    }

    @Test func requestIDs() {
        let ids = RequestIDs()
        #expect(ids.id(for: "abc-1_2.3", bytesMax: 128) == "abc-1_2.3")
        let made = [
            ids.id(for: nil, bytesMax: 128), ids.id(for: "a b", bytesMax: 128), ids.id(for: "\"x\"", bytesMax: 128),
            ids.id(for: "abcd", bytesMax: 3),
        ]
        #expect(Set(made).count == 4)
        #expect(RequestIDs.isTraceParent("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"))
        for bad in [
            "", "00-0-0-0", "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
        ] {
            #expect(!RequestIDs.isTraceParent(bad))
        }
    }
}
