using System.Buffers.Binary;
using Proxy.Dicom;

namespace Proxy.Wire.Part10;

/// <summary>Follows a Part 10 file as its bytes arrive, and tells at the end whether it stops inside a data element.</summary>
/// <remarks>
/// <code>
/// preamble DICM │ (0002,xxxx) … │ element │ SQ, no length ┬ item ┬ element … delimiter │ … │ zeros to the end
///               │  explicit LE  │ skipped │    depth + 1  └ +1 ─┘                      │   │ padding
/// </code>
/// <para>
/// Only heads are read; values are skipped by their length, so a sequence or an item with a length is one value. Those without a
/// length are followed to their delimiters (PS3.5 §7.5), with a stack of bytes instead of recursion; encapsulated pixel data is a
/// sequence whose items have lengths (PS3.5 §A.4).
/// </para>
/// <para>
/// Unknown content ends the walk and counts as complete: a deflated dataset, a private transfer syntax, an unknown VR. The
/// walk proves that a file is cut, never that it is valid.
/// </para>
/// </remarks>
internal sealed class Part10Walk
{
    private const int PrefixBytes = 132;

    private const int MaxHeadBytes = 12;

    /// <summary>Deeper nesting is not followed.</summary>
    private const int MaxDepth = 1024;

    private const uint Item = 0xFFFEE000;
    private const uint ItemDelimiter = 0xFFFEE00D;
    private const uint SequenceDelimiter = 0xFFFEE0DD;

    /// <summary>Their datasets are deflated, or not in the file (PS3.5 §A.5, §A.6).</summary>
    private static readonly string[] NotRead = ["1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.4.95", "1.2.840.10008.1.2.4.205"];

    private readonly byte[] _head = new byte[MaxHeadBytes];
    private readonly Stack<Level> _levels = new();
    private readonly bool _isImplicit;
    private readonly bool _isBigEndian;
    private int _headLength;
    private long _skip = PrefixBytes;
    private uint _last;
    private bool _isMeta = true;
    private bool _hasDataset;
    private bool _isDone;

    /// <summary>A sequence or an item without a length that is not closed yet.</summary>
    private readonly struct Level
    {
        /// <summary>True for an item, false for a sequence.</summary>
        public bool IsItem { get; init; }

        /// <summary>True when elements inside have no VR.</summary>
        public bool IsImplicit { get; init; }
    }

    /// <summary>Starts in front of the file.</summary>
    /// <param name="transferSyntax">Of the file meta group.</param>
    public Part10Walk(Uid transferSyntax)
    {
        var uid = transferSyntax.ToString();
        _isDone = NotRead.Contains(uid)
            || uid != TransferSyntax.ImplicitLittleEndian && !uid.StartsWith("1.2.840.10008.1.2.", StringComparison.Ordinal);
        _isImplicit = uid == TransferSyntax.ImplicitLittleEndian;
        _isBigEndian = uid == TransferSyntax.ExplicitBigEndian;
    }

    /// <summary>
    /// True when the file ends inside an element, an open sequence or the file meta group, or without a dataset. False too when that
    /// cannot be told.
    /// </summary>
    /// <remarks>Fewer zeros than a head are padding; some archives put a line break there.</remarks>
    public bool IsCut =>
        !_isDone && (_skip > 0 || _levels.Count > 0 || !_hasDataset || _head.AsSpan(0, _headLength).ContainsAnyExcept("\0\r\n"u8));

    /// <summary>The next bytes of the file.</summary>
    public void Add(ReadOnlySpan<byte> bytes)
    {
        while (!_isDone)
        {
            var skipped = (int)Math.Min(_skip, bytes.Length);
            _skip -= skipped;
            bytes = bytes[skipped..];
            if (bytes.IsEmpty) return;
            if (_headLength == 0 && bytes.Length >= MaxHeadBytes)
            {
                bytes = bytes[ReadHead(bytes)..];
                continue;
            }
            // The head continues in the next piece, or began in the last one.
            var taken = Math.Min(MaxHeadBytes - _headLength, bytes.Length);
            bytes[..taken].CopyTo(_head.AsSpan(_headLength));
            var read = ReadHead(_head.AsSpan(0, _headLength + taken));
            if (_isDone) return;
            if (read == 0)
            {
                _headLength += taken;
                return;
            }
            bytes = bytes[(read - _headLength)..];
            _headLength = 0;
        }
    }

