"""Writes DICOM files of every kind into this folder, each with what pydicom and dcm2json read from it: generate.py

NAME.dcm   the file
NAME.json  {"pydicom": {"00081140.1.00081155": "UI 1.2"}, "dcm2json": {...}}: the path of each element, with its VR and values.
           Values are joined by |. Binary values are hexadecimal digits, a component group of a name follows =. An oracle that
           cannot read the file is null.
"""
import base64
import json
import struct
import subprocess
import zlib
from pathlib import Path

import pydicom
from pydicom import config
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pydicom.sequence import Sequence
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian)

config.convert_wrong_length_to_UN = False
BINARY = {"OB", "OD", "OF", "OL", "OV", "OW", "UN"}
FOLDER = Path(__file__).parent


def describe(number):
    ds = Dataset()
    ds.SOPClassUID = "1.2.840.10008.5.1.4.1.1.7"
    ds.SOPInstanceUID = f"2.25.77.{number}"
    ds.StudyInstanceUID = "2.25.77"
    ds.SeriesInstanceUID = "2.25.77.0"
    return ds


def add_every_vr(ds):
    ds.add_new(0x00080060, "CS", ["OT", "CT"])
    ds.add_new(0x00080020, "DA", "20240229")
    ds.add_new(0x00080030, "TM", "235959.123456")
    ds.add_new(0x0008002A, "DT", "20240229235959.5+0100")
    ds.add_new(0x00080054, "AE", ["NODE A", "B"])
    ds.add_new(0x00080119, "UC", ["unlimited", "characters"])
    ds.add_new(0x00080120, "UR", "http://example.org/a?b=c")
    ds.add_new(0x00081030, "LO", 'A "quoted" description / with slashes')
    ds.add_new(0x00081040, "LO", "")
    ds.add_new(0x00100010, "PN", ["Doe^Jane^^Dr.^III", "Roe^Richard"])
    ds.add_new(0x00101010, "AS", "042Y")
    ds.add_new(0x001021B0, "LT", "line one\r\nline two\ttab \\ backslash")
    ds.add_new(0x00104000, "LT", "x" * 3000)
    ds.add_new(0x00181050, "DS", ["1.50", "-0.5e-3", "3"])
    ds.add_new(0x00181600, "CS", "RECTANGULAR")
    ds.add_new(0x00189004, "CS", "PRODUCT")
    ds.add_new(0x00189074, "DT", ["2024", "20240229"])
    ds.add_new(0x00200013, "IS", "-12")
    ds.add_new(0x00209157, "UL", [1, 2, 4294967295])
    ds.add_new(0x00280009, "AT", [0x00181063, 0x7FE00010])
    ds.add_new(0x00280103, "US", 1)
    ds.add_new(0x00280106, "SS", -32768)
    ds.add_new(0x00281052, "DS", "-1024")
    ds.add_new(0x00286010, "US", [0, 65535])
    ds.add_new(0x00189219, "SS", -5)
    ds.add_new(0x00186020, "SL", [-2147483648, 2147483647])
    ds.add_new(0x00189058, "US", 7)
    ds.add_new(0x00189309, "FD", [0.1, -1e300])
    ds.add_new(0x00720076, "FL", [0.1, 1e20])
    ds.add_new(0x00720075, "OL", struct.pack("<3I", 1, 2, 3))
    ds.add_new(0x00720067, "OF", struct.pack("<2f", 1.5, -2))
    ds.add_new(0x00720073, "OD", struct.pack("<d", 2.5))
    ds.add_new(0x00720065, "OB", bytes(range(10)))
    ds.add_new(0x00720069, "OW", struct.pack("<4H", 1, 2, 3, 256))
    ds.add_new(0x00720081, "OV", struct.pack("<Q", 1 << 60))
    ds.add_new(0x00720082, "SV", [-(1 << 52), -(1 << 60)])
    ds.add_new(0x00720083, "UV", [1, (1 << 64) - 1])
    ds.add_new(0x0072006E, "ST", "short text")
    ds.add_new(0x00720070, "UT", "unlimited \\ text")
    ds.add_new(0x0072006D, "UN", b"\x01\x02\x03\x04")
    ds.add_new(0x00090010, "LO", "PRIVATE CREATOR")
    ds.add_new(0x00091001, "FD", 3.25)
    ds.add_new(0x00091002, "SH", "private")
    ds.add_new(0x00091003, "OB", b"\xff" * 6)
    return ds


