"""SHA-256 that can be put aside and gone on with, which `hashlib` cannot: by OpenSSL, whose state is plain bytes.

`SHA256_CTX` (openssl/sha.h) has no pointers and has been the same since OpenSSL 0.9.8. Where there is no libcrypto, or
where it does otherwise, checksums are made by `hashlib`, and have no state.
"""

import ctypes
import functools
import hashlib
from typing import Any, Protocol

_LIBRARIES = ("libcrypto.so.3", "libcrypto.so.1.1")
_STATE_BYTES = 112  # eight words of the digest, two of the length, 64 bytes of data, and how many of each
_SAMPLE = bytes(range(100))


class Digest(Protocol):
    def update(self, data: bytes, /) -> None: ...

    def digest(self) -> bytes: ...

    def hexdigest(self) -> str: ...


def begin() -> Digest:
    """One whose state can be had, if that can be done here."""
    library = _library()
    return _Resumable(library) if library else hashlib.sha256()


def is_resumable() -> bool:
    return _library() is not None


def state_of(digest: Digest) -> bytes | None:
    return digest.state if isinstance(digest, _Resumable) else None


def resumed(state: bytes) -> Digest:
    """Raises `ValueError` for what is no state, or cannot be gone on with here."""
    library = _library()
    if len(state) != _STATE_BYTES or library is None:
        raise ValueError("no state of a checksum")
    return _Resumable(library, state)


class _Resumable:
    def __init__(self, library: Any, state: bytes | None = None) -> None:
        self._library = library
        self._context = ctypes.create_string_buffer(state or bytes(_STATE_BYTES), _STATE_BYTES)
        if state is None:
            library.SHA256_Init(self._context)

    @property
    def state(self) -> bytes:
        return self._context.raw

    def update(self, data: bytes, /) -> None:
        self._library.SHA256_Update(self._context, data, len(data))

    def digest(self) -> bytes:
        result, copy = ctypes.create_string_buffer(32), ctypes.create_string_buffer(self.state, _STATE_BYTES)
        self._library.SHA256_Final(result, copy)  # which changes it, and this may go on
        return result.raw

    def hexdigest(self) -> str:
        return self.digest().hex()


@functools.cache
def _library() -> Any:
    for name in _LIBRARIES:
        try:
            library = ctypes.CDLL(name)
            for function, *kinds in (
                ("SHA256_Init", ctypes.c_char_p),
                ("SHA256_Update", ctypes.c_char_p, ctypes.c_char_p, ctypes.c_size_t),
                ("SHA256_Final", ctypes.c_char_p, ctypes.c_char_p),
            ):
                getattr(library, function).argtypes = kinds
        except (OSError, AttributeError):
            continue
        if _is_right(library):
            return library
    return None


def _is_right(library: Any) -> bool:
    first = _Resumable(library)
    first.update(_SAMPLE)
    return _Resumable(library, first.state).digest() == hashlib.sha256(_SAMPLE).digest()
