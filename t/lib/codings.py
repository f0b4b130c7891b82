"""Content codings, decoded by the libraries themselves."""
import ctypes
import hashlib
import zlib

MOST = 4 << 20


def _br(data):
    lib = ctypes.CDLL("libbrotlidec.so.1")
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


def dcz(data, dictionary):
    """What was coded with a dictionary (RFC 9842 5), its head checked."""
    assert data[:8] == DCZ_MAGIC
    assert data[8:40] == hashlib.sha256(dictionary).digest()
    lib = ctypes.CDLL("libzstd.so.1")
    lib.ZSTD_createDCtx.restype = ctypes.c_void_p
    lib.ZSTD_decompress_usingDict.restype = ctypes.c_size_t
    context = ctypes.c_void_p(lib.ZSTD_createDCtx())
    out = ctypes.create_string_buffer(MOST)
    n = lib.ZSTD_decompress_usingDict(
        context, out, ctypes.c_size_t(MOST), data, ctypes.c_size_t(len(data)),
        dictionary, ctypes.c_size_t(len(dictionary)))
    lib.ZSTD_freeDCtx(context)
    assert n <= MOST, "not coded with this dictionary"
    return out.raw[:n]