def add_sequences(ds, depth=3, is_open=True):
    items = []
    for i in range(2):
        item = Dataset()
        item.ReferencedSOPInstanceUID = f"1.2.{depth}.{i}"
        if depth:
            add_sequences(item, depth - 1, not is_open)
        item.is_undefined_length_sequence_item = is_open
        items.append(item)
    ds.ReferencedImageSequence = Sequence(items + [Dataset()])
    ds["ReferencedImageSequence"].is_undefined_length = is_open
    ds.ReferencedStudySequence = Sequence([])
    return ds


CHARACTER_SETS = {
    "latin1": ("ISO_IR 100", "Äneas^Rüdiger"),
    "latin2": ("ISO_IR 101", "Wałęsa^Łukasz"),
    "latin3": ("ISO_IR 109", "Ĉiuĵaŭde^Ĝis"),
    "latin4": ("ISO_IR 110", "Šķēle^Ģirts"),
    "cyrillic": ("ISO_IR 144", "Люкceмбypг^Иван"),
    "arabic": ("ISO_IR 127", "قباني^لنزار"),
    "greek": ("ISO_IR 126", "Διονυσιος^Σολωμός"),
    "hebrew": ("ISO_IR 138", "שרון^דבורה"),
    "latin5": ("ISO_IR 148", "Çavuşoğlu^Işık"),
    "thai": ("ISO_IR 166", "สมชาย^ใจดี"),
    "utf8": ("ISO_IR 192", "Wang^XiaoDong=王^小東=わん^しょうとう"),
    "gb18030": ("GB18030", "Wang^XiaoDong=王^小东"),
    "gbk": ("GBK", "Wang^XiaoDong=王^小东"),
}
RAW_CHARACTER_SETS = {  # PS3.5 Annexes H, I, J, K: the bytes as the standard prints them
    "japanese": (["", "ISO 2022 IR 87"],
                 b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B=\x1b$B$d$^$@\x1b(B^\x1b$B$?$m$&\x1b(B"),
    "katakana": (["ISO 2022 IR 13", "ISO 2022 IR 87"],
                 b"\xd4\xcf\xc0\xde^\xc0\xdb\xb3=\x1b$B;3ED\x1b(J^\x1b$BB@O:\x1b(J=\x1b$B$d$^$@\x1b(J^\x1b$B$?$m$&\x1b(J"),
    "korean": (["", "ISO 2022 IR 149"],
               b"Hong^Gildong=\x1b$)C\xfb\xf3^\x1b$)C\xd1\xce\xd4\xd7=\x1b$)C\xc8\xab^\x1b$)C\xb1\xe6\xb5\xbf"),
    "chinese": (["", "ISO 2022 IR 58"], b"Zhang^XiaoDong=\x1b$)A\xd5\xc5^\x1b$)A\xd0\xa1\xb6\xab="),
    "supplementary": (["", "ISO 2022 IR 159"], b"Yamada^Tarou=\x1b$(D0!0B\x1b(B"),
    "mixed": (["ISO 2022 IR 100", "ISO 2022 IR 144"], b"\xc4neas^\x1b-L\xbb\xee\xda"),
}


def text_of(elem):
    """The values of an element as pydicom read them."""
    if elem.is_empty:
        return ""
    if elem.VR in BINARY:
        return bytes(elem.value).hex()
    values = list(elem.value) if elem.VM > 1 else [elem.value]
    if elem.VR == "PN":
        return "|".join("=".join(n.components) if n else "" for n in values)
    if elem.VR == "AT":
        return "|".join(f"{int(v):08X}" for v in values)
    return "|".join(getattr(v, "original_string", None) or str(v) for v in values)


def flatten(ds, prefix=""):
    for elem in ds:
        path = f"{prefix}{int(elem.tag):08X}"
        if elem.tag.element == 0:
            continue
        yield path, f"{elem.VR[:2]} {text_of(elem) if elem.VR != 'SQ' else ''}"
        if elem.VR == "SQ":
            for i, nested in enumerate(elem.value):
                yield from flatten(nested, f"{path}.{i + 1}.")


def flatten_json(ds, prefix=""):
    """The same of DICOM JSON."""
    for tag, attribute in ds.items():
        vr, values = attribute["vr"], attribute.get("Value", [])
        if "InlineBinary" in attribute:
            values = [base64.b64decode(attribute["InlineBinary"]).hex()]
        if vr == "PN":
            values = ["=".join((v or {}).get(g, "") for g in ("Alphabetic", "Ideographic", "Phonetic")).rstrip("=") for v in values]
        yield prefix + tag, f"{vr} {'' if vr == 'SQ' else '|'.join('' if v is None else str(v) for v in values)}"
        if vr == "SQ":
            for i, nested in enumerate(values):
                yield from flatten_json(nested or {}, f"{prefix}{tag}.{i + 1}.")


def ask_oracles(path):
    ran = subprocess.run(["dcm2json", path], capture_output=True)
    answers = {
        "pydicom": dict(flatten(pydicom.dcmread(path))),
        "dcm2json": dict(flatten_json(json.loads(ran.stdout))) if ran.returncode == 0 else None,
    }
    path.with_suffix(".json").write_text(json.dumps(answers, ensure_ascii=False, indent=1) + "\n")


def save(name, ds, syntax=ExplicitVRLittleEndian, raw=b""):
    """Writes a file; raw is appended to the dataset as it is."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = ds.SOPClassUID
    meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    meta.TransferSyntaxUID = syntax
    buffer = DicomBytesIO()
    buffer.is_little_endian = syntax != ExplicitVRBigEndian
    buffer.is_implicit_VR = syntax == ImplicitVRLittleEndian
    ds.is_little_endian, ds.is_implicit_VR = buffer.is_little_endian, buffer.is_implicit_VR
    write_dataset(buffer, ds)
    content = buffer.getvalue() + raw
    if syntax == DeflatedExplicitVRLittleEndian:
        packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
        content = packer.compress(content) + packer.flush()
        content += b"\0" * (len(content) % 2)
    head = DicomBytesIO()
    head.is_little_endian, head.is_implicit_VR = True, False
    pydicom.filewriter.write_file_meta_info(head, meta, enforce_standard=True)
    path = FOLDER / f"{name}.dcm"
    path.write_bytes(b"\0" * 128 + b"DICM" + head.getvalue() + content)
    ask_oracles(path)


def element(tag, vr, value, length=None):
    head = struct.pack("<HH", tag >> 16, tag & 0xFFFF) + vr.encode()
    return head + b"\0\0" + struct.pack("<I", len(value) if length is None else length) + value


def item(content, length=None):
    return b"\xfe\xff\x00\xe0" + struct.pack("<I", len(content) if length is None else length) + content


def implicit(tag, value, length=None):
    return struct.pack("<HHI", tag >> 16, tag & 0xFFFF, len(value) if length is None else length) + value


END_ITEM, END_SEQUENCE = b"\xfe\xff\x0d\xe0\0\0\0\0", b"\xfe\xff\xdd\xe0\0\0\0\0"
OPEN = 0xFFFFFFFF

number = 1
for name, syntax in (("explicit", ExplicitVRLittleEndian), ("implicit", ImplicitVRLittleEndian), ("bigendian", ExplicitVRBigEndian),
                     ("deflated", DeflatedExplicitVRLittleEndian)):
    save(f"vrs-{name}", add_every_vr(describe(number)), syntax)
    save(f"sequences-{name}", add_sequences(describe(number + 1)), syntax)
    save(f"sequences-defined-{name}", add_sequences(describe(number + 2), is_open=False), syntax)
    number += 3

for name, (terms, text) in CHARACTER_SETS.items():
    ds = describe(number)
    ds.SpecificCharacterSet = terms
    ds.PatientName = text
    ds.StudyDescription = text.split("=")[0]
    ds.PatientComments = text
    ds.add_new(0x00401400, "LT", text)
    save(f"text-{name}", ds)
    number += 1

for name, (terms, text) in RAW_CHARACTER_SETS.items():
    ds = describe(number)
    ds.SpecificCharacterSet = terms
    ds.add_new(0x00100010, "UN", text + b" " * (len(text) % 2))
    save(f"text-{name}", ds)
    path = FOLDER / f"text-{name}.dcm"
    long_head = struct.pack("<HH", 0x10, 0x10) + b"UN\0\0" + struct.pack("<I", len(text) + len(text) % 2)
    short_head = struct.pack("<HH", 0x10, 0x10) + b"PN" + struct.pack("<H", len(text) + len(text) % 2)
    path.write_bytes(path.read_bytes().replace(long_head, short_head))
    ask_oracles(path)
    number += 1

# A private sequence without a length, written as UN: its content has no VRs (PS3.5 §6.2.2).
inner = implicit(0x00080060, b"CT") + implicit(0x00081140, item(implicit(0x00081155, b"1.2\0"))) + implicit(
    0x00110010, b"CREATOR ") + implicit(0x00111001, b"\x01\x02") + implicit(0x00280010, struct.pack("<H", 512))
private = element(0x00E10010, "LO", b"")[:6] + struct.pack("<H", 8) + b"PRIVATE " + element(
    0x00E11001, "UN", item(inner + END_ITEM, OPEN) + item(inner) + END_SEQUENCE, OPEN)
save("private-sequence", describe(number), raw=private)
save("known-as-un", describe(number + 1), raw=element(0x00400254, "UN", b"KNOWN SINCE ") + element(
    0x00400280, "UN", b"A text") + element(0x00E11001, "UN", b"\x01\x02\x03\x04"))
number += 2

for name, syntax in (("explicit", ExplicitVRLittleEndian), ("implicit", ImplicitVRLittleEndian), ("bigendian", ExplicitVRBigEndian)):
    ds = describe(number)
    ds.PixelRepresentation = 1
    ds.Rows, ds.Columns, ds.BitsAllocated, ds.SamplesPerPixel = 2, 2, 16, 1
    ds.add_new(0x00280106, "SS", -5)
    ds.add_new(0x00283000, "SQ", Sequence([Dataset()]))
    ds[0x00283000].value[0].add_new(0x00283002, "SS", [-3, 0, 16])
    ds[0x00283000].value[0].add_new(0x00283006, "OW", struct.pack("<4H", 1, 2, 3, 4))
    ds.add_new(0x60000010, "US", 8)
    ds.add_new(0x60020010, "US", 9)
    ds.add_new(0x60020015, "IS", "2")
    ds.add_new(0x60023000, "OW", b"\x01\x02")
    ds.add_new(0x50000005, "US", 2)
    save(f"image-{name}", ds, syntax)
    number += 1

ds = describe(number)
ds.add_new(0x00186024, "US", 1)
ds.add_new(0x0018602C, "FD", [float("nan"), float("inf"), float("-inf"), -0.0, 5e-324])
ds.add_new(0x00200032, "DS", ["", "1", ""])
ds.add_new(0x00080008, "CS", ["DERIVED", "", "X"])
ds.add_new(0x00081070, "PN", ["", "A^B"])
save("empty-values", ds)
