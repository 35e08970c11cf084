"""scripts/check-layers lets through what ARCHITECTURE.md allows, and nothing else."""

import pathlib
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]

ALLOWED = [
    ("base/buf.c", '"base/alloc.h"'),
    ("wire/frame.c", '"base/bytes.h"'),
    ("wire/http.c", "<llhttp.h>"),
    ("wire/tls.c", "<openssl/ssl.h>"),
    ("wire/authority.c", '"wire/tls.h"'),
    ("wire/deflate.c", "<zlib.h>"),
    ("captures/encode.c", "<msgpack.h>"),
    ("inject/read_yaml.c", "<libfyaml.h>"),
    ("inject/regex.c", "<pcre2.h>"),
    ("captures/reader.c", '"wire/lint.h"'),
    ("net/loop.c", "<uv.h>"),
    ("net/loop.c", "<sys/socket.h>"),
    ("proxy/session.c", '"captures/encode.h"'),
    ("proxy/session.c", '"inject/plan.h"'),
    ("proxy/pair.c", '"net/stream.h"'),
    ("proxy/pair.c", '"wire/tls.h"'),
    ("proxy/server.c", '"proxy/session.h"'),
    ("cli/cmd_record.c", '"proxy/server.h"'),
    ("tests/unit/wire/test_deflate.c", "<zlib.h>"),
    ("tests/unit/wire/test_frame.c", '"tests/lib/hex.h"'),
    ("tests/unit/wire/test_http.c", '"http_rig.h"'),
    ("bench/relay.c", "<uv.h>"),
]

REFUSED = [
    ("base/buf.c", '"wire/frame.h"'),
    ("base/buf.c", "<uv.h>"),
    ("wire/frame.c", '"captures/record.h"'),
    ("wire/frame.c", "<openssl/ssl.h>"),
    ("wire/frame.c", '"wire/tls.h"'),
    ("wire/frame.c", "<llhttp.h>"),
    ("wire/http.c", "<zlib.h>"),
    ("wire/tls.c", '"net/stream.h"'),
    ("captures/reader.c", "<msgpack.h>"),
    ("captures/file.c", '"net/loop.h"'),
    ("captures/encode.c", '"inject/plan.h"'),
    ("inject/plan.c", '"captures/record.h"'),
    ("inject/plan.h", "<uv.h>"),
    ("inject/build.c", "<libfyaml.h>"),
    ("inject/match.c", "<pcre2.h>"),
    ("net/stream.c", '"wire/frame.h"'),
    ("proxy/session.c", '"net/stream.h"'),
    ("proxy/session.c", '"proxy/pair.h"'),
    ("proxy/session.c", '"wire/tls.h"'),
    ("proxy/lane.c", "<sys/socket.h>"),
    ("proxy/tap.h", "<uv.h>"),
    ("proxy/server.c", '"replay/player.h"'),
    ("proxy/pair.c", "<uv.h>"),
    ("proxy/pair.c", '"cli/options.h"'),
    ("replay/player.c", '"proxy/output.h"'),
    ("replay/player.c", '"net/timer.h"'),
    ("replay/client.c", '"proxy/session.h"'),
    ("cli/cmd_record.c", "<uv.h>"),
    ("cli/cmd_ca.c", "<openssl/x509.h>"),
    ("cli/cmd_show.c", '"tests/lib/hex.h"'),
    ("wire/frame.c", '"frame.h"'),
    ("wire/frame.c", '"../base/bytes.h"'),
    ("wire/frame.c", "<jansson/jansson.h>"),
    ("tests/unit/wire/test_frame.c", '"../hex.h"'),
]


def check(root):
    return subprocess.run(
        [ROOT / "scripts/check-layers", root], capture_output=True, text=True
    )


def tree(root, path, header):
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(f"/* a source */\n# include {header}\n")


@pytest.mark.parametrize("path, header", ALLOWED)
def test_allows(tmp_path, path, header):
    tree(tmp_path, path, header)
    done = check(tmp_path)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("path, header", REFUSED)
def test_refuses(tmp_path, path, header):
    tree(tmp_path, path, header)
    done = check(tmp_path)
    assert done.returncode == 1
    assert done.stdout.startswith(f"{path}:2: {header[1:-1]}: ")


def test_names_every_bad_line(tmp_path):
    tree(tmp_path, "base/a.c", "<uv.h>")
    tree(tmp_path, "wire/b.c", "<uv.h>")
    assert len(check(tmp_path).stdout.splitlines()) == 2