    /// <summary>Reads one head, and says how long it is; 0 when more bytes are needed.</summary>
    private int ReadHead(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length < 8) return 0;
        if (_isMeta && BinaryPrimitives.ReadUInt16LittleEndian(bytes) != 0x0002) _isMeta = false;
        var isBigEndian = _isBigEndian && !_isMeta;
        var tag = ((uint)ReadUInt16(bytes, isBigEndian) << 16) | ReadUInt16(bytes[2..], isBigEndian);
        if (tag == 0 && _levels.Count == 0)
        {
            // Zeros behind the last element pad the file.
            _isDone = true;
            return 8;
        }
        if (tag >> 16 == 0xFFFE) return ReadDelimiter(tag, ReadUInt32(bytes[4..], isBigEndian));
        if (_levels.TryPeek(out var level) && !level.IsItem) return GiveUp();
        if (_levels.Count == 0)
        {
            // Attributes ascend (PS3.5 §7.1); anything else is no data element.
            if (tag < _last) return GiveUp();
            _last = tag;
        }
        return ReadElement(bytes, !_isMeta && (_levels.Count > 0 ? level.IsImplicit : _isImplicit));
    }

    private int ReadElement(ReadOnlySpan<byte> bytes, bool isImplicit)
    {
        var isBigEndian = _isBigEndian && !_isMeta;
        _hasDataset |= !_isMeta;
        var vr = BinaryPrimitives.ReadUInt16BigEndian(bytes[4..]);
        if (isImplicit)
        {
            // Some files write VRs where the standard has none: a length that reads as one is not trusted.
            return Vr.Find(vr).IsKnown
                ? GiveUp()
                : ReadValue(8, ReadUInt32(bytes[4..], isBigEndian), vr: 0, isImplicit);
        }
        if (Vr.Find(vr) is not { IsKnown: true } known) return GiveUp();
        if (known.IsShort) return ReadValue(8, ReadUInt16(bytes[6..], isBigEndian), vr, isImplicit);
        return bytes.Length < MaxHeadBytes ? 0 : ReadValue(MaxHeadBytes, ReadUInt32(bytes[8..], isBigEndian), vr, isImplicit);
    }

    private int ReadValue(int headLength, uint length, ushort vr, bool isImplicit)
    {
        if (length != uint.MaxValue)
        {
            _skip = length;
            return headLength;
        }
        if (_isMeta || vr is not (0 or Part10Head.Sq or Part10Head.Un or Part10Head.Ob or Part10Head.Ow)) return GiveUp();
        // UN without a length is a sequence in implicit VR little endian (PS3.5 §6.2.2); this reader has one byte order per file.
        if (vr == Part10Head.Un && _isBigEndian) return GiveUp();
        return Open(new() { IsImplicit = isImplicit || vr == Part10Head.Un }, headLength);
    }

    private int ReadDelimiter(uint tag, uint length)
    {
        if (!_levels.TryPeek(out var level)) return GiveUp();
        switch (tag)
        {
            case Item when !level.IsItem && length == uint.MaxValue:
                return Open(level with { IsItem = true }, 8);
            case Item when !level.IsItem:
                _skip = length;
                return 8;
            case ItemDelimiter when level.IsItem && length == 0:
            case SequenceDelimiter when !level.IsItem && length == 0:
                _levels.Pop();
                return 8;
            default:
                return GiveUp();
        }
    }

    private int Open(Level level, int headLength)
    {
        if (_levels.Count == MaxDepth) return GiveUp();
        _levels.Push(level);
        return headLength;
    }

    private int GiveUp()
    {
        _isDone = true;
        return 8;
    }

    private static ushort ReadUInt16(ReadOnlySpan<byte> bytes, bool isBigEndian) =>
        isBigEndian ? BinaryPrimitives.ReadUInt16BigEndian(bytes) : BinaryPrimitives.ReadUInt16LittleEndian(bytes);

    private static uint ReadUInt32(ReadOnlySpan<byte> bytes, bool isBigEndian) =>
        isBigEndian ? BinaryPrimitives.ReadUInt32BigEndian(bytes) : BinaryPrimitives.ReadUInt32LittleEndian(bytes);
}
