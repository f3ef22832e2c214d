"""Small trees, good and bad, for check_layers.py."""
import pathlib
import tempfile
import unittest

from check_layers import Rules, check_file

RULES = """
room core:
room flow: core
room transport: core
room transport/webrtc: core flow transport
room cli: *
room tests: *
lib usrsctp.h: transport/webrtc
lib gtest/*: test tests
lib thread: transport/webrtc
group acting: transport/webrtc cli
lib boost/asio*: acting
"""


class CheckLayers(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        for header in ("core/bytes.hpp", "flow/gate.hpp", "transport/link.hpp", "transport/webrtc/ice.hpp"):
            self.write("src/" + header, "#pragma once\n")

    def write(self, path, text):
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text)

    def refusals(self, path, text):
        self.write(path, text)
        return [refusal for _, refusal in check_file(Rules(RULES), self.root, path)]

    def test_allows_downwards_the_own_room_and_the_standard_library(self):
        text = '#include <vector>\n#include "core/bytes.hpp"\n  #  include "flow/gate.hpp"\n'
        self.assertEqual(self.refusals("src/flow/queue.cpp", text), [])

    def test_refuses_upwards_and_sideways(self):
        self.assertEqual(self.refusals("src/core/ids.hpp", '#include "flow/gate.hpp"\n'),
                         ["core may not include flow"])
        self.assertEqual(self.refusals("src/flow/queue.cpp", '#include "transport/link.hpp"\n'),
                         ["flow may not include transport"])

    def test_a_file_belongs_to_its_deepest_room(self):
        self.assertEqual(self.refusals("src/transport/webrtc/sctp.cpp", '#include "flow/gate.hpp"\n'), [])
        self.assertEqual(self.refusals("src/transport/link.cpp", '#include "flow/gate.hpp"\n'),
                         ["transport may not include flow"])
        self.assertEqual(self.refusals("src/transport/link.cpp", '#include "transport/webrtc/ice.hpp"\n'),
                         ["transport may not include transport/webrtc"])
        self.assertEqual(self.refusals("src/cli/entry/main.cpp", '#include "transport/webrtc/ice.hpp"\n'), [])

    def test_keeps_a_library_in_its_room(self):
        self.assertEqual(self.refusals("src/transport/webrtc/sctp.cpp", "#include <usrsctp.h>\n"), [])
        self.assertEqual(self.refusals("src/cli/host.cpp", "#include <usrsctp.h>\n"),
                         ["<usrsctp.h> may be included in transport/webrtc only"])
        self.assertEqual(self.refusals("src/flow/gate.cpp", "#include <boost/asio/post.hpp>\n"),
                         ["<boost/asio/post.hpp> may be included in transport/webrtc, cli only"])

    def test_restricts_a_standard_header_that_a_line_names(self):
        self.assertEqual(self.refusals("src/flow/gate.cpp", "#include <thread>\n"),
                         ["<thread> may be included in transport/webrtc only"])

    def test_refuses_a_library_that_no_line_names(self):
        self.assertEqual(self.refusals("src/cli/host.cpp", "#include <curl/curl.h>\n"),
                         ["<curl/curl.h> is in no line of tools/layers.txt"])

    def test_lets_only_tests_include_what_is_for_tests(self):
        self.assertEqual(self.refusals("src/flow/gate_test.cpp", "#include <gtest/gtest.h>\n"), [])
        self.assertEqual(self.refusals("tests/sim/two_ends.cpp", "#include <gtest/gtest.h>\n"), [])
        self.assertEqual(len(self.refusals("src/flow/gate.cpp", "#include <gtest/gtest.h>\n")), 1)

    def test_lets_only_tests_include_a_rooms_testing_header(self):
        self.assertEqual(self.refusals("src/flow/testing.hpp", "#include <gtest/gtest.h>\n"), [])
        self.assertEqual(self.refusals("src/flow/gate_test.cpp", '#include "flow/testing.hpp"\n'), [])
        self.assertEqual(self.refusals("src/flow/gate.cpp", '#include "flow/testing.hpp"\n'),
                         ["flow/testing.hpp is for tests"])

    def test_refuses_includes_that_are_not_written_from_src(self):
        self.assertEqual(len(self.refusals("src/flow/queue.cpp", '#include "gate.hpp"\n')), 1)
        self.assertEqual(len(self.refusals("src/flow/queue.cpp", '#include "../core/bytes.hpp"\n')), 1)

    def test_lets_tests_share_headers_of_their_own(self):
        self.write("tests/sim/network.hpp", "#pragma once\n")
        self.assertEqual(self.refusals("tests/integration/two_ends.cpp", '#include "network.hpp"\n'), [])
        self.assertEqual(len(self.refusals("src/flow/gate_test.cpp", '#include "network.hpp"\n')), 1)

    def test_refuses_a_file_outside_every_room(self):
        self.assertEqual(len(self.refusals("src/misc/helper.cpp", "")), 1)

    def test_names_the_line(self):
        self.write("src/core/ids.hpp", '#pragma once\n\n#include "flow/gate.hpp"\n')
        self.assertEqual([number for number, _ in check_file(Rules(RULES), self.root, "src/core/ids.hpp")], [3])


class ReadRules(unittest.TestCase):
    def test_refuses_circles(self):
        with self.assertRaisesRegex(ValueError, "circle"):
            Rules("room a: b\nroom b: c\nroom c: a\n")

    def test_refuses_rooms_that_do_not_exist(self):
        with self.assertRaisesRegex(ValueError, "no room nowhere"):
            Rules("room a: nowhere\n")
        with self.assertRaisesRegex(ValueError, "no room nowhere"):
            Rules("room a:\nlib x.h: nowhere\n")

    def test_refuses_lines_that_it_does_not_understand(self):
        with self.assertRaisesRegex(ValueError, "line 2"):
            Rules("room a:\nfloor b: a\n")


if __name__ == "__main__":
    unittest.main()
