"""Makers of recordings that are not what they seem; each returns the path that it wrote."""

from __future__ import annotations

import os
import struct

import numpy as np
from scipy.io import savemat

from vibro.files import Recording, write_recording


def truncated_mat(folder):
    path = folder / "torn.mat"
    savemat(path, {"X130_DE_time": np.random.default_rng(0).normal(size=4000)})
    path.write_bytes(path.read_bytes()[:9000])
    return path


def nans(folder):
    path = folder / "nans.csv"
    table = np.random.default_rng(0).normal(size=(400, 2))
    table[7, 1] = np.nan
    np.savetxt(path, table, delimiter=",")
    return path


def empty_csv(folder):
    path = folder / "empty.csv"
    path.write_text("")
    return path


def header_only(folder):
    path = folder / "header.csv"
    path.write_text("time,de-h\n")
    return path


def wrong_delimiter(folder):
    path = folder / "semicolons.csv"
    path.write_text("\n".join(f"{i};0.5;{i}" for i in range(300)))
    return path


def decimal_commas(folder):
    path = folder / "commas.csv"
    path.write_text("\n".join(f"{i};0,5;{i}" for i in range(300)))
    return path


def text_as_wav(folder):
    path = folder / "letter.wav"
    path.write_text("Dear analyst,\n" * 100)
    return path


def torn_wav(folder):
    path = folder / "torn.wav"
    x = np.zeros((1, 500), np.float32)
    write_recording(path, Recording(x, ("a",), 1000.0, 0.0, True, ""))
    path.write_bytes(path.read_bytes()[:40])
    return path


def random_npy(folder):
    path = folder / "random.npy"
    path.write_bytes(np.random.default_rng(3).bytes(5000))
    return path


def pickled_npy(folder):
    path = folder / "pickled.npy"
    np.save(path, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    return path


def random_parquet(folder):
    path = folder / "random.parquet"
    path.write_bytes(np.random.default_rng(4).bytes(5000))
    return path


def random_tdms(folder):
    path = folder / "random.tdms"
    path.write_bytes(np.random.default_rng(5).bytes(5000))
    return path


def random_uff(folder):
    path = folder / "random.uff"
    path.write_bytes(np.random.default_rng(6).bytes(5000))
    return path


def binary_as_csv(folder):
    path = folder / "binary.csv"
    path.write_bytes(np.random.default_rng(7).bytes(5000))
    return path


def unknown_ending(folder):
    path = folder / "notes.docx"
    path.write_text("0.1\n" * 100)
    return path


def missing(folder):
    return folder / "not-there.wav"


def folder_as_file(folder):
    path = folder / "folder.csv"
    path.mkdir()
    return path


def half_a_wav(folder):
    path = folder / "half.wav"
    write_recording(path, Recording(np.ones((1, 500), np.float32), ("a",), 1000.0, 0.0, True, ""))
    path.write_bytes(path.read_bytes()[:-900])
    return path


def wav_of_no_channels(folder):
    path = folder / "mute.wav"
    head = b"fmt " + struct.pack("<IHHIIHH", 16, 1, 0, 1000, 0, 0, 16)
    path.write_bytes(
        b"RIFF" + struct.pack("<I", 99) + b"WAVE" + head + b"data\x08\0\0\0" + b"a" * 8
    )
    return path


def npy_that_claims(folder, shape, name):
    head = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    path = folder / f"{name}.npy"
    path.write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", 118) + head.encode() + b"\0" * 800)
    return path


def terabyte_npy(folder):
    return npy_that_claims(folder, (2**37,), "terabyte")


def overflowing_npy(folder):
    return npy_that_claims(folder, (2**62, 2**62), "overflow")


def negative_npy(folder):
    return npy_that_claims(folder, (-5,), "negative")


def npy_with_nan(folder):
    path = folder / "nan.npy"
    np.save(path, np.r_[np.ones(500), np.nan])
    return path


def mat_that_claims(folder):
    path = folder / "vast.mat"
    savemat(path, {"x": np.random.default_rng(0).normal(size=4000)})
    content = bytearray(path.read_bytes())
    at = content.index(struct.pack("<ii", 1, 4000))
    content[at : at + 8] = struct.pack("<ii", 1, 2**31 - 1)
    path.write_bytes(content)
    return path


def flipped_mat(folder):
    path = folder / "flipped.mat"
    savemat(path, {"x": np.random.default_rng(0).normal(size=4000)}, do_compression=True)
    content = bytearray(path.read_bytes())
    content[300] ^= 0xFF
    path.write_bytes(content)
    return path


def torn_tdms(folder):
    path = folder / "torn.tdms"
    x = np.ones((1, 500), np.float32)
    write_recording(path, Recording(x, ("a",), 1000.0, float("nan"), True, ""))
    path.write_bytes(path.read_bytes()[:-400])
    return path


def a_pipe(folder):
    os.mkfifo(folder / "pipe.csv")
    return folder / "pipe.csv"


def a_device(folder):
    (folder / "device.npy").symlink_to("/dev/zero")
    return folder / "device.npy"


def a_link_to_itself(folder):
    (folder / "loop.csv").symlink_to("loop.csv")
    return folder / "loop.csv"


def a_name_no_file_has(folder):
    return folder / ("long" * 100 + ".wav")


def utf_16(folder):
    path = folder / "utf16.csv"
    path.write_bytes("time,x\n1,2\n".encode("utf-16") * 100)
    return path


def obeying_terminal(folder):
    path = folder / "escape.csv"
    path.write_text("\x1b[31mred\x1b[2J is\nno,number\n" * 99)
    return path


GARBAGE = [
    truncated_mat, nans, empty_csv, header_only, wrong_delimiter, decimal_commas, text_as_wav,
    torn_wav, random_npy, pickled_npy, random_parquet, random_tdms, random_uff, binary_as_csv,
    unknown_ending, missing, folder_as_file, half_a_wav, wav_of_no_channels, terabyte_npy,
    overflowing_npy, negative_npy, npy_with_nan, mat_that_claims, flipped_mat, torn_tdms, a_pipe,
    a_device, a_link_to_itself, a_name_no_file_has, utf_16, obeying_terminal,
]  # fmt: skip
