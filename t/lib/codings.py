"""Content codings, decoded by the libraries themselves."""
import ctypes
import functools
import hashlib
import re
import subprocess
import zlib

from .gatehouse import BINARY

MOST = 4 << 20


@functools.cache
def _brotli():
    """The decoder that stands beside the encoder of the binary, if it has one; what
    it needs comes first, or another one would be taken for it."""
    told = subprocess.run(["ldd", BINARY], capture_output=True, text=True,
                          check=False).stdout
    for name in ("common", "dec"):
        found = re.search(rf"=> (\S*/libbrotli{name}\.\S+)", told)
        lib = ctypes.CDLL(found[1] if found else f"libbrotli{name}.so.1")
    return lib


def _br(data):
    lib = _brotli()
    out = ctypes.create_string_buffer(MOST)
    n = ctypes.c_size_t(MOST)
    assert lib.BrotliDecoderDecompress(
        ctypes.c_size_t(len(data)), data, ctypes.byref(n), out) == 1
    return out.raw[:n.value]


def _zstd(data):
    lib = ctypes.CDLL("libzstd.so.1")
    lib.ZSTD_decompress.restype = ctypes.c_size_t
    out = ctypes.create_string_buffer(MOST)
    n = lib.ZSTD_decompress(out, ctypes.c_size_t(MOST), data,
                            ctypes.c_size_t(len(data)))
    assert n <= MOST, "not a whole frame of zstd"
    return out.raw[:n]


def _gzip(data):
    d = zlib.decompressobj(31)
    out = d.decompress(data)
    assert d.eof and not d.unused_data
    return out


DECODE = {None: bytes, "gzip": _gzip, "br": _br, "zstd": _zstd}


def decoded(response):
    """The content of a response as its origin meant it."""
    return DECODE[response.get("content-encoding")](response.body)


DCZ_MAGIC = b"\x5e\x2a\x4d\x18\x20\x00\x00\x00"
DCB_MAGIC = b"\xff\x44\x43\x42"


class _Buffer(ctypes.Structure):
    """ZSTD_inBuffer and ZSTD_outBuffer."""

    _fields_ = [("at", ctypes.c_void_p), ("len", ctypes.c_size_t),
                ("pos", ctypes.c_size_t)]

    @classmethod
    def of(cls, kept, length):
        return cls(ctypes.cast(kept, ctypes.c_void_p), length, 0)


def dcz(data, dictionary, is_begun=False):
    """What was coded with a dictionary (RFC 9842 5), its head checked; or what
    can be read of it so far."""
    assert data[:8] == DCZ_MAGIC
    assert data[8:40] == hashlib.sha256(dictionary).digest()
    lib = ctypes.CDLL("libzstd.so.1")
    lib.ZSTD_createDCtx.restype = ctypes.c_void_p
    lib.ZSTD_decompressStream.restype = ctypes.c_size_t
    context = ctypes.c_void_p(lib.ZSTD_createDCtx())
    lib.ZSTD_DCtx_loadDictionary(context, dictionary,
                                 ctypes.c_size_t(len(dictionary)))
    kept = ctypes.create_string_buffer(MOST)
    source = ctypes.create_string_buffer(data[40:], len(data) - 40)
    come, out = _Buffer.of(source, len(data) - 40), _Buffer.of(kept, MOST)
    left = lib.ZSTD_decompressStream(context, ctypes.byref(out),
                                     ctypes.byref(come))
    lib.ZSTD_freeDCtx(context)
    assert come.pos == come.len and (left == 0 or is_begun and left < MOST), \
        "not coded with this dictionary"
    return kept.raw[:out.pos]


def dcb(data, dictionary, is_begun=False):
    """The same of brotli (RFC 9842 4)."""
    assert data[:4] == DCB_MAGIC
    assert data[4:36] == hashlib.sha256(dictionary).digest()
    lib = _brotli()
    lib.BrotliDecoderCreateInstance.restype = ctypes.c_void_p
    state = ctypes.c_void_p(lib.BrotliDecoderCreateInstance(None, None, None))
    assert lib.BrotliDecoderAttachDictionary(
        state, 0, ctypes.c_size_t(len(dictionary)), dictionary) == 1
    source = ctypes.create_string_buffer(data[36:], len(data) - 36)
    out = ctypes.create_string_buffer(MOST)
    in_len = ctypes.c_size_t(len(data) - 36)
    room = ctypes.c_size_t(MOST)
    at = ctypes.cast(source, ctypes.c_void_p)
    to = ctypes.cast(out, ctypes.c_void_p)
    rc = lib.BrotliDecoderDecompressStream(
        state, ctypes.byref(in_len), ctypes.byref(at), ctypes.byref(room),
        ctypes.byref(to), None)
    lib.BrotliDecoderDestroyInstance(state)
    # BROTLI_DECODER_RESULT_SUCCESS, or _NEEDS_MORE_INPUT
    assert in_len.value == 0 and (rc == 1 or is_begun and rc == 2), \
        "not coded with this dictionary"
    return out.raw[:MOST - room.value]


DECODE_BY = {"dcz": dcz, "dcb": dcb}


def decoded_by(response, dictionary):
    """The content of a response that was coded with a dictionary."""
    return DECODE_BY[response.get("content-encoding")](response.body, dictionary)
